"""TextEncoder: names of classes -> unit vectors beside which shapes can be held."""

from __future__ import annotations

import json
import os
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openshape_ood.encoders.protocols import Identity
from openshape_ood.encoders.text.towers import (
    ClipTower,
    StaticTower,
    Tower,
    clip_file,
    clip_precision,
    file_hash,
    static_file,
)
from openshape_ood.errors import ClassNamesError, InputError, UnknownNameError, WeightsError
from openshape_ood.registry.rows import Checkpoint, find_checkpoint, given_path, template_lists
from openshape_ood.storage import ArrayStore, own_folder

if TYPE_CHECKING:
    import torch

Embeddings = NDArray[np.float32]
Aliases = Mapping[str, str | Sequence[str]]

AVERAGES = ("mean", "mean_of_units")
WORDS_AT_ONCE = 16  # between two writes to the cache


class UntrainedNameWarning(UserWarning):
    """A class name far from all that the encoder was trained with."""


class TextEncoder:
    """The text tower that a checkpoint was aligned with: class names in, unit vectors out.

    identity: the checkpoint, and its embedding space, the same for checkpoints that share it; dim: d. The tower is
    built when a name is first needed that is not in the cache.
    """

    def __init__(
        self,
        row: Checkpoint,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        templates: str | Sequence[str] | None = None,
        average: str | None = None,
        aliases: Aliases | None = None,
        cache: bool = True,
    ) -> None:
        self.identity = Identity(row.name, row.text.space)
        self.dim = row.sizes.embedding_dim
        self.templates = find_templates(row.text.templates if templates is None else templates)
        self.average = _check_average(row.text.average if average is None else average)
        self.aliases = _check_aliases(aliases or {})
        self._row = row
        self._checkpoint = None if checkpoint is None else given_path(checkpoint, "checkpoint")
        self._device = device
        # static vectors are quicker computed than looked up
        keep = cache and row.text.kind == "open_clip"
        self._store = ArrayStore(own_folder("text"), self.dim) if keep else None

    @classmethod
    def from_pretrained(
        cls,
        name: str = "vitb32",
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        registry: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        templates: str | Sequence[str] | None = None,
        average: str | None = None,
        aliases: Aliases | None = None,
        cache: bool = True,
    ) -> TextEncoder:
        """The text tower of the checkpoint `name`; nothing is loaded yet.

        checkpoint: a file with the tower's weights instead of the Hub's (.safetensors, .pt or .bin, a whole CLIP
        or its text side). device: None takes CUDA (half precision), then MPS, then the CPU. templates: a list of
        templates.toml, "" for the bare name, or sentences with one {} each. average: "mean" (of the sentences'
        embeddings, then normalized) or "mean_of_units" (each normalized first). aliases: name -> the word or
        words to use instead; several are averaged as unit vectors. cache: keep embeddings on disk.

        Raises `UnknownNameError` for a name, templates or an average that there is not, `RegistryError`,
        `ClassNamesError` for aliases that are no words, `InputError` for other values that cannot be used.
        """
        return cls(
            find_checkpoint(name, registry),
            checkpoint=checkpoint,
            device=device,
            templates=templates,
            average=average,
            aliases=aliases,
            cache=cache,
        )

    def encode(self, names: Sequence[str]) -> Embeddings:
        """Unit vectors (k, d) float32 of k class names, in their order.

        Underscores become spaces. Raises `ClassNamesError` for no names, blank, repeated, unknown or too long
        ones. What loads the tower may raise, too: `RegistryError`, `InputError` for a device that is not there,
        and a `CheckpointError`: `WeightsError`, or what kept a download from succeeding, and what to do about it.

        >>> chair, armchair, guitar = TextEncoder.from_pretrained("tiny").encode(["chair", "armchair", "guitar"])
        >>> bool(chair @ armchair > chair @ guitar)
        True
        """
        words = {name: self.aliases.get(name.casefold(), (name,)) for name in clean_names(names)}
        vectors = self._words(list(dict.fromkeys(word for several in words.values() for word in several)))
        anchors = np.stack([_unit(np.mean([vectors[w] for w in several], axis=0)) for several in words.values()])
        self._warn_untrained(list(words), anchors)
        return anchors

    def _words(self, words: Sequence[str]) -> dict[str, Embeddings]:
        """Each word's unit vector, from the cache as far as possible."""
        known = self._cached(words)
        missing = [word for word in words if word not in known]
        for i in range(0, len(missing), WORDS_AT_ONCE):
            for word, vector in self._computed(missing[i : i + WORDS_AT_ONCE]):
                known[word] = vector
                self._keep(word, vector)
        return known

    def _computed(self, words: Sequence[str]) -> Iterator[tuple[str, Embeddings]]:
        sentences = [template.replace("{}", word) for word in words for template in self.templates]
        embedded = self._loaded.embed(sentences).reshape(len(words), len(self.templates), -1)
        if not np.isfinite(embedded).all():
            raise WeightsError(
                f"text tower of {self.identity.checkpoint!r} gave values that are not finite; its weights are damaged"
            )
        if self.average == "mean_of_units":
            embedded = _unit(embedded)
        yield from zip(words, _unit(embedded.mean(axis=1)), strict=True)

    @cached_property
    def _loaded(self) -> Tower:
        tower = self._load()
        if tower.dim != self.dim:
            raise WeightsError(
                f"text tower of {self.identity.checkpoint!r} has {tower.dim} dimensions, its encoder {self.dim}; "
                "they were not trained together"
            )
        return tower

    def _load(self) -> Tower:
        if self._row.text.kind == "static":
            return StaticTower(self._checkpoint or static_file(self._row), self._row)
        return ClipTower.load(self._row, self._checkpoint or clip_file(self._row), self._device)

    def _cached(self, words: Sequence[str]) -> dict[str, Embeddings]:
        """What the cache has of `words`, all in one precision: those of two must not be compared."""
        if self._device is None:  # asking which device is best would mean importing torch
            for precision in ("float32", "float16"):
                found = self._stored(words, precision)
                if len(found) == len(words):
                    return found
        return self._stored(words, self._precision) if self._store else {}

    def _stored(self, words: Sequence[str], precision: str) -> dict[str, Embeddings]:
        if self._store is None:
            return {}
        found = {word: self._store.get(self._key(word, precision)) for word in words}
        return {word: vector for word, vector in found.items() if vector is not None}

    def _keep(self, word: str, vector: Embeddings) -> None:
        if self._store is not None:
            self._store.put(self._key(word, self._loaded.precision), vector)

    @cached_property
    def _precision(self) -> str:
        """Of the embeddings that the device gives."""
        from openshape_ood.devices import find_device

        return clip_precision(find_device(self._device))

    def _key(self, word: str, precision: str) -> str:
        return json.dumps([1, self.weights, precision, self.average, self.templates, word])

    @cached_property
    def weights(self) -> str:
        """Whose embeddings these are: the tower, and which file of it."""
        if self._checkpoint:
            return f"{self.identity.space} sha256:{file_hash(self._checkpoint, self._row)}"
        return f"{self.identity.space} revision:{self._row.text.revision} sha256:{self._row.text.sha256}"

    def _warn_untrained(self, names: Sequence[str], anchors: Embeddings) -> None:
        if self._row.text.kind != "static":
            return
        tower: Any = self._loaded
        far = [repr(name) for name, is_far in zip(names, tower.far(anchors), strict=True) if is_far]
        if far:
            warnings.warn(
                f"{self.identity.checkpoint!r} was not trained with names like {', '.join(far)} and hardly knows "
                "what they look like; "
                "give example shapes instead: known={name: shapes}",
                UntrainedNameWarning,
                stacklevel=3,
            )

    def __repr__(self) -> str:
        return f"TextEncoder({self.identity.checkpoint!r}, space={self.identity.space!r}, d={self.dim})"


