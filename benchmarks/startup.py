"""`python -m benchmarks.startup`: time and memory of a start."""

from benchmarks.performance.startup import main

if __name__ == "__main__":
    raise SystemExit(main())
