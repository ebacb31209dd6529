"""TextEncoder: names of classes -> unit vectors beside which shapes can be held."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openshape_ood.checks import check_choice, given_path
from openshape_ood.encoders.protocols import Identity
from openshape_ood.encoders.text import open_clip, static
from openshape_ood.encoders.text.prompts import check_aliases, clean_names, find_templates
from openshape_ood.errors import WeightsError
from openshape_ood.registry.files import sha256
from openshape_ood.registry.rows import Row, find_checkpoint
from openshape_ood.storage import ArrayStore, own_folder

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]
Aliases = Mapping[str, str | Sequence[str]]

AVERAGES = ("mean", "mean_of_units")
WORDS_AT_ONCE = 16  # between two writes to the cache


class UntrainedNameWarning(UserWarning):
    """A class name far from all that the encoder was trained with."""


class TextEncoder:
    """The text encoder that a checkpoint was aligned with: class names in, unit vectors out.

    The model is built when a name is first needed that is not in the cache.

    Attributes
    ----------
    identity : Identity
        The checkpoint, and its embedding space, the same for checkpoints that share it.
    dim : int
        d, the width of its embeddings.
    templates, average, aliases
        As in `from_pretrained`.
    """

    def __init__(
        self,
        row: Row,
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
        self.average = row.text.average if average is None else average
        check_choice(self.average, "average", AVERAGES)
        self.aliases = check_aliases(aliases or {})
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
        """The text encoder of the checkpoint `name`; nothing is loaded yet.

        Parameters
        ----------
        name : str
            A name in the registry.
        checkpoint : path, optional
            A file with the weights in place of the Hub's (.safetensors, .pt or .bin, a whole CLIP or its text side).
        registry : path, optional
            A registry of one's own that extends the packaged one.
        device : str or torch.device, optional
            None takes CUDA (half precision), then MPS, then the CPU.
        templates : str or sequence of str, optional
            A list of templates.toml, "" for the bare name, or sentences with one {} each.
        average : {"mean", "mean_of_units"}, optional
            Of the sentences' embeddings, then normalized; or each normalized first.
        aliases : mapping, optional
            Name -> the word or words to use instead; several are averaged as unit vectors.
        cache : bool
            Keep embeddings on disk.

        Returns
        -------
        TextEncoder

        Raises
        ------
        UnknownNameError
            A name, templates or an average that there is not.
        ClassNamesError
            Aliases that are no words.
        RegistryError, InputError
            A registry, or other values, that cannot be used.
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

    def encode(self, names: Sequence[str]) -> Vectors:
        """Unit vectors of class names, in their order. Underscores become spaces.

        Parameters
        ----------
        names : sequence of str
            k names, each different.

        Returns
        -------
        array (k, d) float32

        Raises
        ------
        ClassNamesError
            No names, blank, repeated, unknown or too long ones.
        RegistryError, InputError, CheckpointError
            What keeps the model from being loaded: a row, a device, weights or a download, and what to do about it.

        Examples
        --------
        >>> chair, armchair, guitar = TextEncoder.from_pretrained("tiny").encode(["chair", "armchair", "guitar"])
        >>> bool(chair @ armchair > chair @ guitar)
        True
        """
        words = {name: self.aliases.get(name.casefold(), (name,)) for name in clean_names(names)}
        vectors = self._words(list(dict.fromkeys(word for several in words.values() for word in several)))
        anchors = np.stack([_unit(np.mean([vectors[w] for w in several], axis=0)) for several in words.values()])
        self._warn_untrained(list(words), anchors)
        return anchors

    def _words(self, words: Sequence[str]) -> dict[str, Vectors]:
        """Each word's unit vector, from the cache as far as possible."""
        known = self._cached(words)
        missing = [word for word in words if word not in known]
        for i in range(0, len(missing), WORDS_AT_ONCE):
            for word, vector in self._computed(missing[i : i + WORDS_AT_ONCE]):
                known[word] = vector
                self._keep(word, vector)
        return known

    def _computed(self, words: Sequence[str]) -> Iterator[tuple[str, Vectors]]:
        sentences = [template.replace("{}", word) for word in words for template in self.templates]
        embedded = self._loaded.embed(sentences).reshape(len(words), len(self.templates), -1)
        if not np.isfinite(embedded).all():
            raise WeightsError(
                f"text encoder of {self.identity.checkpoint!r} gave values that are not finite; its weights are damaged"
            )
        if self.average == "mean_of_units":
            embedded = _unit(embedded)
        yield from zip(words, _unit(embedded.mean(axis=1)), strict=True)

    @cached_property
    def _loaded(self) -> open_clip.ClipModel | static.StaticModel:
        model = self._load()
        if model.dim != self.dim:
            raise WeightsError(
                f"text encoder of {self.identity.checkpoint!r} has {model.dim} dimensions, its shape encoder "
                f"{self.dim}; they were not trained together"
            )
        return model

    def _load(self) -> open_clip.ClipModel | static.StaticModel:
        path = self._checkpoint or fetch_file(self._row)
        if self._row.text.kind == "static":
            return static.StaticModel(path, self._row)
        return open_clip.ClipModel.load(self._row, path, self._device)

    def _cached(self, words: Sequence[str]) -> dict[str, Vectors]:
        """What the cache has of `words`, all in one precision: those of two must not be compared."""
        if self._device is None:  # asking which device is best would mean importing torch
            for precision in ("float32", "float16"):
                found = self._stored(words, precision)
                if len(found) == len(words):
                    return found
        return self._stored(words, self._precision) if self._store else {}

    def _stored(self, words: Sequence[str], precision: str) -> dict[str, Vectors]:
        if self._store is None:
            return {}
        found = {word: self._store.get(self._key(word, precision)) for word in words}
        return {word: vector for word, vector in found.items() if vector is not None}

    def _keep(self, word: str, vector: Vectors) -> None:
        if self._store is not None:
            self._store.put(self._key(word, self._loaded.precision), vector)

    @cached_property
    def _precision(self) -> str:
        """Of the embeddings that the device gives."""
        from openshape_ood.devices import find_device

        return open_clip.precision_on(find_device(self._device))

    def _key(self, word: str, precision: str) -> str:
        return json.dumps([1, self.weights, precision, self.average, self.templates, word])

    @cached_property
    def weights(self) -> str:
        """Whose embeddings these are: the embedding space, and which file of it."""
        if self._checkpoint:
            return f"{self.identity.space} sha256:{_hash(self._checkpoint, self._row)}"
        return f"{self.identity.space} revision:{self._row.text.revision} sha256:{self._row.text.sha256}"

    def _warn_untrained(self, names: Sequence[str], anchors: Vectors) -> None:
        if self._row.text.kind != "static":
            return
        model: Any = self._loaded
        far = [repr(name) for name, is_far in zip(names, model.far(anchors), strict=True) if is_far]
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


def fetch_file(row: Row, progress: bool = True) -> Path:
    """The file of the text encoder of `row`, downloaded first if need be; raises as `TextEncoder.encode`."""
    return static.find_file(row) if row.text.kind == "static" else open_clip.fetch_file(row, progress)


def cached_file(row: Row) -> Path | None:
    """The file that `fetch_file` gives, if it is on this machine: asks no network, and does not look inside.

    Takes seconds for an open_clip model, as open_clip is imported. Raises `RegistryError` where it has no address on
    the Hub.
    """
    if row.text.kind == "open_clip":
        return open_clip.cached_file(row)
    try:
        return static.find_file(row)
    except WeightsError:
        return None


def _hash(path: Path, row: Row) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise WeightsError(f"text encoder of {row.name!r}: cannot read {path}: {error.strerror or error}") from error


def _unit(vectors: Any) -> Vectors:
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
