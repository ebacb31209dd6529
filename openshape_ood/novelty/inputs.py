"""What is asked of `score_novelty`: shapes and known classes in all forms that it takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import unit_or_zero
from openshape_ood.encoders.loading import text_of
from openshape_ood.encoders.protocols import Embeddings, NamesEncoder
from openshape_ood.errors import ClassNamesError, InputError
from openshape_ood.known import KnownClasses, check_examples, check_names, check_patches
from openshape_ood.novelty.result import Failure
from openshape_ood.novelty.up_axis import UpAxis, with_axis
from openshape_ood.scoring import Judgement, Method, judge
from openshape_ood.scoring.methods import Kind, kind_of
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.batch import errors_of
from openshape_ood.shapes.points import check_up
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

PLAIN = CloudSpec(count=10_000, up="y", color=0.4)  # how shapes are tried for an encoder that does not say
AUTO = "auto"
PATCH_STAGE = "tokens"  # of methods that judge patches, unless the known classes hold those of another
SAME = 1e-10  # 1 - cosine of what is one content, on two machines; two scans of an object are a million times as far

WHY = (
    "examples are hardly novel to themselves, or not at all, so that the threshold would be too low, with neighbors 0, "
    "and known shapes would be novel. Calibrate on other known shapes, or leave these out of the examples"
)


@dataclass(frozen=True)
class Queries:
    """The shapes asked about, or their embeddings where these are ready."""

    names: tuple[str, ...]
    ups: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    ready: Embeddings | None = None
    failures: tuple[Failure, ...] = ()

    @classmethod
    def of(cls, shapes: Any, up: str | Sequence[str], errors: str = "raise") -> Queries:
        if isinstance(shapes, Embeddings):
            return cls(tuple(shapes.names) or tuple(f"row {i}" for i in range(len(shapes.vectors))), ready=shapes)
        listed = list_shapes(shapes)
        names = tuple(shape.path or shape.name for shape in listed)
        later = errors == "skip" or (isinstance(up, str) and up == AUTO)
        return cls(names, () if later else tuple(resolve_ups(up, listed)), tuple(listed))

    def usable(self, up: str | Sequence[str], seed: int, encoder: Any) -> Queries:
        """Those that can be read, once they have been; the others are failures."""
        if self.ready is not None:
            return self
        if not isinstance(up, str) and len(up) != len(self.shapes):
            resolve_ups(up, self.shapes)  # which says so
        errors = errors_of(self.shapes, seed=seed, frame=getattr(encoder, "spec", PLAIN))
        kept = [i for i, error in enumerate(errors) if error is None]
        shapes = tuple(self.shapes[i] for i in kept)
        own = up if isinstance(up, str) else [list(up)[i] for i in kept]
        ups = () if own == AUTO else tuple(resolve_ups(own, shapes))
        pairs = zip(self.names, errors, strict=True)
        return replace(
            self,
            names=tuple(self.names[i] for i in kept),
            ups=ups,
            shapes=shapes,
            failures=tuple(Failure(name, error) for name, error in pairs if error is not None),
        )

    def under(self, axis: str) -> Queries:
        """The same with this axis for all that state none."""
        return replace(self, ups=tuple(shape.stated_up() or axis for shape in self.shapes))

    def with_axis(
        self, known: KnownClasses, encoder: Any, settings: Mapping[str, Any], text: NamesEncoder | None
    ) -> tuple[Queries, UpAxis | None]:
        """The same with the axis found, and embedded under it."""
        found, ups, rows = with_axis(self.shapes, known, encoder, settings, text)
        return replace(self, ups=tuple(ups), ready=Embeddings(rows, encoder.identity, self.names)), found

    def judged(
        self, method: Method, known: KnownClasses, encoder: Any, settings: Mapping[str, Any]
    ) -> tuple[Judgement, Embeddings]:
        values, ups = [shape.value for shape in self.shapes], list(self.ups)
        embeddings = self.ready
        if embeddings is None and not values:
            embeddings = Embeddings(np.empty((0, known.dim)), encoder.identity)
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


def how_known(known: Any) -> Kind:
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


def example_axis(up: str | Sequence[str], known_up: str | None) -> str:
    if known_up is not None:
        return known_up if known_up == "file" else check_up(known_up, "known_up")
    if isinstance(up, str) and up == AUTO:
        return "file"
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
    """Known classes in any form that `score_novelty` takes, with what a method needs; `up` is that of examples."""
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


def check_files_apart(calibration: Iterable[Any], known: Any) -> None:
    """Raises `InputError` where paths to calibrate on are those of examples, in a mapping of names to shapes."""
    values = known.values() if isinstance(known, Mapping) else ()
    examples = {path for value in values for path in _paths(value)}
    shared = sorted(examples.intersection(_paths(list(calibration))))
    if shared:
        raise InputError(f"{len(shared)} of the calibration files are examples too ({_some(shared)}): {WHY}")


def check_content_apart(vectors: np.ndarray, names: Sequence[str], known: KnownClasses) -> None:
    """Raises `InputError` where embeddings (n, d) to calibrate on are those of examples; names (n,) for the message."""
    if known.examples is None or not len(vectors):
        return
    distance = nearest(unit_or_zero(vectors), unit_or_zero(known.examples), k=1, metric="cosine")[0][:, 0]
    shared = [name for name, same in zip(names, distance < SAME, strict=True) if same]
    if shared:
        raise InputError(
            f"{len(shared)} of the {len(vectors)} calibration shapes are the same as examples ({_some(shared)}): {WHY}"
        )


def _paths(value: Any) -> set[str]:
    items = value if isinstance(value, list | tuple) else [value]
    return {os.path.realpath(item) for item in items if isinstance(item, str | os.PathLike)}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ", …" * (len(names) > 3)
