"""PointBERT as OpenShape uses it."""
