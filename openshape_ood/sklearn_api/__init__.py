"""scikit-learn estimators."""

from openshape_ood.sklearn_api.detector import NoveltyDetector
from openshape_ood.sklearn_api.embedder import ShapeEmbedder

__all__ = ["NoveltyDetector", "ShapeEmbedder"]
