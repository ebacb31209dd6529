"""`python -m benchmarks.sn`: 3DOS synthetic, ShapeNetCore; each third of its categories known in turn."""

import sys

from benchmarks.threedos.command import main
from benchmarks.threedos.splits import split_names

if __name__ == "__main__":
    sys.exit(main("sn", split_names("synthetic")))
