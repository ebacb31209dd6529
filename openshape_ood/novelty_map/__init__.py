"""NoveltyMap: the result of everything that says where a thing is novel, and the colors that show it."""

from __future__ import annotations

from openshape_ood.novelty_map.result import Elements, NoveltyMap, PatchNovelty, Region

__all__ = ["Elements", "NoveltyMap", "PatchNovelty", "Region"]
