"""The benchmarks of 3DOS: splits, data, protocols, runs and figures."""
