"""Families of comparators: similarities of two embeddings, learned from base classes.

All implement `Similarity`. Their state is arrays and numbers, which a file can store.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from openshape_ood.checks import BLOCK_ELEMENTS, array, check_positive, check_share, check_whole, unit_or_zero
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.comparison.pairs import PairSampler
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.scoring.distances import class_means
from openshape_ood.scoring.fitted import Gaussian
from openshape_ood.scoring.scorers import cosine


@dataclass(frozen=True, eq=False)
class Similarity(ABC):
    """Base class of the families. The dataclass fields are the state.

    `raw` is True if embeddings must not be normalized.
    """

    family: ClassVar[str]
    raw = False

    @property
    def dim(self) -> int | None:
        """Width d of the embeddings, None for any."""
        return len(self.center) if hasattr(self, "center") else None

    @abstractmethod
    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Similarities (n, m) float64 of a (n, d) and b (m, d), symmetric in a and b."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """State as numbers and arrays, from which `restored` makes the similarity."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        return {name: value for name, value in values.items() if name not in arrays}, arrays


@dataclass(frozen=True, eq=False)
class Cosine(Similarity):
    """Cosine similarity. It learns nothing and is the baseline for all families."""

    family: ClassVar[str] = "cosine"

    @classmethod
    def fit(cls, base: KnownClasses) -> Cosine:
        return cls()

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return cosine(unit_or_zero(a), unit_or_zero(b))


@dataclass(frozen=True, eq=False)
class WhitenedCosine(Similarity):
    """Cosine after whitening, which reduces the directions of variation within a class.

    State: the mean `center` (d,) of unit rows, and `whitening` (d, d), a square root of the inverse covariance within
    the base classes.
    """

    family: ClassVar[str] = "whitened"
    center: np.ndarray
    whitening: np.ndarray

    @classmethod
    def fit(cls, base: KnownClasses, shrinkage: float = 0.3) -> WhitenedCosine:
        """Fit to base classes.

        The covariance is shrunk toward a multiple of the identity. `shrinkage`, from 0 to 1, is the weight of this
        multiple.
        """
        rows, labels = _unit_rows(base)
        gaussian = Gaussian.fit(rows, labels, background=False, share=shrinkage)
        # float32, like embeddings, so that files are half as large
        return cls(rows.mean(axis=0), np.linalg.cholesky(gaussian.precision).astype(np.float32))

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = (unit_or_zero((unit_or_zero(rows) - self.center) @ self.whitening) for rows in (a, b))
        return cosine(a, b)


@dataclass(frozen=True, eq=False)
class Plda(Similarity):
    """Log likelihood ratio of two hypotheses: both rows are from one class, or from two classes.

    The rows of a class, and the class means, are assumed to be normally distributed.

    State: `center` (d,), `axes` (d, d), which whiten the covariance within a class, and `spread` (d,), the variance of
    the class means along each axis.

    References
    ----------
    Ioffe, "Probabilistic linear discriminant analysis", 2006; Prince and Elder, 2007.
    """

    family: ClassVar[str] = "plda"
    center: np.ndarray
    axes: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, base: KnownClasses, shrinkage: float = 0.3, between_shrinkage: float = 0.5) -> Plda:
        """Fit to base classes.

        `shrinkage` is as in `WhitenedCosine`. `between_shrinkage` is the same weight for the variance of class means.
        """
        rows, labels = _unit_rows(base)
        check_share(between_shrinkage, "between_shrinkage")
        if len(base.names) < 2:
            raise InputError(
                "there is one base class. Expected two or more, because PLDA learns the spread of class means. "
                "Add base classes."
            )
        precision = Gaussian.fit(rows, labels, background=False, share=shrinkage).precision
        white, center = np.linalg.cholesky(precision), rows.mean(axis=0)
        means = (class_means(rows, labels, len(base.names)) - center) @ white
        spread, directions = np.linalg.eigh(means.T @ means / (len(means) - 1))
        spread = np.maximum(spread - (1 / np.bincount(labels)).mean(), 0)  # minus the sampling variance of the means
        spread = (1 - between_shrinkage) * spread + between_shrinkage * spread.mean()
        return cls(center, white @ directions, spread)

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = ((unit_or_zero(rows) - self.center) @ self.axes for rows in (a, b))
        total, joint = self.spread + 1, 2 * self.spread + 1
        square = (1 / total - total / joint) / 2
        constant = np.log(total**2 / joint).sum() / 2
        return (a * (self.spread / joint)) @ b.T + (a**2 @ square)[:, None] + (b**2 @ square) + constant


