"""`python -m benchmarks.sr1`: 3DOS synthetic to real. Known classes: chair, bookshelf, door, sink, sofa."""

import sys

from benchmarks.threedos.command import main

if __name__ == "__main__":
    sys.exit(main("sr1", ["sr1"]))
