"""Uni3D: patches of nearest points and a transformer of EVA-02 blocks."""
