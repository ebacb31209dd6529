"""Completion: from points with affinities to names, the occupancy of the whole thing, hidden parts included."""
