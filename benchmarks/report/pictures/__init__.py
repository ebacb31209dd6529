"""Pictures of runs, novelty maps, scans and views, in the library's colors."""
