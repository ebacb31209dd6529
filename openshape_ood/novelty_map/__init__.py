"""Where is it novel? NoveltyMap, the result of everything that says it, and the maps of a shape's patches.

Which of the encoder's features say most is measured by `python -m benchmarks localize`.
"""

from __future__ import annotations

from openshape_ood.novelty_map.marks import calibrate_marks
from openshape_ood.novelty_map.patches import localize, localize_many
from openshape_ood.novelty_map.result import UNTOLD, Elements, NoveltyMap, PatchNovelty, Region

__all__ = ["UNTOLD", "Elements", "NoveltyMap", "PatchNovelty", "Region", "calibrate_marks", "localize", "localize_many"]
