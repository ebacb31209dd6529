"""Training and evaluation of the packaged networks."""
