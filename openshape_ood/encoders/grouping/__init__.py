"""Grouping of points into patches: sampling and ball query."""
