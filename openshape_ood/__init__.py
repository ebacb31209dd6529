"""Open-set novelty detection for 3D objects: a known class, or something new?

Pretrained encoders are used without further training.

>>> from openshape_ood import score_novelty
>>> from openshape_ood.synthetic import sample
>>> result = score_novelty(sample("chair", 2048, seed=1), known=["chair", "sofa", "table"], model="tiny")
>>> str(result.nearest[0])
'chair'

Public names are imported on first use, so `import openshape_ood` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "1.0.0rc1"

if TYPE_CHECKING:
    from openshape_ood.decisions.threshold import Threshold as Threshold
    from openshape_ood.discovery import discover as discover
    from openshape_ood.encoders.protocols import Embeddings as Embeddings
    from openshape_ood.encoders.protocols import Encoder as Encoder
    from openshape_ood.encoders.protocols import Identity as Identity
    from openshape_ood.encoders.shape_encoder import ShapeEncoder as ShapeEncoder
    from openshape_ood.encoders.text.encoder import TextEncoder as TextEncoder
    from openshape_ood.errors import OpenShapeError as OpenShapeError
    from openshape_ood.known import KnownClasses as KnownClasses
    from openshape_ood.novelty import NoveltyPipeline as NoveltyPipeline
    from openshape_ood.novelty import NoveltyResult as NoveltyResult
    from openshape_ood.novelty import score_embeddings as score_embeddings
    from openshape_ood.novelty import score_novelty as score_novelty
    from openshape_ood.novelty_map import NoveltyMap as NoveltyMap
    from openshape_ood.novelty_map import calibrate_marks as calibrate_marks
    from openshape_ood.novelty_map import localize as localize
    from openshape_ood.registry import list_checkpoints as list_checkpoints
    from openshape_ood.scene_changes import SceneChanges as SceneChanges
    from openshape_ood.scene_changes import compare_scenes as compare_scenes
    from openshape_ood.scene_map import SceneMap as SceneMap
    from openshape_ood.scenes import Scene as Scene
    from openshape_ood.scenes import load_scene as load_scene
    from openshape_ood.scenes.objects import score_scene as score_scene
    from openshape_ood.scenes.point_encoder import PointEncoder as PointEncoder
    from openshape_ood.scenes.proposals import find_objects as find_objects
    from openshape_ood.scenes.segmentation import segment_scene as segment_scene
    from openshape_ood.scoring import Method as Method
    from openshape_ood.shapes.reading import load_shape as load_shape
    from openshape_ood.shapes.shape import list_shapes as list_shapes
    from openshape_ood.sklearn_api import NoveltyDetector as NoveltyDetector
    from openshape_ood.sklearn_api import ShapeEmbedder as ShapeEmbedder
    from openshape_ood.views import View as View
    from openshape_ood.views import load_view as load_view

# module of each public name
_HOMES = {
    "Embeddings": "encoders.protocols",
    "Encoder": "encoders.protocols",
    "Identity": "encoders.protocols",
    "KnownClasses": "known",
    "Method": "scoring",
    "NoveltyDetector": "sklearn_api",
    "NoveltyMap": "novelty_map",
    "NoveltyPipeline": "novelty",
    "NoveltyResult": "novelty",
    "OpenShapeError": "errors",
    "PointEncoder": "scenes.point_encoder",
    "Scene": "scenes",
    "SceneChanges": "scene_changes",
    "SceneMap": "scene_map",
    "ShapeEmbedder": "sklearn_api",
    "ShapeEncoder": "encoders.shape_encoder",
    "TextEncoder": "encoders.text.encoder",
    "Threshold": "decisions.threshold",
    "View": "views",
    "calibrate_marks": "novelty_map",
    "compare_scenes": "scene_changes",
    "discover": "discovery",
    "find_objects": "scenes",
    "list_checkpoints": "registry",
    "list_shapes": "shapes.shape",
    "load_scene": "scenes",
    "load_shape": "shapes.reading",
    "load_view": "views",
    "localize": "novelty_map",
    "score_embeddings": "novelty",
    "score_novelty": "novelty",
    "score_scene": "scenes",
    "segment_scene": "scenes.segmentation",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
