"""Where a surface is not as usual, from normal examples alone: rasters of clouds, reconstructors, and the way back."""

from openshape_ood.reconstruction.raster import Raster as Raster
from openshape_ood.reconstruction.raster import Rasterizer as Rasterizer
