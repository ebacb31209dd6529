"""`python -m benchmarks.engines`: many files through both engines."""

from benchmarks.performance.engines import main

if __name__ == "__main__":
    raise SystemExit(main())
