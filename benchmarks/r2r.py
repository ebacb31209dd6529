"""`python -m benchmarks.r2r`: 3DOS real to real, on ScanObjectNN. Two of its three sets of classes are known."""

import sys

from benchmarks.threedos.command import main
from benchmarks.threedos.splits import split_names

if __name__ == "__main__":
    sys.exit(main("r2r", split_names("real")))
