"""`python -m benchmarks.unets`: how fast U-Nets learn and map tiles of surfaces, beside their bound."""

from benchmarks.performance.unets import main

if __name__ == "__main__":
    raise SystemExit(main())
