"""Which shapes a method is most confidently wrong about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.report.pictures.canvas import first_seed, limit
from benchmarks.threedos.objects import Shape
from benchmarks.threedos.results import Finished, MethodResult

COUNT = 12


@dataclass(frozen=True, eq=False)
class Failure:
    """A tested shape, what a method said of it under the first seed, and the known sample it lies nearest to.

    part, index: where it stands in the run, "known", "novel1" or "novel2"; nearest_index, among the support.
    cosine: of its embedding with the sample's. threshold: that of the first seed, the novelty up to which a shape is
    accepted as known.
    """

    part: str
    index: int
    shape: Shape
    novelty: float
    taken_for: str
    nearest_index: int
    nearest: Shape
    cosine: float
    threshold: float

    @property
    def title(self) -> str:
        return self.shape.title

    @property
    def accepted(self) -> bool:
        """Whether it is taken as known at all."""
        return self.novelty <= self.threshold


def worst(finished: Finished, method: MethodResult, count: int = COUNT) -> list[Failure]:
    """The novel shapes most confidently taken as known: the least novel first, ties in the order of the data."""
    return _chosen(finished, method, ("novel1", "novel2"), 1, count)


def missed(finished: Finished, method: MethodResult, count: int = COUNT) -> list[Failure]:
    """The known shapes most confidently called novel: the most novel first, ties in the order of the data."""
    return _chosen(finished, method, ("known",), -1, count)


def _chosen(
    finished: Finished, method: MethodResult, parts: Iterable[str], direction: int, count: int
) -> list[Failure]:
    scored = first_seed(method)
    places = [(part, i) for part in parts if part in scored for i in range(len(scored[part].novelty))]
    novelty = np.array([scored[part].novelty[i] for part, i in places])
    order = np.argsort(direction * novelty, kind="stable")[:count]
    return [_failure(finished, method, *places[at]) for at in order.tolist()]


def _failure(finished: Finished, method: MethodResult, part: str, index: int) -> Failure:
    one = method.scored[0][part]
    near = int(one.example[index])
    threshold = limit(method)
    return Failure(
        part=part,
        index=index,
        shape=finished.data.sets[part].shapes[index],
        novelty=float(one.novelty[index]),
        taken_for=finished.data.known[int(one.nearest[index])].title,
        nearest_index=near,
        nearest=finished.data.support.shapes[near],
        cosine=_cosine(finished.embeddings[part][index], finished.embeddings["support"][near]),
        # without any known shape there is nothing to accept by
        threshold=threshold[0] if threshold else float("-inf"),
    )


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
