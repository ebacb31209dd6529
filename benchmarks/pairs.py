"""`python -m benchmarks.pairs`: how many pairs a second comparators compare, beside the matrix products alone."""

from benchmarks.performance.pairs import main

if __name__ == "__main__":
    raise SystemExit(main())
