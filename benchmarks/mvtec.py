"""`python -m benchmarks.mvtec --data-root DIR`: reconstructors on MVTec AD."""

from benchmarks.surfaces.published import main

if __name__ == "__main__":
    raise SystemExit(main("mvtec"))
