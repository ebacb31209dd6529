"""`python -m benchmarks.baselines`: the trained baselines of 3DOS, trained, scored and tabled."""

import sys

from benchmarks.baselines.command import main

if __name__ == "__main__":
    sys.exit(main())
