"""`python -m benchmarks.roads --data-root DIR`: reconstructors on road images, pairs of height and intensity."""

from benchmarks.surfaces.published import main

if __name__ == "__main__":
    raise SystemExit(main("roads"))
