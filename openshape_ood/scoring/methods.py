"""Registered methods, and the function that scores rows for all entry points."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from typing import Any, Literal, get_args

import numpy as np

from openshape_ood.checks import array, check_choice, check_directions, check_settings, unit_or_zero
from openshape_ood.errors import InputError, MixedEncodersError, UnknownNameError
from openshape_ood.known import KnownClasses
from openshape_ood.registry.extensions import use_named
from openshape_ood.scoring.example_scorers import GaussianScorer, NeighborScorer, PrototypeScorer
from openshape_ood.scoring.scorers import (
    CosineScorer,
    FusionScorer,
    Judgement,
    Scorer,
    VimScorer,
    VoteScorer,
    by_similarity,
)

Kind = Literal["names", "examples", "both"]
Needs = Literal["any", "negatives", "examples", "patches", "text and examples"]
Rows = Literal["embedding", "raw", "patches"]


@dataclass(frozen=True, eq=False)
class Method:
    """Method of scoring the novelty of rows.

    Attributes
    ----------
    name : str
        Name at every entry point.
    scorer : callable
        Function or class that makes a `Scorer`: `scorer(known, **settings)`, where `known` is a `KnownClasses`.
    needs : {"any", "negatives", "examples", "patches", "text and examples"}
        Required content of the known classes.
    rows : {"embedding", "raw", "patches"}
        Input of the scorer. "embedding": rows and examples are normalized to unit vectors. "raw": rows and examples are
        not normalized, for a method that uses norms. "patches": rows are patches (b, p, w) from the encoder.
    reference : str
        Publication.
    settings : mapping
        Arguments of `scorer`.

    Examples
    --------
    A custom method is one object, accepted at every entry point:

    >>> class Farthest:
    ...     def __init__(self, known):
    ...         self.known = known
    ...     def judge(self, rows):
    ...         cosines = rows @ self.known.anchors.T
    ...         return Judgement(1 - cosines.min(axis=1), cosines.argmax(axis=1), cosines)
    >>> Method("farthest", Farthest).needs
    'any'
    """

    name: str
    scorer: Callable[..., Scorer]
    needs: Needs = "any"
    rows: Rows = "embedding"
    reference: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice(self.needs, "needs of a method", get_args(Needs))
        check_choice(self.rows, "rows of a method", get_args(Rows))
        if not callable(self.scorer):
            raise InputError(
                f"scorer of {self.name!r} is {self.scorer!r:.60}. Expected a callable, scorer(known, **settings). "
                "Give a class or function."
            )
        takes = list(signature(self.scorer).parameters.values())[1:]  # without the known classes
        if all(one.kind != Parameter.VAR_KEYWORD for one in takes):
            check_settings(self.settings, [one.name for one in takes], f"method {self.name!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Method) or self.settings.keys() != other.settings.keys():
            return False
        plain = ("name", "scorer", "needs", "rows", "reference")
        # settings may contain arrays
        same = (np.array_equal(value, other.settings[name]) for name, value in self.settings.items())
        return all(getattr(self, name) == getattr(other, name) for name in plain) and all(same)

    def __hash__(self) -> int:
        return hash(self.name)

    def fit(self, known: KnownClasses) -> Scorer:
        """Scorer fitted to known classes."""
        return self.scorer(known, **self.settings)

    def configured(self, **settings: Any) -> Method:
        """Copy with other settings. Raises `UnknownNameError` for an unknown setting."""
        return replace(self, settings={**self.settings, **settings})


_CLIP, _SNELL, _SUN, _LEE = "arXiv 2103.00020", "arXiv 1703.05175", "arXiv 2204.06507", "arXiv 1807.03888"


def _by_cosine(name: str, formula: str, reference: str, needs: Needs = "any") -> Method:
    """Method that applies a formula of `text_scores` to cosines (b, k) and a temperature. `formula` is its name."""
    return Method(name, CosineScorer.fit, needs, reference=reference, settings={"formula": formula})


def _by_examples(name: str, scorer: Any, reference: str, rows: Rows = "embedding", **settings: Any) -> Method:
    return Method(name, scorer.fit, "examples", rows, reference, settings)


def _by_both(name: str, how: str, reference: str) -> Method:
    return Method(name, FusionScorer.fit, "text and examples", reference=reference, settings={"how": how})


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _by_cosine("max_cosine", "max_cosine", _CLIP),
        _by_cosine("mcm", "softmax_uncertainty", "arXiv 2211.13445"),
        _by_cosine("energy", "energy", "arXiv 2010.03759"),
        _by_cosine("entropy", "entropy", "arXiv 2012.06575"),
        _by_cosine("margin", "margin_uncertainty", "Scheffer et al., 2001"),
        _by_cosine("neglabel", "neglabel", "arXiv 2403.20078", "negatives"),
        _by_examples("prototype_distance", PrototypeScorer, _SNELL, metric="cosine"),
        # raw: `nearest` normalizes in blocks, without a second copy of all examples
        _by_examples("nearest_distance", NeighborScorer, "arXiv 2207.11554", "raw", metric="cosine", k=1),
        _by_examples("knn", NeighborScorer, _SUN, "raw", metric="cosine", k=5),
        _by_examples("mahalanobis", GaussianScorer, _LEE, relative=False),
        _by_examples("relative_mahalanobis", GaussianScorer, "arXiv 2106.09022", relative=True),
        _by_examples("vim", VimScorer, "arXiv 2203.10807"),
        _by_examples("prototype_euclidean", PrototypeScorer, _SNELL, "raw", metric="euclidean"),
        _by_examples("nearest_euclidean", NeighborScorer, "arXiv 2207.11554", "raw", metric="euclidean", k=1),
        _by_examples("knn_euclidean", NeighborScorer, _SUN, "raw", metric="euclidean", k=5),
        Method("vote_entropy", VoteScorer.fit, "patches", "patches", "IEEE Access 12, 2024 (3D-SeND)"),
        _by_both("rank_fusion", "ranks", "Dwork et al., 2001"),
        _by_both("p_value_fusion", "p values", "Fisher, 1925"),
    )
}

COMPARATOR = "comparator"


def _comparator(known: KnownClasses) -> Scorer:
    from openshape_ood.registry.architectures import SCORERS  # reading the registry takes time

    scorer: Scorer = SCORERS[COMPARATOR](known)
    return scorer


# raw: the loaded comparator decides whether to normalize
_REGISTERED = Method(COMPARATOR, _comparator, "examples", "raw", "arXiv 2207.08699")

# default methods. `python -m benchmarks scores` compares them; results are in docs/results/3dos.md.
# "both": if only some classes have examples, all classes are scored by their names
DEFAULTS: dict[Kind, str] = {"names": "max_cosine", "examples": "prototype_distance", "both": "energy"}

USABLE: dict[Kind, tuple[Needs, ...]] = {
    "names": ("any", "negatives"),
    "examples": ("any", "examples", "patches", "text and examples"),
    "both": ("any", "text and examples"),
}
_LACKS = {
    "names": "example shapes, known={name: shapes}. The known classes are names only",
    "examples": "names without examples, known=[name, ...]. The known classes have examples",
    "both": "examples of every class, or names only. Some of the known classes have examples and some have none",
}
_MAKES = {
    "negatives": "negative words, KnownClasses.from_names(names, text, negatives=words)",
    "examples": "example shapes, KnownClasses.from_examples(...)",
    "patches": "patches, KnownClasses.from_examples(..., patches='tokens')",
    "text and examples": "names and examples, KnownClasses.from_both(...)",
}


def method_names() -> list[str]:
    """Names that `find_method` accepts: the keys of `METHODS`, and "comparator", which not every encoder has."""
    return [*METHODS, COMPARATOR]


def find_method(method: str | Method, kind: Kind | None = None) -> Method:
    """Method of this name; a `Method` object is returned unchanged.

    Parameters
    ----------
    method : str or Method
        A key of `METHODS`, "comparator" for the registry's comparator of an encoder, or a custom `Method`.
    kind : {"names", "examples", "both"}, optional
        Kind of the known classes: by name, by example, or mixed. If given, the method must fit it.

    Raises
    ------
    InputError
        If the method does not fit this kind of classes. `UnknownNameError`: the method is unknown.

    Examples
    --------
    >>> find_method("knn", "examples").needs
    'examples'
    """
    candidate: Any = method
    if isinstance(method, str):
        use_named()
        candidate = {**METHODS, COMPARATOR: _REGISTERED}.get(method)
    if not isinstance(getattr(candidate, "name", None), str) or not all(
        hasattr(candidate, n) for n in ("needs", "rows", "fit")
    ):
        close = difflib.get_close_matches(str(method), method_names(), n=2, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else "Choose one of these."
        raise UnknownNameError(
            f"unknown method {method!r}. Expected a Method object, or one of {', '.join(method_names())}. {hint}"
        )
    if kind and candidate.needs not in USABLE[kind]:
        usable = ", ".join(name for name, other in METHODS.items() if other.needs in USABLE[kind])
        raise InputError(f"method {candidate.name!r} needs {_LACKS[kind]}. Use one of: {usable}.")
    return candidate


def kind_of(known: KnownClasses) -> Kind:
    """Kind of known classes: "names", "examples", or "both" if only some have examples."""
    if not len(known.shown):
        return "names"
    return "examples" if len(known.shown) == len(known.names) else "both"


def default_method(known: KnownClasses) -> str:
    """Default method for these classes. If they have a threshold, it is the method of the threshold."""
    provenance = known.threshold and known.threshold.provenance
    return provenance.method if provenance and provenance.method in method_names() else DEFAULTS[kind_of(known)]


def check_known(method: Method, known: KnownClasses) -> None:
    """Raise `InputError` if known classes lack data that a method needs."""
    have = {
        "any": True,
        "negatives": known.negatives is not None,
        "examples": known.examples is not None,
        "patches": known.patches is not None,
        "text and examples": known.examples is not None and known.text is not None,
    }
    if not have[method.needs]:
        raise InputError(
            f"method {method.name!r} needs known classes with {_MAKES[method.needs]}. The known classes of "
            f"{known.identity} have none. Add them, or use one of: "
            f"{', '.join(name for name, other in METHODS.items() if have[other.needs])}."
        )
    if method.needs == "patches" and known.patches is not None:
        # after `KnownClasses` were joined, some classes may have no patches; they would never get votes
        lacks = [known.names[i] for i in np.setdiff1d(known.shown, known.patches.labels)]
        if lacks:
            raise InputError(
                f"method {method.name!r} needs patches of all examples. The known classes of {known.identity} have "
                f"none of {', '.join(map(repr, lacks))}. Make each set with {_MAKES['patches']}."
            )


def fitted(method: Method, known: KnownClasses) -> Scorer:
    """Scorer of a method, fitted to these known classes. It is fitted on first use and cached in them."""
    scorers: dict[Method, Scorer] = known.__dict__.setdefault("_fitted", {})
    if method not in scorers:
        check_known(method, known)
        scorers[method] = method.fit(known.normalized() if method.rows == "embedding" else known)
    return scorers[method]


def judge(rows: np.ndarray, known: KnownClasses, method: str | Method) -> Judgement:
    """Score rows against known classes. All entry points use this function.

    Parameters
    ----------
    rows : (b, d) or (b, p, w)
        Nonzero embeddings, or patches for a patch method. Rows are normalized, unless the method has "raw" rows.
    known : KnownClasses
    method : str or Method

    Returns
    -------
    Judgement

    Raises
    ------
    InputError
        If rows are zero or not finite, or the known classes lack data for the method. `MixedEncodersError`: the rows
        have another width.
    """
    chosen = find_method(method)
    if not isinstance(known, KnownClasses):
        raise InputError(
            f"known is a {type(known).__name__}. Expected KnownClasses. Make them with KnownClasses.from_names, "
            "from_examples or from_both."
        )
    if chosen.rows != "patches":
        rows = np.asarray(rows)
        dim = known.anchors.shape[1]
        if rows.ndim != 2 or rows.shape[1] != dim:
            raise MixedEncodersError(
                f"queries have the shape {rows.shape}, but embeddings of {known.identity} have {dim} numbers. "
                f"Expected (b, {dim}) from the same encoder. Embed queries and known classes with one encoder."
            )
        check_directions(rows, "query")
    return judged_by(fitted(chosen, known), rows, chosen, len(known.names))


def judge_similarities(rows: np.ndarray, method: str | Method, temperature: float = 1.0) -> np.ndarray:
    """Novelty of rows, computed only from their similarities with the classes.

    Parameters
    ----------
    rows : (b, k) float
        Similarities from about -1 to 1. Methods other than "max_cosine" clip them to this range.
    method : str or Method
        One of `METHODS` that needs only cosines: max_cosine, mcm, energy, entropy or margin.
    temperature : float
        Divisor of the similarities. "max_cosine" ignores it.

    Returns
    -------
    (b,) float64

    Raises
    ------
    InputError
        If the method needs more than cosines, a row is invalid, or the method is constant for a single class.
    """
    chosen = find_method(method)
    formula = chosen.settings.get("formula")
    if chosen.scorer != CosineScorer.fit or chosen.needs != "any":
        usable = [name for name, one in METHODS.items() if one.scorer == CosineScorer.fit and one.needs == "any"]
        raise InputError(
            f"method {chosen.name!r} needs more than similarities. Expected a method that uses only similarities. "
            f"Use one of: {', '.join(usable)}."
        )
    given = array(rows, "similarities", "bk").astype(np.float64)
    return by_similarity(given if formula == "max_cosine" else given.clip(-1, 1), str(formula), temperature)


def judged_by(scorer: Scorer, rows: np.ndarray, method: Method, k: int) -> Judgement:
    """Judgement of rows by a fitted scorer of k classes. Rows are normalized, unless the method has "raw" rows.

    Raises `InputError` if the scorer of a custom method returns an invalid `Judgement`.
    """
    judgement = scorer.judge(unit_or_zero(rows) if method.rows == "embedding" else rows)
    if method is not METHODS.get(method.name):
        _check_judgement(judgement, method, len(rows), k)
    return judgement


def _check_judgement(judgement: Any, method: Method, b: int, k: int) -> None:
    wanted = {"novelty": ((b,), "f"), "nearest": ((b,), "iu"), "similarity": ((b, k), "f")}
    for name, (shape, kinds) in wanted.items():
        value: Any = getattr(judgement, name, None)
        fits = isinstance(value, np.ndarray) and value.shape == shape and value.dtype.kind in kinds
        if not fits or not np.isfinite(value).all() or (name == "nearest" and not ((value >= 0) & (value < k)).all()):
            raise InputError(
                f"method {method.name!r} returned {value!r:.60} as {name}. Expected a Judgement with finite novelty "
                f"({b},), nearest ({b},) from 0 to {k - 1} and similarity ({b}, {k}). Correct its scorer."
            )
