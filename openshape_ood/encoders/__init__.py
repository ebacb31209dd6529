"""Encoders: from shapes and names to embeddings."""
