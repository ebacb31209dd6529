"""Anomaly maps of surfaces and images, learned from normal examples only.

`base` has the interface; `baselines` the mean image and PCA; `networks` U-Nets, alone and competing (`unet`,
`competition`); `memory` patches by a network for images; `tokens` the same on patches of shapes; `published` reads the
files of Competitive Reconstruction Networks; `images` makes tiles of images.
"""

from openshape_ood.reconstruction.base import Reconstructor
from openshape_ood.reconstruction.baselines import MeanReconstructor, PCAReconstructor
from openshape_ood.reconstruction.images import image_tile
from openshape_ood.reconstruction.memory import PatchMemory
from openshape_ood.reconstruction.methods import RECONSTRUCTORS, find_reconstructor, load_reconstructor
from openshape_ood.reconstruction.networks import PUBLISHED, CompetitiveReconstructor, UNetReconstructor
from openshape_ood.reconstruction.published import read_published
from openshape_ood.reconstruction.tokens import TokenPCA, TokenReconstructor

__all__ = [
    "PUBLISHED",
    "RECONSTRUCTORS",
    "CompetitiveReconstructor",
    "MeanReconstructor",
    "PCAReconstructor",
    "PatchMemory",
    "Reconstructor",
    "TokenPCA",
    "TokenReconstructor",
    "UNetReconstructor",
    "find_reconstructor",
    "image_tile",
    "load_reconstructor",
    "read_published",
]
