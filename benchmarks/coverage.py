"""`python -m benchmarks.coverage`: do thresholds keep their promise?"""

from benchmarks.questions.coverage import main

if __name__ == "__main__":
    raise SystemExit(main())
