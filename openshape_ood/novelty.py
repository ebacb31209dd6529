"""score_novelty: shapes and known classes in, one novelty a shape out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from openshape_ood.encoders.protocols import Encoder, Identity, NamesEncoder
from openshape_ood.errors import ClassNamesError, InputError
from openshape_ood.known import Known, check_examples, check_names
from openshape_ood.registry.rows import find_checkpoint
from openshape_ood.scoring import DEFAULTS, Score, cosine, find_score
from openshape_ood.scoring.table import check_bank
from openshape_ood.scoring.words import negative_words
from openshape_ood.shapes.points import check_up
from openshape_ood.shapes.shape import list_shapes, resolve_ups


@dataclass(frozen=True, eq=False)
class NoveltyResult:
    """What `score_novelty` found for b shapes and k classes; `np.asarray(result)` is its novelty.

    novelty (b,) grows with novelty; nearest (b,) str: the class found nearest; similarity (b, k): cosine
    with each class; classes (k,) str; shapes: a name each; up: the gravity axis each was read with;
    method, encoder and checkpoint_hash: what produced it.
    """

    novelty: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray
    classes: np.ndarray
    shapes: tuple[str, ...]
    up: tuple[str, ...]
    method: str
    encoder: str
    checkpoint_hash: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.novelty, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.novelty)

    def __str__(self) -> str:
        width = max(len("shape"), *(len(shape) for shape in self.shapes))
        column = max(len("nearest"), *(len(name) for name in self.nearest))
        head = f"{'shape':{width}}  {'nearest':{column}}  novelty"
        rows = (
            f"{shape:{width}}  {nearest:{column}}  {novelty:7.3f}"
            for shape, nearest, novelty in zip(self.shapes, self.nearest, self.novelty, strict=True)
        )
        return "\n".join([head, *rows])


def score_novelty(
    shapes: Any,
    known: Sequence[str] | Mapping[str, Any] | Known,
    *,
    encoder: Encoder | None = None,
    text: NamesEncoder | None = None,
    model: str = "vitb32",
    method: str | None = None,
    up: str | Sequence[str] = "y",
    known_up: str | None = None,
    device: Any = None,
    batch_size: int = 32,
    seed: int = 0,
    num_samples: int = 1,
    progress: bool = False,
) -> NoveltyResult:
    """How novel each shape is against the known classes.

    shapes: whatever `ShapeEncoder.encode` takes. known: names, or name -> example shapes or ready
    embeddings (m, d), None for a class of which there is only the name, or a `Known` bank. The encoder is
    `encoder`, or the checkpoint called `model`; names go through `text`, or the tower that encoder was aligned
    with. method: a key of `openshape_ood.scoring.SCORES`; None takes the one of `scores.DEFAULTS` for names, for
    examples or for both. num_samples: embeddings a shape, averaged. up: gravity axis of the shapes, "y", "z", "x" with
    an optional "-", or "file"; known_up: that of the example shapes, the same unless given. `encoder` goes before
    `model`; give it when there is more than one call, for `model` is loaded each time.

    Raises `InputError` for values that cannot be used and `FileError` for files, each saying what would.

    >>> from openshape_ood.synthetic import sample
    >>> shapes = [sample("chair", 2048, seed=1), sample("guitar", 2048, seed=1)]
    >>> print(score_novelty(shapes, known=["chair", "sofa", "table"], model="tiny"))
    shape    nearest  novelty
    shape 0  chair      0.637
    shape 1  sofa       1.032
    """
    listed = list_shapes(shapes)
    ups = resolve_ups(up, listed)
    kind = _how_known(known)
    method = DEFAULTS[kind] if method is None else method
    # a bank of names and examples of every class can be asked anything that it holds
    anything = isinstance(known, Known) and kind == "examples" and known.text.size > 0
    score = find_score(method, None if anything else kind)
    if score.needs == "patches" and num_samples != 1:
        raise InputError(
            f"num_samples is {num_samples}; method {method!r} takes the patches of one view. Leave num_samples out"
        )
    known_up = _known_up(up, known_up, known)
    if isinstance(encoder, str) or isinstance(text, str):
        raise InputError("encoder and text are objects, not names; give the name of a checkpoint as model=")
    encoder = encoder or _encoder(model, device, known)
    settings: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "progress": progress}
    if num_samples != 1:
        settings["num_samples"] = num_samples
    bank = _bank(known, score, encoder, text, known_up, device, settings)
    bank.check_fits(encoder.identity)
    check_bank(score, method, bank)
    values = [shape.value for shape in listed]
    embeddings = encoder.encode(values, up=ups, **settings)
    queries = _patches(encoder, values, ups, settings) if score.needs == "patches" else embeddings
    names = np.array(bank.names)
    return NoveltyResult(
        novelty=score.novelty(queries, bank),
        nearest=names[score.nearest(queries, bank)],
        similarity=cosine(embeddings, bank),
        classes=names,
        shapes=tuple(shape.path or shape.name for shape in listed),
        up=tuple(ups),
        method=method,
        encoder=encoder.identity.checkpoint,
        checkpoint_hash=encoder.identity.sha256,
    )


def _how_known(known: Any) -> Literal["names", "examples", "both"]:
    """By name, by example, or some this way and some that; checks the names on the way, before any model loads."""
    if isinstance(known, Known):
        if not len(known.examples):
            return "names"
        return "examples" if len(np.unique(known.labels)) == len(known.names) else "both"
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


def _known_up(up: str | Sequence[str], known_up: str | None, known: Any) -> str:
    if known_up is not None:
        return known_up if known_up == "file" else check_up(known_up, "known_up")
    if isinstance(up, str):
        return up
    if isinstance(known, Mapping):
        raise InputError("up is given a shape each; say with known_up which axis the example shapes have")
    return "y"


def _encoder(model: str, device: Any, known: Any) -> Encoder:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

    row = find_checkpoint(model)
    if isinstance(known, Known):  # said before anything is downloaded
        known.check_fits(Identity(row.name, row.text.space, row.source.sha256))
    return ShapeEncoder.from_pretrained(model, device=device)


def _bank(
    known: Any,
    score: Score,
    encoder: Encoder,
    text: NamesEncoder | None,
    up: str,
    device: Any,
    settings: dict[str, Any],
) -> Known:
    """The known classes with what the score needs of them."""
    temperature = getattr(encoder, "temperature", None)
    if isinstance(known, Known):
        lacks = known.temperature is None and temperature is not None
        return replace(known, temperature=temperature) if lacks else known
    examples = {name: value for name, value in known.items() if value is not None} if isinstance(known, Mapping) else {}
    if len(examples) == len(known) and score.needs != "both":
        return Known.from_examples(examples, encoder, up=up, patches=score.needs == "patches", **settings)
    names = check_names(list(known))
    text = text or _text_of(encoder, device)
    if examples:
        return Known.from_both(names, examples, encoder, text, up=up, **settings)
    others = [word for word in negative_words() if word not in names] if score.needs == "negatives" else []
    return Known.from_names(names, text, negatives=others, temperature=temperature)


def _patches(encoder: Any, values: list[Any], ups: Sequence[str], settings: Mapping[str, Any]) -> np.ndarray:
    passed = {key: settings[key] for key in ("batch_size", "seed")}
    return encoder.encode_patches(values, up=ups, **passed)[0]


def _text_of(encoder: Encoder, device: Any) -> NamesEncoder:
    from openshape_ood.encoders.text.encoder import TextEncoder

    row = getattr(encoder, "row", None)
    if row is None:
        raise InputError(f"{encoder.identity.checkpoint} has no text tower of its own; give text=, or example shapes")
    return TextEncoder(row, device=getattr(encoder, "device", None) if device is None else device)
