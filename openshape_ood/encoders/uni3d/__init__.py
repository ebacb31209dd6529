"""Uni3D: patches of nearest points, and a transformer with EVA-02 blocks."""
