"""Data, training, metrics and tables of Semantic Abstraction (arXiv:2207.11514)."""
