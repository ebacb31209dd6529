"""`python -m benchmarks.sr2`: 3DOS synthetic to real. Known classes: bed, toilet, desk or table, monitor."""

import sys

from benchmarks.threedos.command import main

if __name__ == "__main__":
    sys.exit(main("sr2", ["sr2"]))
