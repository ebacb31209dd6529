"""`python -m benchmarks.views`: is what one view hides completed, and is a thing found by its relation to another?"""

from benchmarks.questions.views import main

if __name__ == "__main__":
    raise SystemExit(main())
