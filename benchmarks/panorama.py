"""`python -m benchmarks.panorama --data-root DIR`: reconstructors on street panoramas."""

from benchmarks.surfaces.published import main

if __name__ == "__main__":
    raise SystemExit(main("panorama"))
