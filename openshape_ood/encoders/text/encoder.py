"""TextEncoder: unit vectors of class names, which can be compared with the vectors of shapes."""

from __future__ import annotations

import json
import os
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from openshape_ood.checks import check_choice, given_path
from openshape_ood.encoders.protocols import Identity
from openshape_ood.encoders.text import open_clip, static, table
from openshape_ood.errors import ClassNamesError, InputError, OpenShapeError, WeightsError
from openshape_ood.registry.ensembles import check_no_file
from openshape_ood.registry.files import cached, fetch, sha256
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import ENCODERS, Row, template_lists
from openshape_ood.storage import ArrayStore, own_folder

if TYPE_CHECKING:
    import torch

    from openshape_ood.encoders.ensemble import TextEnsemble

Vectors = NDArray[np.float32]
Aliases = Mapping[str, str | Sequence[str]]

AVERAGES = ("mean", "mean_of_units")
WORDS_AT_ONCE = 16  # number of names between two writes to the cache


class UntrainedNameWarning(UserWarning):
    """A class name is far from all names in the training of the encoder."""


class TextEncoder:
    """Text encoder of a checkpoint. It turns class names into unit vectors.

    The model is loaded for the first name that is not in the cache.

    Attributes
    ----------
    identity : Identity
        Checkpoint and embedding space. Checkpoints with the same text model have the same space.
    dim : int
        Width d of the embeddings.
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
        check_text(row)
        self.identity, self.dim = Identity(row.name, row.text.space), row.text_dim
        self.templates = find_templates(row.text.templates if templates is None else templates)
        self.average = row.text.average if average is None else average
        check_choice(self.average, "average", AVERAGES)
        self.aliases = _checked_aliases(aliases) if aliases else {}
        self._row, self._device = row, device
        self._checkpoint = None if checkpoint is None else given_path(checkpoint, "checkpoint")
        # static vectors need no cache, because computing them is faster than reading a cache
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
        """Text encoder of the checkpoint `name`. Nothing is loaded yet.

        Parameters
        ----------
        name, registry : str and path, optional
            Name in the packaged registry or in your own, or an ensemble, as in `ShapeEncoder.from_pretrained`. The name
            of a point encoder is also accepted.
        checkpoint : path, optional
            File of weights that replaces the one on the Hub: .safetensors, .pt or .bin, with a whole CLIP or only its
            text side.
        device : str or torch.device, optional
            Default: CUDA (half precision), then MPS, then the CPU.
        templates : str or sequence of str, optional
            Name of a list in templates.toml, "" for the name without a sentence, or sentences with one {} each.
        average : {"mean", "mean_of_units"}, optional
            "mean": the embeddings of the sentences are averaged, then normalized. "mean_of_units": each embedding is
            also normalized before the average.
        aliases : mapping, optional
            Replacement word or words for a name. Several are averaged as unit vectors.
        cache : bool
            True to store embeddings on disk.

        Raises
        ------
        InputError, RegistryError
            For an invalid name, template, average or alias, or an unreadable registry.
        """
        settings: dict[str, Any] = {"templates": templates, "average": average, "aliases": aliases, "cache": cache}
        row = find_checkpoint(name, registry, kinds=ENCODERS)
        return cls.of(row, checkpoint=checkpoint, device=device, **settings)

    @classmethod
    def of(cls, row: Row, **settings: Any) -> TextEncoder:
        """Text encoder of a row, or of the members of an ensemble. `settings` are as in `from_pretrained`."""
        # a TextEnsemble has all public members of a TextEncoder
        return cast(TextEncoder, _together(row, **settings)) if row.members else cls(row, **settings)

    def encode(self, names: Sequence[str]) -> Vectors:
        """Unit vectors of class names, in the same order. Underscores are replaced by spaces.

        Parameters
        ----------
        names : sequence of str
            k different names.

        Returns
        -------
        array (k, d) float32

        Raises
        ------
        ClassNamesError, RegistryError, InputError, CheckpointError
            If there are no names, if a name is blank, repeated, unknown or too long, or if the model cannot be loaded.

        Examples
        --------
        >>> chair, armchair, guitar = TextEncoder.from_pretrained("tiny").encode(["chair", "armchair", "guitar"])
        >>> bool(chair @ armchair > chair @ guitar)
        True
        """
        words = {name: self.aliases.get(name.casefold(), (name,)) for name in clean_names(names)}
        vectors = self._vectors(list(dict.fromkeys(word for several in words.values() for word in several)))
        anchors = _unit([np.mean([vectors[w] for w in several], axis=0) for several in words.values()])
        if self._row.text.kind != "open_clip":
            model: Any = self._model
            far = ", ".join(repr(name) for name, is_far in zip(words, model.far(anchors), strict=True) if is_far)
            message = f"{self.identity.checkpoint!r} was not trained with names like {far}. Expected names close to "
            message += "the names of its training. Give example shapes instead: known={name: shapes}."
            if far:
                warnings.warn(message, UntrainedNameWarning, stacklevel=2)
        return anchors

    def serves(self, name: str) -> bool:
        """True if the name can be embedded: a table of names has it, or a text encoder is on this machine."""
        model: Any = self._model if self._row.text.kind == "table" else None
        return model is None or model.knows(name) or _has_tower(self._row)

    def _vectors(self, words: Sequence[str]) -> dict[str, Vectors]:
        """Unit vector of each word, from the cache if possible."""
        known = {} if self._store is None else self._cached(words)
        missing = [word for word in words if word not in known]
        for i in range(0, len(missing), WORDS_AT_ONCE):
            some = missing[i : i + WORDS_AT_ONCE]
            sentences = [template.replace("{}", word) for word in some for template in self.templates]
            embedded = self._embed(sentences).reshape(len(some), len(self.templates), -1)
            if not np.isfinite(embedded).all():
                raise WeightsError(
                    f"text encoder of {self.identity.checkpoint!r} gave values that are not finite. "
                    "Expected finite embeddings. Download its weights again, because they may be damaged."
                )
            if self.average == "mean_of_units":
                embedded = _unit(embedded)
            for word, vector in zip(some, _unit(embedded.mean(axis=1)), strict=True):
                known[word] = vector
                if self._store is not None:
                    self._store.put(self._key(word, self._model.precision), vector)
        return known

    def _embed(self, sentences: Sequence[str]) -> Vectors:
        """Vectors (n, d) of sentences. For names outside a table, the text encoder is used, if it is available."""
        model = self._model
        if isinstance(model, table.TableModel):
            others = [one for one in sentences if not model.knows(one)]
            if others and _has_tower(self._row):
                tower = TextEncoder.from_pretrained(self._row.text.tower, templates=[table.PROMPT])
                return model.embed(sentences, tower.encode(others))
        return model.embed(sentences)

    @cached_property
    def _model(self) -> open_clip.ClipModel | static.StaticModel | table.TableModel:
        model: open_clip.ClipModel | static.StaticModel | table.TableModel
        path = self._checkpoint or fetch_file(self._row)
        if self._row.text.kind == "static":
            model = static.loaded(self._row, path, path.stat().st_mtime_ns)
        elif self._row.text.kind == "table":
            model = table.loaded(self._row, path, path.stat().st_mtime_ns)
        else:
            model = open_clip.ClipModel.load(self._row, path, self._device)
        _check_width(self._row, model.dim)
        return model

    def _cached(self, words: Sequence[str]) -> dict[str, Vectors]:
        """Cached vectors of `words`. All have one precision, because vectors of two precisions must not be compared."""
        store: Any = self._store
        vectors: dict[str, Vectors] = {}
        # without a given device, try all precisions, because finding the default device would import torch
        for guess in ("float32", "float16", "") if self._device is None else ("",):
            precision = guess or self._precision
            stored = {word: store.get(self._key(word, precision)) for word in words}
            vectors = {word: vector for word, vector in stored.items() if vector is not None}
            if len(vectors) == len(words):
                break
        return vectors

    @cached_property
    def _precision(self) -> str:
        """Precision of embeddings on the device."""
        from openshape_ood.encoders.devices import find_device

        return open_clip.precision_on(find_device(self._device))

    def _key(self, word: str, precision: str) -> str:
        return json.dumps([1, self.weights, precision, self.average, self.templates, word])

    @cached_property
    def weights(self) -> str:
        """Identifier of the weights: embedding space and file."""
        if not self._checkpoint:
            return f"{self.identity.space} revision:{self._row.text.revision} sha256:{self._row.text.sha256}"
        try:
            return f"{self.identity.space} sha256:{sha256(self._checkpoint)}"
        except OSError as error:
            what = f"text encoder of {self._row.name!r}: cannot read {self._checkpoint} ({error.strerror or error})"
            raise WeightsError(f"{what}. Expected a file of weights. Check the path.") from error

    def __repr__(self) -> str:
        return f"TextEncoder({self.identity.checkpoint!r}, space={self.identity.space!r}, d={self.dim})"


def _together(
    row: Row,
    *,
    checkpoint: Any = None,
    templates: str | Sequence[str] | None = None,
    average: str | None = None,
    **settings: Any,
) -> TextEnsemble:
    """Text encoder of an ensemble. Each text encoder of its members is loaded once."""
    from openshape_ood.encoders.ensemble import TextEnsemble  # imported here, because it imports all readers of shapes

    check_no_file(row, checkpoint)
    how = {"templates": None if templates == row.text.templates else templates} | settings
    how["average"] = None if average == row.text.average else average
    shared: dict[Any, TextEncoder] = {}
    # the folder is part of the key, because it contains the file of a static model
    keys = [(one.text, one.sizes.embedding_dim, one.text.kind != "open_clip" and one.folder) for one in row.members]
    for key, one in zip(keys, row.members, strict=True):
        shared[key] = shared.get(key) or TextEncoder(one, **how)
    identity = Identity(row.name, row.text.space)
    return TextEnsemble([shared[key] for key in keys], identity, row.text.average if average is None else average)


def check_text(row: Row) -> None:
    """Raise `InputError` if the row has no text encoder."""
    if not row.text.kind:
        raise InputError(
            f"checkpoint {row.name!r} has no text encoder (text = false), so it cannot use names. Expected classes "
            "known by examples. Give known={name: shapes}, or --examples on the command line."
        )


def fetch_file(row: Row, progress: bool = True) -> Path:
    """File of the text encoder of a row, downloaded if necessary. Errors are as in `TextEncoder.encode`."""
    if row.text.kind != "open_clip":
        return static.find_file(row)
    address = open_clip.hub_address(row)
    _check_width(row, open_clip.find_config(row)["embed_dim"])  # checked before the download of gigabytes
    return fetch(row, progress, address)


def _check_width(row: Row, width: int) -> None:
    if width != row.text_dim:
        what = f"text encoder of {row.name!r} has {width} dimensions, its {row.kind} encoder {row.text_dim}"
        raise WeightsError(f"{what}. Expected equal dimensions. Use the text encoder of the training.")


def cached_file(row: Row) -> Path | None:
    """File that `fetch_file` would return, if it is on this machine; else None.

    It uses no network, and does not check the content. For an open_clip model this takes seconds, because open_clip is
    imported. Raises `RegistryError` if the model has no address on the Hub.
    """
    if row.text.kind == "open_clip":
        return cached(row, open_clip.hub_address(row))
    with suppress(WeightsError):
        return static.find_file(row)
    return None


def _has_tower(row: Row) -> bool:
    """True if the text encoder for names outside the table is on this machine, with the packages that it needs."""
    try:
        return bool(row.text.tower) and cached_file(find_checkpoint(row.text.tower)) is not None
    except OpenShapeError:
        return False


def clean_names(names: Any) -> list[str]:
    """Class names in Unicode NFC. Underscores and runs of white space are replaced by one space.

    Raises `ClassNamesError` for a single string, no names, or blank or repeated names.

    Examples
    --------
    >>> clean_names(["night_stand", " window_box_(for_plants)"])
    ['night stand', 'window box (for plants)']
    """
    if isinstance(names, str):
        raise ClassNamesError(f"names is the text {names!r}. Expected a list of names. Give [{names!r}].")
    # the order of a set is undefined
    if isinstance(names, set | frozenset) or not isinstance(names, Iterable):
        raise ClassNamesError(f"names is a {type(names).__name__}. Expected a list of strings. Give list(...).")
    names, first = list(names), dict[str, int]()
    if not names:
        raise ClassNamesError("there are no class names. Expected at least one. Give a list of names.")
    cleaned = [_clean(name, f"class name {i}") for i, name in enumerate(names)]
    for i, name in enumerate(cleaned):
        # text encoders ignore case, so names that differ only by case are the same class
        earlier = first.setdefault(name.casefold(), i)
        if earlier != i:
            raise ClassNamesError(
                f"class names {earlier + 1} and {i + 1}, {names[earlier]!r} and {names[i]!r}, are the same. "
                "Expected different names. Name each class once."
            )
    return cleaned


def _clean(name: Any, what: str) -> str:
    if not isinstance(name, str):
        raise ClassNamesError(f"{what} is {name!r}. Expected a string. Give the name as text.")
    cleaned = " ".join(unicodedata.normalize("NFC", name).replace("_", " ").split())
    if not cleaned:
        raise ClassNamesError(f"{what} is {name!r}, which is blank. Expected a word. Give one, or remove the name.")
    if any("\ud800" <= character <= "\udfff" for character in cleaned):
        raise ClassNamesError(
            f"{what} is {name!r}, which has surrogate characters. Expected valid Unicode. Remove these characters."
        )
    return cleaned


def _checked_aliases(aliases: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(aliases, Mapping):
        raise InputError(
            f"aliases is a {type(aliases).__name__}. Expected a mapping from names to words. "
            "Give for example {'display': 'monitor'}."
        )
    checked = {}
    for name, words in aliases.items():
        several = [words] if isinstance(words, str) else list(words)
        if not several:
            raise ClassNamesError(f"the alias of {name!r} has no words. Expected at least one. Add a word.")
        name = _clean(name, "a name with an alias").casefold()
        checked[name] = tuple(_clean(word, f"an alias of {name!r}") for word in several)
    return checked


def find_templates(templates: str | Sequence[str]) -> tuple[str, ...]:
    """Sentences with one {} each.

    `templates` is the name of a list in templates.toml, "" for the name without a sentence, or a list of sentences.

    >>> find_templates("")
    ('{}',)
    """
    if isinstance(templates, str):
        if not templates:
            return ("{}",)
        check_choice(templates, "templates", tuple(template_lists()))
        return template_lists()[templates]
    sentences = tuple(templates)
    if not sentences:
        raise InputError('templates is empty. Expected sentences with one {} each. For the name only, give "".')
    for i, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or sentence.count("{}") != 1:
            raise InputError(
                f"template {i} is {sentence!r}. Expected a string with exactly one {{}}. Put {{}} in place of the name."
            )
    return sentences


def _unit(vectors: Any) -> Vectors:
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
