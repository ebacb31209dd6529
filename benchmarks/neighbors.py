"""`python -m benchmarks.neighbors`: time, memory and recall of the neighbor search."""

from benchmarks.performance.neighbors import main

if __name__ == "__main__":
    raise SystemExit(main())
