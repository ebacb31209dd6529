"""Map of objects in a stream of views and scans; each object is known, new or unsure."""

from openshape_ood.scene_map.events import MapWarning as MapWarning
from openshape_ood.scene_map.naming import Question as Question
from openshape_ood.scene_map.objects import MapObject as MapObject
from openshape_ood.scene_map.objects import Verdict as Verdict
from openshape_ood.scene_map.scene_map import SceneMap as SceneMap
