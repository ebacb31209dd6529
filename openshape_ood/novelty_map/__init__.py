"""Novelty maps: NoveltyMap, the result of every localization, and maps of the patches of a shape.

`python -m benchmarks localize` compares features of the encoder for these maps.
"""

from __future__ import annotations

from openshape_ood.novelty_map.marks import calibrate_marks
from openshape_ood.novelty_map.patches import localize, localize_many
from openshape_ood.novelty_map.result import UNTOLD, Elements, NoveltyMap, PatchNovelty, Region

__all__ = ["UNTOLD", "Elements", "NoveltyMap", "PatchNovelty", "Region", "calibrate_marks", "localize", "localize_many"]
