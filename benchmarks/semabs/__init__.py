"""The evaluation of Semantic Abstraction (arXiv:2207.11514): its data, losses, metrics and tables."""
