"""Changes between two scans of one place: moved, removed, added, replaced, unchanged and undecided objects."""

from openshape_ood.scene_changes.calibration import ChangeCalibration as ChangeCalibration
from openshape_ood.scene_changes.compare import calibrate_changes as calibrate_changes
from openshape_ood.scene_changes.compare import compare_scenes as compare_scenes
from openshape_ood.scene_changes.registration import Registration as Registration
from openshape_ood.scene_changes.result import ObjectChange as ObjectChange
from openshape_ood.scene_changes.result import SceneChanges as SceneChanges
