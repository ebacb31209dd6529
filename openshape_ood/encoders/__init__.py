"""Encoders: shapes and names in, embeddings out."""
