"""`python -m benchmarks.speed`: how fast the encoder is, beside the plain way and its bound."""

from benchmarks.performance.speed.command import main

if __name__ == "__main__":
    raise SystemExit(main())
