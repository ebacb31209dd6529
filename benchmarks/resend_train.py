"""`python -m benchmarks.resend_train`: an image encoder and a relation network trained together, as ReSeND was."""

from benchmarks.images.training import main

if __name__ == "__main__":
    raise SystemExit(main())
