"""Whole scans: a name or "new" for every point and every object."""

from openshape_ood.scenes.scene import Scene as Scene
