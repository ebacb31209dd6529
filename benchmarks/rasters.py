"""`python -m benchmarks.rasters`: time and memory of rasters of large clouds, from file to file."""

from benchmarks.performance.rasters import main

if __name__ == "__main__":
    raise SystemExit(main())
