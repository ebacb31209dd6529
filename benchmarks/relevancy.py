"""`python -m benchmarks.relevancy`: does looking at several scales find small things, and what does it cost?"""

from benchmarks.questions.relevancy import main

if __name__ == "__main__":
    raise SystemExit(main())
