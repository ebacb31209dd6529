"""NoveltyMap: the result of everything that says where a thing is novel, and the colors that show it."""

from __future__ import annotations

from openshape_ood.novelty_map.result import UNTOLD, Elements, NoveltyMap, PatchNovelty, Region

__all__ = ["UNTOLD", "Elements", "NoveltyMap", "PatchNovelty", "Region"]
