"""Comparator: a method trained once, on pairs of classes other than the known ones."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from openshape_ood.comparison.families import Similarity, restored
from openshape_ood.comparison.scorer import Compare
from openshape_ood.encoders.protocols import ANONYMOUS, Identity
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.registry import load_registry
from openshape_ood.registry.files import fetch
from openshape_ood.registry.sharing import Shared, is_shared, shared_path
from openshape_ood.scoring import Method
from openshape_ood.storage import loaded_arrays, save_arrays

KIND = "comparator"  # kind of registry rows and of files
RESEND = "arXiv 2207.08699"  # Cappio Borlino et al., "Semantic novelty detection via relational reasoning"


@dataclass(frozen=True, eq=False)
class Comparator(Method, Shared):
    """Learned similarity of two shapes, trained on pairs of base classes and applied to other classes.

    It is a `Method`, so every entry point accepts it, as in `score_novelty(..., method=comparator)`. The novelty is
    minus the largest similarity to a class. Nothing is trained on the known classes. `card` lists the base classes.

    `comparator.configured(...)` changes the settings:

    - prototypes: vectors that represent the examples of a class: their "mean", their "medoid", "k-center" (k examples
      far from each other), or "all" examples.
    - anchors: what represents a class: "examples", "names" or "both". With "examples", a class without examples is
      represented by its name, if the comparator learned names.
    - pool: "max" or "mean" of the similarities to all anchors of a class.
    - score: "max" is minus the largest similarity to a class. "softmax" is 1 minus the largest softmax probability of a
      class, as published; it depends on the number of classes and needs two or more. "neighbors" is minus the mean of
      the k largest similarities to anchors of any class.

    Attributes
    ----------
    card : mapping
        Origin of the comparator: base classes, recipe, training history.

    Examples
    --------
    >>> from openshape_ood import score_embeddings
    >>> from openshape_ood.comparison import Cosine
    >>> known = {"chair": [[1.0, 0.1], [0.9, 0.0]], "lamp": [[0.0, 1.0], [0.1, 1.0]]}
    >>> comparator = Comparator.of(Cosine(), prototypes="all", pool="mean")
    >>> print(score_embeddings([[1.0, 0.0], [-1.0, 0.1]], known, comparator))
    shape  nearest  novelty
    row 0  chair     -0.998
    row 1  lamp      -0.050
    """

    card: Mapping[str, Any] = field(default_factory=dict)
    shared_file: ClassVar[str] = "comparator.safetensors"

    @classmethod
    def of(
        cls,
        similarity: Similarity,
        identity: Identity | None = None,
        *,
        text: bool = False,
        card: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Comparator:
        """Comparator with a given similarity.

        `identity` is the encoder of the embeddings that it compares; None means any encoder with embeddings of the same
        width. `text` is True if it also learned names. `settings` are as in the class documentation.
        """
        compare = Compare(similarity, identity, text)
        needs: Any = "any" if text else "examples"
        name = f"{KIND} {_digest(similarity)[:8]}"
        # raw embeddings, because the scorer normalizes them itself, unless the similarity uses their lengths
        return cls(name, compare, needs, "raw", RESEND, settings, dict(card or {}))

    def __post_init__(self) -> None:
        super().__post_init__()
        # a threshold is valid for one choice of settings, so the name contains the settings
        shown = ", ".join(f"{name} {value}" for name, value in sorted(self.settings.items()))
        object.__setattr__(self, "name", self.name.partition(" (")[0] + (f" ({shown})" if shown else ""))

    def __repr__(self) -> str:
        classes = len(self.card.get("classes", ()))
        learned = f", {classes} base classes" if classes else ""
        return f"Comparator({self.name}: {self.similarity.family}, {self.identity or 'any encoder'}{learned})"

    @property
    def compare(self) -> Compare:
        return cast(Compare, self.scorer)  # `of` makes all comparators, always with a `Compare`

    @property
    def similarity(self) -> Similarity:
        return self.compare.similarity

    @property
    def identity(self) -> Identity | None:
        """Encoder of the embeddings that it compares."""
        return self.compare.identity

    @classmethod
    def from_pretrained(
        cls, name: str, *, registry: str | os.PathLike[str] | None = None, revision: str = "main"
    ) -> Comparator:
        """Load a comparator from a registry row, a folder, or a repository of the Hub. Downloads it if necessary.

        Parameters
        ----------
        name : str
            Name of a comparator row or of an encoder. For an encoder, the last comparator row for it is used; rows of
            your own registry follow the rows of the package. A folder of `save_pretrained`, or "owner/name" on the Hub,
            is also accepted.
        registry : path, optional
            As in `list_checkpoints`.
        revision : str
            Branch, tag or commit of the repository.

        Raises
        ------
        UnknownNameError, FileError
            For an unknown name, or an unusable registry or file.
        """
        rows = [row for row in load_registry(registry).values() if row.kind == KIND]
        if is_shared(name) and name not in {place for row in rows for place in (row.name, row.encoder)}:
            return cls.load(shared_path(name, cls.shared_file, revision))
        matching = [row for row in rows if row.name == name] or [row for row in rows if row.encoder == name]
        if not matching:
            there = ", ".join(f"{row.name} (for {row.encoder})" for row in rows) or "none"
            raise UnknownNameError(
                f"the registry has no comparator for {name!r}. Expected one of its rows: {there}. Train a comparator "
                "with `openshape-ood comparator fit`, or give method=Comparator.load(FILE)."
            )
        return cls.load(fetch(matching[-1]))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Comparator:
        """Read a file that `save` wrote. Raises `FileError` for any other file."""
        with loaded_arrays(path, KIND) as (header, arrays):
            similarity = restored(header["family"], header["state"], arrays)
            identity = header["identity"]
            if identity is not None:
                identity = Identity(**{f.name: str(identity[f.name]) for f in fields(Identity)})
            card = dict(header["card"])
            return cls.of(similarity, identity, text=bool(header["text"]), card=card, **header["settings"])

    def card_facts(self) -> dict[str, Any]:
        """Rows of the model card."""
        identity = self.identity
        return {
            "title": "Comparator of shapes",
            "similarity": self.similarity.family,
            "encoder": f"{identity.checkpoint} (sha256 {identity.sha256})" if identity else "any of the right width",
            "base classes": list(self.card.get("classes", ()))[:50] or "not stated",
            "settings": [f"{name} {value}" for name, value in self.settings.items()] or "defaults",
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .safetensors file atomically. Raises `FileError` if writing fails."""
        state, arrays = self.similarity.state()
        header = {
            "family": self.similarity.family,
            "state": state,
            "identity": None if self.identity is None else asdict(self.identity),
            "text": self.compare.text,
            "settings": dict(self.settings),
            "card": dict(self.card),
        }
        return save_arrays(path, arrays, header, KIND)


def registered_scorer(known: Any) -> Any:
    """Scorer of the method "comparator". It uses the registry's comparator for the encoder of the known classes."""
    if known.identity == ANONYMOUS:
        raise InputError(
            "method 'comparator' takes the comparator from the registry, but the known classes do not state their "
            "encoder. Expected KnownClasses with an identity. Give it, or method=Comparator.from_pretrained(NAME)."
        )
    return Comparator.from_pretrained(known.identity.checkpoint).fit(known)


def _digest(similarity: Similarity) -> str:
    state, arrays = similarity.state()
    digest = hashlib.sha256(json.dumps([similarity.family, state], sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
