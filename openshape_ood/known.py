"""Known: what an encoder knows, as embeddings. Everything a score compares with."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.encoders.protocols import Encoder, Identity, NamesEncoder
from openshape_ood.errors import ClassNamesError, CloudError, InputError, MixedEncodersError, ShapeFileError


@dataclass(frozen=True, eq=False)
class Known:
    """A bank of k known classes.

    names (k,); anchors (k, d): a unit vector a class, its re-normalized mean example or else its text embedding;
    examples (m, d) unit vectors and labels (m,) into names, both empty for classes known by name only; identity:
    the encoder they come from. text (k, d): the text embedding of each class, empty for classes known by example
    only; negatives (j, d): those of words for other things, if any were given. patches (n, w): unit patch tokens of
    the examples, and patch_labels (n,), empty unless asked for. temperature: what cosines with text were divided by
    when the encoder was trained, None where nobody says so.
    """

    names: tuple[str, ...]
    anchors: np.ndarray
    examples: np.ndarray
    labels: np.ndarray
    identity: Identity
    text: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    negatives: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    patches: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    patch_labels: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    temperature: float | None = None

    @classmethod
    def from_names(
        cls,
        names: Sequence[str],
        text: NamesEncoder,
        negatives: Sequence[str] = (),
        temperature: float | None = None,
    ) -> Known:
        """Classes by name, embedded by a `TextEncoder`.

        negatives: words for other things, of which the half farthest from the names is kept, as in NegLabel, arXiv
        2403.20078. temperature: the shape encoder's own, `encoder.temperature`, which a text encoder does not know.
        Raises `ClassNamesError` for none, blank or duplicate names.

        >>> from openshape_ood import TextEncoder
        >>> bank = Known.from_names(["chair", "sofa"], TextEncoder.from_pretrained("tiny"))
        >>> bank.names, bank.anchors.shape
        (('chair', 'sofa'), (2, 192))
        """
        names = check_names(names)
        if isinstance(text, str) or hasattr(text, "spec"):
            raise InputError(f"text is {text!r}; expected a TextEncoder, as TextEncoder.from_pretrained(...) gives it")
        anchors = unit(text.encode(names), "the text embedding of", names)
        nothing = np.empty((0, anchors.shape[1])), np.empty(0, dtype=np.int64)
        return cls(
            names,
            anchors,
            *nothing,
            replace(text.identity, sha256=""),
            text=anchors,
            temperature=temperature,
            negatives=_farther_half(anchors, check_names(negatives), text) if len(negatives) else np.empty((0, 0)),
        )

    @classmethod
    def from_examples(
        cls,
        examples: Mapping[str, Any],
        encoder: Encoder,
        up: str | Sequence[str] = "y",
        *,
        patches: bool = False,
        **settings: Any,
    ) -> Known:
        """Classes by example: name -> shapes in any form `encode` takes, or ready embeddings (m, d).

        patches: keep the patch tokens of the examples too, which must then be shapes.

        >>> from openshape_ood import ShapeEncoder
        >>> from openshape_ood.synthetic import sample
        >>> shapes = {"chair": [sample("chair", 500, seed) for seed in range(3)], "lamp": sample("lamp", 500, seed=0)}
        >>> bank = Known.from_examples(shapes, ShapeEncoder.from_pretrained("tiny"))
        >>> bank.examples.shape, bank.labels.tolist()
        ((4, 192), [0, 0, 0, 1])
        """
        names = check_examples(examples)
        embedded = [_embed(examples[name], name, encoder, up, settings) for name in names]
        labels = np.repeat(np.arange(len(names)), [len(e) for e in embedded])
        means = unit(np.stack([e.mean(axis=0) for e in embedded]), "the mean example of", names)
        tokens = _patches(examples, encoder, up, settings) if patches else {}
        temperature = getattr(encoder, "temperature", None)
        return cls(names, means, np.concatenate(embedded), labels, encoder.identity, temperature=temperature, **tokens)

    @classmethod
    def from_both(
        cls,
        names: Sequence[str],
        examples: Mapping[str, Any],
        encoder: Encoder,
        text: NamesEncoder,
        up: str | Sequence[str] = "y",
        *,
        patches: bool = False,
        **settings: Any,
    ) -> Known:
        """Classes by name, all of them, and by example too, as many as there are examples of.

        Raises `ClassNamesError` for examples of a class that is not among the names.
        """
        by_name = cls.from_names(names, text)
        strangers = [name for name in examples if name not in by_name.names]
        if strangers:
            raise ClassNamesError(
                f"there are examples of {', '.join(map(repr, strangers))}, but the known classes are "
                f"{', '.join(map(repr, by_name.names))}; expected every class among the names"
            )
        by_example = cls.from_examples(examples, encoder, up, patches=patches, **settings)
        by_name.check_fits(by_example.identity)
        index = np.array([by_name.names.index(name) for name in by_example.names])
        anchors = by_name.anchors.copy()
        anchors[index] = by_example.anchors
        return replace(
            by_example,
            names=by_name.names,
            anchors=anchors,
            labels=index[by_example.labels],
            patch_labels=index[by_example.patch_labels],
            text=by_name.text,
        )

    @property
    def dim(self) -> int:
        return self.anchors.shape[1]

    def check_fits(self, identity: Identity) -> None:
        """Raises `MixedEncodersError` when the bank comes from another encoder than `identity`."""
        self.identity.check_fits(identity)


def _farther_half(anchors: np.ndarray, words: Sequence[str], text: NamesEncoder) -> np.ndarray:
    """Unit embeddings (j, d) of the words whose best cosine with a class (k, d) is at most the median.

    A word that is a class's own name has cosine 1 with it and is never kept.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a word for something else is little known harms nothing
        vectors = unit(text.encode(words), "the text embedding of", words)
    best = (vectors @ anchors.T).max(axis=1)
    kept = (best <= np.median(best)) & (best < 1 - 1e-6)
    if not kept.any():
        raise ClassNamesError("every negative word is the name of a known class; expected words for other things")
    return vectors[kept]


