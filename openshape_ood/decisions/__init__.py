"""Decisions from novelty: calibration, thresholds, drift, and metrics."""
