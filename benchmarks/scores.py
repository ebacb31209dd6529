"""`python -m benchmarks.scores`: every score side by side."""

from benchmarks.questions.scores import main

if __name__ == "__main__":
    raise SystemExit(main())
