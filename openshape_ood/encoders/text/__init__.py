"""Names of classes to embeddings."""
