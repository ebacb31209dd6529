"""`python -m benchmarks.scenes`: are the objects of a scan found, named and told from novel ones?"""

from benchmarks.questions.scenes import main

if __name__ == "__main__":
    raise SystemExit(main())
