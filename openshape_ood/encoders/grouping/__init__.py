"""Sampling and ball query: which points make a patch."""
