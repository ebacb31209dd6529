"""`python -m benchmarks.reading`: how fast files are read."""

from benchmarks.performance.reading import main

if __name__ == "__main__":
    raise SystemExit(main())
