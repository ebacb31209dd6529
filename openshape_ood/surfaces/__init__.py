"""Detection of surface damage, learned from normal examples only.

Rasters: `rasterizer` (sheets), `views` (objects), `streaming` (large files), `images`. Reconstructors: `reconstructor`
(the interface), `simple` (height, distance to the nearest point), `baselines` (mean image, PCA), `patches` (PCA of
patches), `networks` (U-Nets; its parts are `unet` and `competition`), `memory` (patch features of images), `tokens`
(patch tokens of shapes), `published` (files of Competitive Reconstruction Networks). `model` combines a raster and a
reconstructor. `examination` adds the class of a shape.
"""

from openshape_ood.surfaces.baselines import MeanReconstructor as MeanReconstructor
from openshape_ood.surfaces.baselines import PCAReconstructor as PCAReconstructor
from openshape_ood.surfaces.defects import Defect as Defect
from openshape_ood.surfaces.examination import Examination as Examination
from openshape_ood.surfaces.examination import examine as examine
from openshape_ood.surfaces.images import image_tile as image_tile
from openshape_ood.surfaces.memory import PatchMemory as PatchMemory
from openshape_ood.surfaces.methods import RECONSTRUCTORS as RECONSTRUCTORS
from openshape_ood.surfaces.methods import find_reconstructor as find_reconstructor
from openshape_ood.surfaces.methods import load_reconstructor as load_reconstructor
from openshape_ood.surfaces.model import SurfaceModel as SurfaceModel
from openshape_ood.surfaces.model import SurfaceResult as SurfaceResult
from openshape_ood.surfaces.networks import PUBLISHED as PUBLISHED
from openshape_ood.surfaces.networks import CompetitiveReconstructor as CompetitiveReconstructor
from openshape_ood.surfaces.networks import UNetReconstructor as UNetReconstructor
from openshape_ood.surfaces.patches import PatchPCA as PatchPCA
from openshape_ood.surfaces.published import read_published as read_published
from openshape_ood.surfaces.raster import Raster as Raster
from openshape_ood.surfaces.raster import mosaic as mosaic
from openshape_ood.surfaces.raster import save_mosaic as save_mosaic
from openshape_ood.surfaces.rasterizer import Rasterizer as Rasterizer
from openshape_ood.surfaces.reconstructor import Reconstructor as Reconstructor
from openshape_ood.surfaces.simple import HeightReconstructor as HeightReconstructor
from openshape_ood.surfaces.simple import NearestReconstructor as NearestReconstructor
from openshape_ood.surfaces.streaming import Block as Block
from openshape_ood.surfaces.streaming import raster_blocks as raster_blocks
from openshape_ood.surfaces.streaming import score_file as score_file
from openshape_ood.surfaces.tokens import TokenPCA as TokenPCA
from openshape_ood.surfaces.tokens import TokenReconstructor as TokenReconstructor
from openshape_ood.surfaces.views import ViewRasterizer as ViewRasterizer
