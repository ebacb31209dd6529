"""`python -m benchmarks.scannet200`: points of ScanNet's scans labelled by 200 names, and hidden names found."""

import sys

from benchmarks.questions.scannet import main

if __name__ == "__main__":
    sys.exit(main("scannet200"))
