"""A small CLIP with made-up weights, for tests of relevancy."""

from __future__ import annotations

import json
from typing import Any

import open_clip
import torch

VISION = {"image_size": 32, "patch_size": 8, "width": 32, "layers": 3, "head_width": 16}
TEXT = {"width": 16, "heads": 1, "layers": 1, "vocab_size": 49408, "context_length": 77}
CONFIG = json.dumps({"embed_dim": 16, "vision_cfg": VISION, "text_cfg": TEXT})


def clip(seed: int = 0, custom: bool = False) -> Any:
    """Of images of 32 pixels a side in patches of 8, in evaluation mode; custom: as CustomTextCLIP."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(16, VISION, TEXT)
        for parameter in made.visual.parameters():
            if parameter.ndim == 1:  # biases are zero otherwise, and a mistake there would not be seen
                parameter.data += 0.1 * torch.randn(parameter.shape)
    return made.eval()