def clean_names(names: Any) -> list[str]:
    """Class names with underscores and runs of white space as one space.

    >>> clean_names(["night_stand", " window_box_(for_plants)"])
    ['night stand', 'window box (for plants)']

    Raises `ClassNamesError` for a single string, none, blank or repeated names.
    """
    if isinstance(names, str):
        raise ClassNamesError(f"names is the text {names!r}; expected a list of names: [{names!r}]")
    # a set has no order for the rows to follow
    if isinstance(names, set | frozenset) or not isinstance(names, Iterable):
        raise ClassNamesError(f"names is a {type(names).__name__}; expected a list of strings")
    names = list(names)
    if not names:
        raise ClassNamesError("there are no class names; expected at least one")
    cleaned = [_clean(name, f"class name {i}") for i, name in enumerate(names)]
    _check_distinct(cleaned, names)
    return cleaned


def _clean(name: Any, what: str) -> str:
    if not isinstance(name, str):
        raise ClassNamesError(f"{what} is {name!r}; expected a string")
    cleaned = " ".join(unicodedata.normalize("NFC", name).replace("_", " ").split())
    if not cleaned:
        raise ClassNamesError(f"{what} is blank ({name!r}); expected a word")
    if any("\ud800" <= character <= "\udfff" for character in cleaned):
        raise ClassNamesError(f"{what} has characters that are not text: {name!r}")
    return cleaned


def _check_distinct(cleaned: Sequence[str], given: Sequence[str]) -> None:
    # the towers fold case, so names that differ by case alone would be one and the same class
    first: dict[str, int] = {}
    for i, name in enumerate(cleaned):
        earlier = first.setdefault(name.casefold(), i)
        if earlier != i:
            raise ClassNamesError(
                f"class names {given[earlier]!r} and {given[i]!r} ({earlier + 1} and {i + 1} of them) are the same; "
                "name each class once"
            )


def _check_average(average: str) -> str:
    if average not in AVERAGES:
        raise UnknownNameError(f"unknown average {average!r}; known: {', '.join(AVERAGES)}")
    return average


def _check_aliases(aliases: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(aliases, Mapping):
        raise InputError(f"aliases is a {type(aliases).__name__}; expected a mapping: {{'display': 'monitor'}}")
    checked = {}
    for name, words in aliases.items():
        several = [words] if isinstance(words, str) else list(words)
        if not several:
            raise ClassNamesError(f"the alias of {name!r} has no words; expected at least one")
        name = _clean(name, "a name with an alias").casefold()
        checked[name] = tuple(_clean(word, f"an alias of {name!r}") for word in several)
    return checked


def find_templates(templates: str | Sequence[str]) -> tuple[str, ...]:
    """Sentences with one {} each: a list of templates.toml by name, "" for the bare name, or one's own.

    Raises `UnknownNameError` for a list there is not, `InputError` for sentences that cannot be used.

    >>> find_templates("")
    ('{}',)
    """
    if isinstance(templates, str):
        return _named_templates(templates) if templates else ("{}",)
    sentences = tuple(templates)
    if not sentences:
        raise InputError('templates is empty; expected sentences with one {} each, or "" for the bare name')
    for i, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or sentence.count("{}") != 1:
            raise InputError(f"template {i} is {sentence!r}; expected a string with exactly one {{}}")
    return sentences


def _named_templates(name: str) -> tuple[str, ...]:
    lists = template_lists()
    if name not in lists:
        raise UnknownNameError(f"unknown templates {name!r}; known: {', '.join(lists)}")
    return lists[name]


def _unit(vectors: Any) -> Embeddings:
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
