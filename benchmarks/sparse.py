"""`python -m benchmarks.sparse`: how fast sparse convolution is, beside its bound."""

from benchmarks.performance.sparse import main

if __name__ == "__main__":
    raise SystemExit(main())
