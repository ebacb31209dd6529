"""Anomaly maps of surfaces and images, learned from normal examples only.

`base` has the interface; `baselines` the mean image and PCA; `networks` U-Nets, alone and competing (`unet`,
`competition`); `memory` patches by a network for images; `tokens` the same on patches of shapes; `published` reads the
files of Competitive Reconstruction Networks; `images` makes tiles of images.
"""

from openshape_ood.reconstruction.base import Reconstructor as Reconstructor
from openshape_ood.reconstruction.baselines import MeanReconstructor as MeanReconstructor
from openshape_ood.reconstruction.baselines import PCAReconstructor as PCAReconstructor
from openshape_ood.reconstruction.images import image_tile as image_tile
from openshape_ood.reconstruction.memory import PatchMemory as PatchMemory
from openshape_ood.reconstruction.methods import RECONSTRUCTORS as RECONSTRUCTORS
from openshape_ood.reconstruction.methods import find_reconstructor as find_reconstructor
from openshape_ood.reconstruction.methods import load_reconstructor as load_reconstructor
from openshape_ood.reconstruction.networks import PUBLISHED as PUBLISHED
from openshape_ood.reconstruction.networks import CompetitiveReconstructor as CompetitiveReconstructor
from openshape_ood.reconstruction.networks import UNetReconstructor as UNetReconstructor
from openshape_ood.reconstruction.published import read_published as read_published
from openshape_ood.reconstruction.tokens import TokenPCA as TokenPCA
from openshape_ood.reconstruction.tokens import TokenReconstructor as TokenReconstructor
