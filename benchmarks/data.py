"""`python -m benchmarks.data`: the release of 3DOS, checked and downloaded."""

from benchmarks.threedos.data.command import main

if __name__ == "__main__":
    raise SystemExit(main())
