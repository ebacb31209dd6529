"""Pictures of runs, of thresholds, of novelty maps; all in the library's colors."""
