"""Discovery: groups of novel rows, their names, and how they are added to what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from openshape_ood.checks import check_names, unit
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings, Identity, NamesEncoder, check_encoders
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.known import KnownClasses, folded

REACH = 0.05  # of the rows kept as known have a smaller cosine with their name than one that fits


class Suggestion(NamedTuple):
    """A name for a group: the median cosine of its rows with it, and whether it is that of a known class."""

    name: str
    cosine: float
    known: bool


@dataclass(frozen=True, eq=False)
class Group:
    """Novel rows that are alike.

    Attributes
    ----------
    number : int
        From 1, the largest group first.
    rows : (m,) int64
        Indices into the embeddings, from the center outwards: the first is the medoid, whose mean cosine with all is
        the largest.
    stability : float
        How well the group is found again in samplings of four fifths of the novel rows: the mean Jaccard index with
        the group most like it, 0 to 1. Below 0.6 it may be chance, from 0.75 it is taken for real (Hennig, 2007).
    names : tuple of Suggestion
        Three at most, the nearest first; none without a vocabulary.
    fits : bool, optional
        Whether the first name fits; None where nothing tells.
    """

    number: int
    rows: np.ndarray
    stability: float
    names: tuple[Suggestion, ...] = ()
    fits: bool | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def words(self) -> str:
        """The names as people read them: "teapot 0.31, cup 0.12 (known)", or "no name fits (...)"."""
        said = ", ".join(f"{one.name} {one.cosine:.2f}{' (known)' * one.known}" for one in self.names)
        return f"no name fits ({said})" if self.fits is False else said


@dataclass(frozen=True, eq=False)
class Discovery:
    """What `discover` found among b rows.

    Attributes
    ----------
    groups : tuple of Group
    novel : (b,) bool
        Which rows lie beyond the threshold.
    embeddings : Embeddings
        Of all rows.
    name_threshold : Threshold, optional
        1 - cosine up to which a name fits a group; None where nothing tells.
    grouped : int
        Different novel rows that were grouped: all, or a sample of 5,000, which the others joined.
    """

    groups: tuple[Group, ...]
    novel: np.ndarray
    embeddings: Embeddings
    name_threshold: Threshold | None = None
    grouped: int = 0

    @cached_property
    def labels(self) -> np.ndarray:
        """The number (b,) of each row's group; 0 for novel rows of no group, -1 for known rows."""
        labels = np.where(self.novel, 0, -1)
        for group in self.groups:
            labels[group.rows] = group.number
        return labels

    def accept(
        self, names: Mapping[int, str], known: KnownClasses, *, text: NamesEncoder | None = None
    ) -> KnownClasses:
        """The known classes with groups added, to score again with.

        The rows of a group become examples of its class. Where classes have names, its name is embedded too. It fits if
        the median cosine of the rows with it is in reach of what the rows kept as known have with their names (their
        5 % quantile). Where classes have names only, a class whose name fits is known by it alone. A name that does not
        fit, as no text encoder knows it, is replaced by `Discovery.direction` of the rows. A name that is known, or
        that two groups get, is one class. There is no threshold: it is for the classes it was made with.

        Parameters
        ----------
        names : mapping of int to str
            Number of a group -> its class.
        known : KnownClasses
        text : NamesEncoder, optional
            Where the known classes have names; else the text encoder of the checkpoint that made the embeddings.

        Raises
        ------
        InputError
            For a group that there is not; `ClassNamesError` for no name or a blank one; `MixedEncodersError` for known
            classes of another encoder.
        """
        known.check_fits(self.embeddings.identity)
        groups = {group.number: group for group in self.groups}
        strangers = [number for number in names if number not in groups]
        if strangers:
            there = f"a number from 1 to {len(groups)}" if groups else "none, as there are no groups"
            raise InputError(f"there is no group {strangers[0]!r}; expected {there}")
        check_names(list(dict.fromkeys(names.values())))
        by_name = known.examples is None
        for number, name in names.items():
            known = self._added(known, name, groups[number].rows, text, by_name)
        return replace(known, threshold=None)

    @cached_property
    def _unit(self) -> np.ndarray:
        return unit(self.embeddings.vectors, "embedding", self.embeddings.names)

    def direction(self, rows: np.ndarray, text: np.ndarray) -> np.ndarray:
        """A unit vector (1, d) that stands for the name of rows (m,) beside names (k, d).

        Mean of the rows, minus mean of all other rows, plus mean of the names: shapes and names lie in different parts
        of the space. If there are no other rows, the mean of the rows.
        """
        others, own = np.delete(self._unit, rows, axis=0), self._unit[rows].mean(axis=0)
        moved = own if not len(others) else own - others.mean(axis=0) + unit(text, "the name").mean(axis=0)
        return unit(moved[None], "the direction of the group")

    def _added(
        self, known: KnownClasses, name: str, rows: np.ndarray, text: NamesEncoder | None, by_name: bool
    ) -> KnownClasses:
        """by_name: the classes were known by their names alone before any group was added."""
        vectors = self.embeddings.vectors[rows]
        there = [i for i, other in enumerate(known.names) if folded(other) == folded(name)]
        if there and by_name and there[0] not in known.shown:
            return known
        if there:
            examples, labels = known.labeled_examples()
            examples, labels = np.concatenate([examples, vectors]), np.append(labels, there * len(rows))
            return replace(known, examples=examples, labels=labels)
        made = KnownClasses.from_embeddings(vectors, [name] * len(rows), known.identity)
        if known.text is None:
            return KnownClasses.join(known, made)
        named = KnownClasses.from_names([name], text_for(self.embeddings.identity, text))
        kept = (self._unit[~self.novel] @ known.text.T).max(axis=1)
        fits = len(kept) > 0 and np.median(self._unit[rows] @ named.anchors[0]) >= np.quantile(kept, REACH)
        if fits and by_name:
            return _joined(known, named)
        vector = named.text if fits else self.direction(rows, known.text)
        return _joined(known, replace(made, text=vector))

    def as_json(self) -> dict[str, Any]:
        """Groups, novel rows of none ("alone"), and counts, as texts and numbers; rows by their names."""
        shapes = np.array(self.embeddings.names or [f"row {i}" for i in range(len(self.novel))], dtype=object)
        groups = [
            {
                "group": group.number,
                "size": len(group),
                "stability": group.stability,
                "medoid": shapes[group.rows[0]],
                "names": [suggestion._asdict() for suggestion in group.names],
                "fits": group.fits,
                "shapes": shapes[group.rows].tolist(),
            }
            for group in self.groups
        ]
        alone = shapes[self.labels == 0].tolist()
        counts = {"shapes": len(shapes), "novel": int(self.novel.sum()), "groups": len(groups), "alone": len(alone)}
        told = self.name_threshold and self.name_threshold.as_json()
        return {"groups": groups, "alone": alone, "name_threshold": told, "counts": counts, "grouped": self.grouped}

    def __repr__(self) -> str:
        return f"Discovery({', '.join(f'{count} {what}' for what, count in self.as_json()['counts'].items())})"


