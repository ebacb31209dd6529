"""PointBERT, the network of OpenShape."""
