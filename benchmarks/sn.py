"""`python -m benchmarks.sn`: 3DOS synthetic benchmark on ShapeNetCore. In SN1, SN2 and SN3 another third is known."""

import sys

from benchmarks.threedos.command import main
from benchmarks.threedos.splits import split_names

if __name__ == "__main__":
    sys.exit(main("sn", split_names("synthetic")))
