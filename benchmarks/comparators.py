"""`python -m benchmarks.comparators`: does a learned comparator pay, and where?"""

from benchmarks.questions.comparators import main

if __name__ == "__main__":
    raise SystemExit(main())
