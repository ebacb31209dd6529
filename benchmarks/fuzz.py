"""`python -m benchmarks.fuzz`: files that are wrong, into every reader."""

from benchmarks.fuzzing.run import main

if __name__ == "__main__":
    raise SystemExit(main())
