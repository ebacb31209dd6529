"""score_novelty: shapes and known classes in, one novelty a shape out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood import __version__
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.loading import load_encoder, text_of
from openshape_ood.encoders.protocols import Embeddings, Encoder, NamesEncoder, Provenance, check_encoders
from openshape_ood.errors import ClassNamesError, InputError
from openshape_ood.known import KnownClasses, check_examples, check_names, check_patches
from openshape_ood.scoring import DEFAULTS, Judgement, Method, find_method, judge
from openshape_ood.scoring.methods import Kind, check_known, kind_of
from openshape_ood.scoring.words import negative_words
from openshape_ood.shapes.points import check_up
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

PATCH_STAGE = "tokens"  # of methods that judge patches, unless the known classes hold those of another


@dataclass(frozen=True, eq=False)
class NoveltyResult:
    """What `score_novelty` found for b shapes and k classes; `np.asarray(result)` is its novelty.

    Attributes
    ----------
    novelty : (b,) float64
        Larger is more novel.
    nearest : (b,) str
        The class found nearest.
    similarity : (b, k) float64
        Cosine with each class.
    classes : (k,) str
    shapes : tuple of b str
        A name each.
    up : tuple of b str
        The gravity axis each was read with; empty for ready embeddings.
    provenance : Provenance
        What produced it.
    threshold : Threshold, optional
        What `is_novel` compares with.
    embeddings : Embeddings, optional
        Of the shapes, for a second method that costs nothing.
    """

    novelty: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray
    classes: np.ndarray
    shapes: tuple[str, ...]
    up: tuple[str, ...]
    provenance: Provenance
    threshold: Threshold | None = None
    embeddings: Embeddings | None = None

    @property
    def is_novel(self) -> np.ndarray:
        """Which shapes (b,) are new. Raises `InputError` without a threshold."""
        return self._decided().is_novel(self.novelty)

    @property
    def p_values(self) -> np.ndarray:
        """Conformal p-values (b,), small for novel. Raises `InputError` without a threshold that has scores."""
        return self._decided().p_values(self.novelty)

    def _decided(self) -> Threshold:
        if self.threshold is None:
            raise InputError(
                "there is no threshold to tell known from novel by; give score_novelty(..., threshold=...), made by "
                "Threshold.from_novelty of known shapes that were not among the examples"
            )
        return self.threshold

    def as_json(self) -> dict[str, Any]:
        """Everything as texts and numbers: provenance, classes, threshold, and a record for each of the shapes.

        A record has shape, up, nearest, similarity (with the nearest), novelty, similarities (class -> cosine), and
        p_value and verdict, "known" or "novel", which are None where there is no threshold, or none with scores.
        """
        n, names = len(self), self.classes.tolist()
        verdict = ["novel" if new else "known" for new in self.is_novel] if self.threshold else [None] * n
        p_value = self.p_values.tolist() if self.threshold and self.threshold.n else [None] * n
        columns = {"shape": self.shapes, "up": self.up or [None] * n, "nearest": self.nearest.tolist()}
        columns |= {"novelty": self.novelty.tolist(), "p_value": p_value, "verdict": verdict}
        columns["similarities"] = [dict(zip(names, cosines, strict=True)) for cosines in self.similarity.tolist()]
        records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for record in records:
            record["similarity"] = record["similarities"][record["nearest"]]
        threshold = self.threshold and self.threshold.as_json()
        return {"provenance": self.provenance.as_json(), "classes": names, "threshold": threshold, "shapes": records}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.novelty, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.novelty)

    def __str__(self) -> str:
        columns = [
            ["shape", *self.shapes],
            ["nearest", *map(str, self.nearest)],
            ["novelty", *(f"{value:.3f}" for value in self.novelty)],
        ]
        if self.threshold is not None:
            columns.append(["", *("novel" if novel else "known" for novel in self.is_novel)])
        widths = [max(map(len, column)) for column in columns]
        columns[2] = [f"{cell:>{widths[2]}}" for cell in columns[2]]
        return "\n".join(
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in zip(*columns, strict=True)
        )


def score_novelty(
    shapes: Any,
    known: Sequence[str] | Mapping[str, Any] | KnownClasses,
    *,
    encoder: Encoder | None = None,
    text: NamesEncoder | None = None,
    model: str = "vitb32",
    method: str | Method | None = None,
    threshold: Threshold | None = None,
    up: str | Sequence[str] = "file",
    known_up: str | None = None,
    device: Any = None,
    seed: int = 0,
    num_samples: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> NoveltyResult:
    """How novel each shape is against the known classes.

    Parameters
    ----------
    shapes : shapes or Embeddings
        Whatever `ShapeEncoder.encode` takes, or ready `Embeddings` (b, d) with their identity, as `result.embeddings`.
    known : sequence of k str, mapping or KnownClasses
        Names, or name -> example shapes or ready embeddings (m, d), None for a class of which there is only the name.
    encoder : Encoder, optional
        Goes before `model`; give it when there is more than one call, for `model` is loaded each time.
    text : NamesEncoder, optional
        For names; otherwise the text encoder that the shape encoder was aligned with.
    model : str
        A checkpoint of the registry.
    method : str or Method, optional
        A key of `openshape_ood.scoring.METHODS`, or a `Method` of one's own; None takes the one of `scoring.DEFAULTS`
        for names, for examples or for both.
    threshold : Threshold, optional
        Answers `result.is_novel`; it must come from the same encoder and method.
    up, known_up : str
        Gravity axis of the shapes and of the example shapes: "y", "z" or "x" with an optional "-", or "file", which
        asks each file, else y. For the shapes also one each. `known_up` is the same as `up` unless given.
    device : optional
        Of the models that are loaded here.
    seed, num_samples, batch_size, progress
        As `ShapeEncoder.encode` takes them.

    Returns
    -------
    NoveltyResult

    Raises
    ------
    InputError
        For values that cannot be used, each saying what would.
    FileError
        For files.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> shapes = [sample("chair", 2048, seed=1), sample("guitar", 2048, seed=1)]
    >>> result = score_novelty(shapes, known=["chair", "sofa", "table"], model="tiny")
    >>> print(result)
    shape    nearest  novelty
    shape 0  chair      0.637
    shape 1  sofa       1.032
    >>> score_novelty(result.embeddings, known=["chair", "sofa", "table"], model="tiny", method="energy").nearest[0]
    np.str_('chair')
    """
    queries = _Queries.of(shapes, up)
    kind = _how_known(known)
    method = DEFAULTS[kind] if method is None else method
    # known classes with names and examples of every class can be asked anything that they hold
    anything = isinstance(known, KnownClasses) and kind == "examples" and known.text is not None
    found = find_method(method, None if anything else kind)
    if found.rows == "patches" and (queries.ready is not None or num_samples != 1):
        given = "these are embeddings" if queries.ready is not None else f"num_samples is {num_samples}"
        raise InputError(f"method {found.name!r} judges patches of one sampling, {given}. Give shapes, num_samples=1")
    if known_up is not None and isinstance(known, KnownClasses):
        raise InputError("known_up is for example shapes; these were read when they were encoded. Leave known_up out")
    examples_up = _known_up(up, known_up) if isinstance(known, Mapping) else "file"
    check_encoders(encoder, text)
    if threshold is not None and not isinstance(threshold, Threshold):
        raise InputError(f"threshold is {threshold!r}; expected a Threshold: Threshold(0.5), or Threshold.from_novelty")
    if encoder is None and not (isinstance(known, KnownClasses) and queries.ready is not None):
        ready = [] if queries.ready is None else [queries.ready.identity]
        held = [known.identity] if isinstance(known, KnownClasses) else []
        encoder = load_encoder(model, device, *held, *ready)
    whose: Any = encoder if queries.ready is None else queries.ready
    identity = whose.identity
    asked = "" if queries.ready is not None else up if isinstance(up, str) else ", ".join(dict.fromkeys(up))
    provenance = Provenance(identity, found.name, asked, seed, num_samples, __version__)
    if threshold is not None:
        threshold.check_fits(provenance)
    settings = {"seed": seed, "num_samples": num_samples, "batch_size": batch_size, "progress": progress}
    gathered = known_classes(known, found, encoder, text=text, up=examples_up, device=device, **settings)
    gathered.identity.check_fits(identity)
    check_known(found, gathered)
    judgement, embeddings = queries.judged(found, gathered, encoder, settings)
    names = np.array(gathered.names)
    return NoveltyResult(
        novelty=judgement.novelty,
        nearest=names[judgement.nearest],
        similarity=judgement.similarity,
        classes=names,
        shapes=queries.names,
        up=queries.ups,
        provenance=provenance,
        threshold=threshold,
        embeddings=embeddings,
    )


@dataclass(frozen=True)
class _Queries:
    """The shapes asked about, or their embeddings where these are ready."""

    names: tuple[str, ...]
    ups: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    ready: Embeddings | None = None

    @classmethod
    def of(cls, shapes: Any, up: str | Sequence[str]) -> _Queries:
        if isinstance(shapes, Embeddings):
            return cls(tuple(shapes.names) or tuple(f"row {i}" for i in range(len(shapes.vectors))), ready=shapes)
        listed = list_shapes(shapes)
        return cls(tuple(s.path or s.name for s in listed), tuple(resolve_ups(up, listed)), tuple(listed))

    def judged(
        self, method: Method, known: KnownClasses, encoder: Any, settings: Mapping[str, Any]
    ) -> tuple[Judgement, Embeddings]:
        values, ups = [shape.value for shape in self.shapes], list(self.ups)
        embeddings = self.ready
        if embeddings is None:
            embeddings = Embeddings(encoder.encode(values, up=ups, **settings), encoder.identity, self.names)
        if method.rows == "embedding":
            return judge(embeddings.vectors, known, method), embeddings
        check_patches(encoder)
        stage = known.patches.stage if known.patches is not None else PATCH_STAGE
        passed = {key: settings[key] for key in ("batch_size", "seed")}
        features = encoder.encode_patches(values, up=ups, stage=stage, **passed).features
        similarity = judge(embeddings.vectors, known, "max_cosine").similarity
        return replace(judge(features, known, method), similarity=similarity), embeddings


def _how_known(known: Any) -> Kind:
    """By name, by example, or some this way and some that; checks the names on the way, before any model loads."""
    if isinstance(known, KnownClasses):
        return kind_of(known)
    if isinstance(known, Mapping):
        with_examples = {name: value for name, value in known.items() if value is not None}
        if with_examples:
            check_examples(with_examples)
        check_names(list(known))
        if not with_examples:
            return "names"
        return "examples" if len(with_examples) == len(known) else "both"
    if isinstance(known, Sequence) and any(isinstance(item, Mapping) for item in known):
        raise InputError(
            "known mixes names and examples in a list; give one mapping, with None for a class of which there is only "
            'the name: {"chair": shapes, "sofa": None}'
        )
    if not isinstance(known, Sequence | np.ndarray):  # a set has no order for the classes to follow
        raise ClassNamesError(
            f"known is {type(known).__name__}; expected a list of names, known=list(...), or a mapping from names to "
            "examples"
        )
    check_names(known)
    return "names"


def _known_up(up: str | Sequence[str], known_up: str | None) -> str:
    if known_up is not None:
        return known_up if known_up == "file" else check_up(known_up, "known_up")
    if not isinstance(up, str):
        raise InputError("up is given a shape each; say with known_up which axis the example shapes have")
    return up


def known_classes(
    known: Any,
    method: Method,
    encoder: Any,
    *,
    text: NamesEncoder | None = None,
    up: str = "file",
    device: Any = None,
    **settings: Any,
) -> KnownClasses:
    """Known classes in any form that `score_novelty` takes, with what a method needs of them.

    Parameters
    ----------
    known : sequence of k str, mapping or KnownClasses
    method : Method
    encoder : Encoder, optional
        None only for `KnownClasses`.
    text, up, device, **settings
        As in `score_novelty`; `up` is that of the example shapes.
    """
    temperature = None if encoder is None else encoder.temperature
    if isinstance(known, KnownClasses):
        return known.with_temperature(temperature)
    examples = {name: value for name, value in known.items() if value is not None} if isinstance(known, Mapping) else {}
    if len(examples) == len(known) and method.needs != "text and examples":
        patches = PATCH_STAGE if method.needs == "patches" else None
        return KnownClasses.from_examples(examples, encoder, up=up, patches=patches, **settings)
    names = check_names(list(known))
    text = text or text_of(encoder, device)
    if examples:
        return KnownClasses.from_both(names, examples, encoder, text, up=up, **settings)
    others = [word for word in negative_words() if word not in names] if method.needs == "negatives" else []
    return KnownClasses.from_names(names, text, negatives=others, temperature=temperature)
