"""`python -m benchmarks.compare`: many runs in one table."""

from benchmarks.report.compare import main

if __name__ == "__main__":
    raise SystemExit(main())
