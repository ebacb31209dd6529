"""Places of a scan that may be objects, found without classes."""
