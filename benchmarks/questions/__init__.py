"""Measurements for questions of users, for example which score is best, or if a threshold keeps its coverage."""