@dataclass(frozen=True, eq=False)
class PairMetric(Similarity):
    """Logistic regression on the elementwise differences |a - b| and products a b.

    Rows are centered by `center` (d,) and multiplied by sqrt(d). `apart` and `product` (d,) are the weights of |a - b|
    and a b, and `constant` is the bias.
    """

    family: ClassVar[str] = "metric"
    center: np.ndarray
    apart: np.ndarray
    product: np.ndarray
    constant: float

    @classmethod
    def fit(cls, base: KnownClasses, pairs: int = 20_000, strength: float = 0.01, seed: int = 0) -> PairMetric:
        """Fit to base classes.

        `pairs` is the number of sampled pairs; half of them are of one class. `strength` is the parameter C of
        `LogisticRegression`.
        """
        from sklearn.linear_model import LogisticRegression

        rows, labels = _unit_rows(base)
        check_whole(pairs, "pairs", 2)
        check_positive(strength, "strength")
        center, scale = rows.mean(axis=0), np.sqrt(rows.shape[1])
        first, second, different = PairSampler(labels, negatives=1, seed=seed).draw(pairs // 2, step=0)
        a, b = ((rows[i] - center) * scale for i in (first, second))
        model = LogisticRegression(C=strength, max_iter=500).fit(np.hstack([np.abs(a - b), a * b]), ~different)
        apart, product = np.split(model.coef_[0], 2)
        return cls(center, apart, product, float(model.intercept_[0]))

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = ((unit_or_zero(rows) - self.center) * np.sqrt(len(self.center)) for rows in (a, b))
        apart = np.empty((len(a), len(b)))
        for some in row_blocks(len(a), b.size):
            apart[some] = np.abs(a[some, None] - b) @ self.apart
        return apart + (a * self.product) @ b.T + self.constant


@dataclass(frozen=True, eq=False)
class RelationSimilarity(Similarity):
    """Minus the logit of a relation network.

    Rows are normalized to unit length, and `center` (d,) is subtracted. If there is a `whitening` (d, d), rows are
    multiplied by it and normalized again, as in `WhitenedCosine`. Finally, rows are multiplied by sqrt(d). If `raw` is
    True, as for the published network, rows are not changed.
    """

    family: ClassVar[str] = "relation"
    network: Relation
    center: np.ndarray
    whitening: np.ndarray | None = None
    raw: bool = False

    @property
    def dim(self) -> int | None:
        return self.network.sizes.dim

    def prepared(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n, d) as input of the network, float32."""
        if self.raw:
            return rows.astype(np.float32)
        white = unit_or_zero(rows) - self.center
        if self.whitening is not None:
            white = unit_or_zero(white @ self.whitening)
        return (white * np.sqrt(len(self.center))).astype(np.float32)

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.network.between(self.prepared(a), self.prepared(b)).double().numpy()

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        weights = {f"network.{name}": one.detach().cpu().numpy() for name, one in self.network.state_dict().items()}
        whitening = {} if self.whitening is None else {"whitening": self.whitening}
        settings = {"raw": self.raw, "sizes": asdict(self.network.sizes)}
        return settings, {"center": self.center, **whitening, **weights}


LEARNED: dict[str, Any] = {one.family: one for one in (Cosine, WhitenedCosine, Plda, PairMetric)}
FAMILIES = (*LEARNED, RelationSimilarity.family)


def restored(family: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Similarity:
    """Similarity with a saved state. Raises `ValueError` or an `OpenShapeError` for an invalid state."""
    if family not in FAMILIES:
        raise ValueError(f"its family is {family!r:.40}; known: {', '.join(FAMILIES)}")
    for name, value in arrays.items():
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            raise ValueError(f"{name} are {value.dtype}; expected finite numbers")
    if family == RelationSimilarity.family:
        return _restored_relation(settings, arrays)
    d, made = len(arrays.get("center", ())), LEARNED[family]
    names = [f.name for f in fields(made) if f.type == "np.ndarray"]
    shapes = {name: (d, d) if name in ("whitening", "axes") else (d,) for name in names}
    if {name: value.shape for name, value in arrays.items()} != shapes:
        raise ValueError(f"the arrays of {family!r} have wrong shapes, or some are missing or unknown")
    return made(**arrays, **{name: float(value) for name, value in settings.items()})


def _restored_relation(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> RelationSimilarity:
    import torch

    from openshape_ood.registry.weights import faults

    sizes = RelationSizes(**settings["sizes"])
    with torch.device("meta"):
        network = Relation(sizes)
    prefix = "network."
    weights = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    center, whitening = array(arrays["center"], "center", "d"), arrays.get("whitening")
    if extra := sorted(name for name in arrays.keys() - {"center", "whitening"} if not name.startswith(prefix)):
        raise ValueError(f"it has an unknown array: {extra[0]!r:.40}")
    if whitening is not None and whitening.shape != (len(center), len(center)):
        raise ValueError(f"its whitening has the shape {whitening.shape}; expected {len(center)} by {len(center)}")
    expected = {name: tuple(one.shape) for name, one in network.state_dict().items()}
    differences = faults(expected, {name: value.shape for name, value in weights.items()})
    if differences or len(center) != sizes.dim:
        raise ValueError(differences or f"its center has {len(center)} numbers for embeddings of {sizes.dim}")
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, assign=True)
    return RelationSimilarity(network.float().eval().requires_grad_(False), center, whitening, bool(settings["raw"]))


def row_blocks(n: int, elements: int) -> Iterator[slice]:
    """Slices that split n rows into blocks of bounded memory. `elements` is the number of values per row."""
    step = max(1, BLOCK_ELEMENTS // max(1, elements))
    yield from (slice(start, start + step) for start in range(0, n, step))


def _unit_rows(base: KnownClasses) -> tuple[np.ndarray, np.ndarray]:
    examples, labels = base.labeled_examples()
    return unit_or_zero(examples), labels
