"""Many runs in one table: `python -m benchmarks.compare results/*.json [--markdown] [--out FILE.png]`."""
