"""How novel shapes are: score_novelty, its result, and the axis that a set of shapes has up."""

from openshape_ood.novelty.result import Failure as Failure
from openshape_ood.novelty.result import NoveltyResult as NoveltyResult
from openshape_ood.novelty.score import score_embeddings as score_embeddings
from openshape_ood.novelty.score import score_novelty as score_novelty
from openshape_ood.novelty.up_axis import UpAxis as UpAxis
from openshape_ood.novelty.up_axis import find_up as find_up

__all__ = ["Failure", "NoveltyResult", "UpAxis", "find_up", "score_embeddings", "score_novelty"]
