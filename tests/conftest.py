"""What the tests share."""

from __future__ import annotations

import pytest
import torch

from openshape_ood import ShapeEncoder

# for networks this small threads cost more than they give, and much more on a busy machine
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> ShapeEncoder:
    """The embedded encoder, through the real loader."""
    return ShapeEncoder.from_pretrained("tiny", device="cpu")
