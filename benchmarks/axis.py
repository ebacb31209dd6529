"""`python -m benchmarks.axis`: is the gravity axis of a set of shapes found?"""

from benchmarks.questions.axis import main

if __name__ == "__main__":
    raise SystemExit(main())