def _joined(known: KnownClasses, made: KnownClasses) -> KnownClasses:
    """Classes with names, and one more with a name: each with examples or without."""
    if (known.examples is None) == (made.examples is None):
        return KnownClasses.join(known, made)
    examples = made if known.examples is None else known
    own, labels = examples.labeled_examples()
    names, vectors = (*known.names, *made.names), [one.text for one in (known, made) if one.text is not None]
    labels = labels + (len(known.names) if examples is made else 0)
    text, identity = np.concatenate(vectors), examples.identity
    return replace(known, names=names, identity=identity, text=text, examples=own, labels=labels)


def text_for(identity: Identity, text: NamesEncoder | None) -> NamesEncoder:
    """The text encoder given, or that of the checkpoint; raises `MixedEncodersError` for one of another space."""
    from openshape_ood.encoders.text.encoder import TextEncoder
    from openshape_ood.registry import is_registered

    check_encoders(None, text)
    if text is None:
        if not is_registered(identity.checkpoint):
            raise InputError(f"the registry has no text encoder of {identity.checkpoint!r} for names; give text=")
        return TextEncoder.from_pretrained(identity.checkpoint)
    if not text.identity.fits(identity):
        raise MixedEncodersError(
            f"the names are embedded by {text.identity}, the rows by {identity}; expected one embedding space for both"
        )
    return text
