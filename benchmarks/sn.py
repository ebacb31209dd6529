"""`python -m benchmarks.sn`: 3DOS synthetic, ShapeNetCore; each third of its categories known in turn."""

import sys

from benchmarks.command import main
from benchmarks.splits import split_names

if __name__ == "__main__":
    sys.exit(main("sn", split_names("synthetic")))
