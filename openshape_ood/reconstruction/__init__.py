"""Where a surface is not as usual, from normal examples alone: rasters of clouds, reconstructors, and the way back."""

from openshape_ood.reconstruction.mosaic import mosaic as mosaic
from openshape_ood.reconstruction.mosaic import save_mosaic as save_mosaic
from openshape_ood.reconstruction.raster import Raster as Raster
from openshape_ood.reconstruction.rasterizer import Rasterizer as Rasterizer
from openshape_ood.reconstruction.streaming import Block as Block
from openshape_ood.reconstruction.streaming import raster_blocks as raster_blocks
from openshape_ood.reconstruction.streaming import score_file as score_file
from openshape_ood.reconstruction.views import ViewRasterizer as ViewRasterizer
