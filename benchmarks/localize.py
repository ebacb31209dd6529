"""`python -m benchmarks.localize`: is a planted part found?"""

from benchmarks.questions.localize import main

if __name__ == "__main__":
    raise SystemExit(main())
