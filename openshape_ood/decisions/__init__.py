"""From novelty to a decision: calibration, thresholds, and the metrics that tell how good it is."""
