"""Where a surface is not as usual, from normal examples alone: rasters of clouds, reconstructors, and the way back."""

from openshape_ood.reconstruction.base import Reconstructor as Reconstructor
from openshape_ood.reconstruction.baselines import MeanReconstructor as MeanReconstructor
from openshape_ood.reconstruction.baselines import PCAReconstructor as PCAReconstructor
from openshape_ood.reconstruction.methods import RECONSTRUCTORS as RECONSTRUCTORS
from openshape_ood.reconstruction.methods import find_reconstructor as find_reconstructor
from openshape_ood.reconstruction.methods import load_reconstructor as load_reconstructor
from openshape_ood.reconstruction.raster import Raster as Raster
from openshape_ood.reconstruction.raster import Rasterizer as Rasterizer