def _patches(
    examples: Mapping[str, Any], encoder: Any, up: str | Sequence[str], settings: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Unit patch tokens (n, w) of all examples, and their classes (n,)."""
    if not hasattr(encoder, "encode_patches"):
        raise InputError(f"{encoder.identity.checkpoint} has no patch tokens; expected a ShapeEncoder")
    passed = {key: value for key, value in settings.items() if key in ("batch_size", "seed")}
    tokens = []
    for name, value in examples.items():
        if _as_embeddings(value, name, encoder) is not None:
            raise InputError(f"class {name!r} is given as embeddings; patch tokens need the example shapes themselves")
        own, _ = encoder.encode_patches(value, up=up, **passed)[:2]
        tokens.append(own.reshape(-1, own.shape[-1]))
    labels = np.repeat(np.arange(len(tokens)), [len(own) for own in tokens])
    rows = unit(np.concatenate(tokens), "the patch token in")
    return {"patches": rows.astype(np.float32), "patch_labels": labels}


def check_names(names: Any) -> tuple[str, ...]:
    """Class names as a tuple; raises `ClassNamesError` for none, blank, twice, or what is no list of strings."""
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if isinstance(names, str):
        raise ClassNamesError(f"known is the string {names!r}; expected a list of names: [{names!r}]")
    names = tuple(names)
    if not names:
        raise ClassNamesError("there are no known classes; expected at least one name")
    for i, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise ClassNamesError(f"known class {i} is {reprlib.repr(name)}; expected a name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ClassNamesError(f"known classes are named twice: {', '.join(map(repr, twice))}")
    return names


def check_examples(examples: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of classes known by example; raises `InputError` where one is known by name only."""
    for name, value in examples.items():
        words = value if isinstance(value, list | tuple) and value else [value]
        if all(word is None or _is_word(word) for word in words):
            raise InputError(
                f"class {name!r} has {reprlib.repr(value)} where its examples were expected. Give example shapes, or "
                "None for a class of which there is only the name"
            )
    names = check_names(list(examples))
    same: dict[str, str] = {}
    for name in names:
        first = same.setdefault(" ".join(name.replace("_", " ").casefold().split()), name)
        if first is not name:
            raise ClassNamesError(f"known classes {first!r} and {name!r} are the same name; expected one of them")
    return names


def _is_word(value: Any) -> bool:
    """Whether a string is more likely a name than the path of a shape."""
    return isinstance(value, str) and not Path(value).suffix and not Path(value).exists()


def unit(vectors: Any, what: str, names: Sequence[str] = ()) -> np.ndarray:
    """Rows (m, d) scaled to length 1 in float64; refuses a zero or non-finite row, naming it."""
    vectors = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(norms[:, 0]) & (norms[:, 0] > 0)))
    if len(bad):
        row = repr(names[bad[0]]) if len(names) else f"row {bad[0]}"
        raise InputError(f"{what} {row} is zero or not finite; expected a vector with a direction")
    return vectors / norms


def _embed(value: Any, name: str, encoder: Encoder, up: str | Sequence[str], settings: dict[str, Any]) -> np.ndarray:
    ready = _as_embeddings(value, name, encoder)
    if ready is not None:
        return unit(ready, f"the embedding of class {name!r},")
    try:
        return unit(encoder.encode(value, up=up, **settings), f"the embedding of class {name!r},")
    except CloudError as error:
        raise CloudError(f"examples of class {name!r}: {error}") from error
    except ShapeFileError as error:
        raise ShapeFileError(f"examples of class {name!r}: {error}") from error


def _as_embeddings(value: Any, name: str, encoder: Encoder) -> np.ndarray | None:
    """Ready embeddings (m, d): an array of them, one (d,), or a list of either; None where `value` is shapes."""
    vectors = _stacked(value)
    if vectors is None or (vectors.shape[1] in (3, 6) and encoder.dim not in (3, 6)):
        return None
    if vectors.shape[1] != encoder.dim:
        raise MixedEncodersError(
            f"class {name!r} is an array of shape {vectors.shape}; {encoder.identity.checkpoint} has embeddings of "
            f"{encoder.dim} and takes clouds (n, 3|6). Are these embeddings of another encoder?"
        )
    if not len(vectors):
        raise InputError(f"class {name!r} has no examples: its embeddings have the shape {vectors.shape}")
    return vectors


def _stacked(value: Any) -> np.ndarray | None:
    """Numbers of one or two axes as a table (m, d); lists of tables one below the other; None for all else."""
    items = value if isinstance(value, list | tuple) else [value]
    try:
        tables = [np.asarray(to_numpy(item)) for item in items]
        numbers = all(table.ndim in (1, 2) and table.dtype.kind in "fiub" for table in tables)
        return np.concatenate([np.atleast_2d(table) for table in tables]) if numbers and tables else None
    except ValueError:  # tables of different widths, or ragged ones: clouds, and those are checked elsewhere
        return None
