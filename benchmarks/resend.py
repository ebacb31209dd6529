"""`python -m benchmarks.resend`: ReSeND's evaluation on its own image lists, with baselines beside it."""

from benchmarks.images.command import main

if __name__ == "__main__":
    raise SystemExit(main())
