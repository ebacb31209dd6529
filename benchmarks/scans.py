"""`python -m benchmarks.scans`: time and memory of reading scans and of their voxels."""

from benchmarks.performance.scans import main

if __name__ == "__main__":
    raise SystemExit(main())
