"""`python -m benchmarks.scannet20`: points of ScanNet's scans labelled by 20 names, and hidden names found."""

import sys

from benchmarks.questions.scannet import main

if __name__ == "__main__":
    sys.exit(main("scannet20"))
