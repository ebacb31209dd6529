"""Relevancy of names in an image: gradient times attention of an open_clip ViT, over tiles of several sizes."""

from __future__ import annotations

from openshape_ood.views.relevancy.relevancy import BACKGROUND, RelevancyEncoder
from openshape_ood.views.relevancy.tiling import PRESETS, Preset

__all__ = ["BACKGROUND", "PRESETS", "Preset", "RelevancyEncoder"]
