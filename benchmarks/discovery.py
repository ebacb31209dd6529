"""`python -m benchmarks.discovery`: are novel classes found again as groups, and named?"""

from benchmarks.questions.discovery import main

if __name__ == "__main__":
    raise SystemExit(main())
