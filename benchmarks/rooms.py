"""`python -m benchmarks.rooms`: does a point encoder trained on generated rooms label points, and know what is new?"""

from benchmarks.questions.rooms import main

if __name__ == "__main__":
    raise SystemExit(main())
