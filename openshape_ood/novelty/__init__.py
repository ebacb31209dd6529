"""Novelty of shapes: pipelines, score_novelty, its result, and the up axis of a set of shapes."""

from openshape_ood.novelty.embeddings import score_embeddings
from openshape_ood.novelty.labels import LabelSample
from openshape_ood.novelty.pipeline import NoveltyPipeline
from openshape_ood.novelty.result import Failure, NoveltyResult
from openshape_ood.novelty.score import score_novelty
from openshape_ood.novelty.up_axis import UpAxis, find_up

__all__ = [
    "Failure",
    "LabelSample",
    "NoveltyPipeline",
    "NoveltyResult",
    "UpAxis",
    "find_up",
    "score_embeddings",
    "score_novelty",
]
