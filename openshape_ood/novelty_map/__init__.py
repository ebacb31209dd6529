"""Novelty maps: NoveltyMap, the common result of all localization, and maps of a shape's patches.

`python -m benchmarks localize` compares the encoder's features for it.
"""

from __future__ import annotations

from openshape_ood.novelty_map.marks import calibrate_marks
from openshape_ood.novelty_map.patches import localize, localize_many
from openshape_ood.novelty_map.result import UNTOLD, Elements, NoveltyMap, PatchNovelty, Region

__all__ = ["UNTOLD", "Elements", "NoveltyMap", "PatchNovelty", "Region", "calibrate_marks", "localize", "localize_many"]
