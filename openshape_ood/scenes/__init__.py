"""Scans of rooms: a class or "new" for every point and every object."""

from openshape_ood.scenes.files import load_labels as load_labels
from openshape_ood.scenes.files import load_scene as load_scene
from openshape_ood.scenes.objects import score_scene as score_scene
from openshape_ood.scenes.proposals import Proposals as Proposals
from openshape_ood.scenes.proposals import find_objects as find_objects
from openshape_ood.scenes.result import SceneObject as SceneObject
from openshape_ood.scenes.result import SceneResult as SceneResult
from openshape_ood.scenes.saving import load_names as load_names
from openshape_ood.scenes.saving import save_labels as save_labels
from openshape_ood.scenes.saving import save_scene as save_scene
from openshape_ood.scenes.scene import Scene as Scene
from openshape_ood.scenes.validation import ScanWarning as ScanWarning
from openshape_ood.scenes.validation import warn_if_sparse as warn_if_sparse
from openshape_ood.scenes.voxels import Voxels as Voxels
from openshape_ood.scenes.voxels import majority_label as majority_label
from openshape_ood.scenes.voxels import mean_color as mean_color
from openshape_ood.scenes.voxels import spread as spread
from openshape_ood.scenes.voxels import voxelize as voxelize
