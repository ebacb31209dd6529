"""Pictures of runs, of thresholds, of novelty maps."""
