"""Result of discover: groups of novel rows, their names, and their addition to the known classes."""

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

REACH = 0.05  # quantile of the largest cosine of each known row with a class name: the minimum for a name that fits


class Suggestion(NamedTuple):
    """Suggested name, its median cosine with the rows of the group, and whether it is a known class."""

    name: str
    cosine: float
    known: bool


@dataclass(frozen=True, eq=False)
class Group:
    """Group of similar novel rows.

    Attributes
    ----------
    number : int
        Number from 1, largest group first.
    rows : (m,) int64
        Indices into the embeddings, ordered from the center outwards. The first is the medoid, the row with the largest
        mean cosine to all rows of the group.
    stability : float
        Jaccard index, 0 to 1, with the most similar group in a random sample of four fifths of the novel rows, averaged
        over samples. Below 0.6 the group may be chance; from 0.75 on it counts as real (Hennig, 2007).
    names : tuple of Suggestion
        At most three suggestions, nearest first. Empty without candidate names.
    fits : bool, optional
        True if the first name fits; None if unknown.
    """

    number: int
    rows: np.ndarray
    stability: float
    names: tuple[Suggestion, ...] = ()
    fits: bool | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def words(self) -> str:
        """Names as text: "teapot 0.31, cup 0.12 (known)", or "no name fits (...)"."""
        listed = ", ".join(f"{one.name} {one.cosine:.2f}{' (known)' * one.known}" for one in self.names)
        return f"no name fits ({listed})" if self.fits is False else listed


@dataclass(frozen=True, eq=False)
class Discovery:
    """Result of `discover` for b rows.

    Attributes
    ----------
    groups : tuple of Group
    novel : (b,) bool
        True for rows with a novelty beyond the threshold.
    embeddings : Embeddings
        Embeddings of all rows.
    name_threshold : Threshold, optional
        Largest 1 - cosine of a name that fits; None if unknown.
    grouped : int
        Number of distinct novel rows that were clustered: all, or a sample of 5,000.
    """

    groups: tuple[Group, ...]
    novel: np.ndarray
    embeddings: Embeddings
    name_threshold: Threshold | None = None
    grouped: int = 0

    @cached_property
    def labels(self) -> np.ndarray:
        """Group number (b,) of each row; 0 for novel rows without a group, -1 for known rows."""
        labels = np.where(self.novel, 0, -1)
        for group in self.groups:
            labels[group.rows] = group.number
        return labels

    def accept(
        self, names: Mapping[int, str], known: KnownClasses, *, text: NamesEncoder | None = None
    ) -> KnownClasses:
        """Known classes with groups added as classes, for scoring again.

        The rows of a group become examples of its class. If the known classes have embeddings of names, the new name is
        embedded too. The name fits if its median cosine with the rows reaches a minimum. The minimum is the 5 %
        quantile, over the known rows (rows that are not novel), of the largest cosine with a class name. If the name
        does not fit, because the text encoder does not know it, `Discovery.direction` of the rows replaces its
        embedding. If the known classes have only names, a class whose name fits gets no examples. Groups with the same
        name, or with the name of a known class, form one class. The result has no threshold, because a threshold holds
        only for the classes that it was made with.

        Parameters
        ----------
        names : mapping of int to str
            Class name for each group number.
        known : KnownClasses
        text : NamesEncoder, optional
            Text encoder, needed if the known classes have names. Default: the one of the embeddings' checkpoint.

        Raises
        ------
        InputError
            For an unknown group number. `ClassNamesError`: a name is missing or blank. `MixedEncodersError`: the known
            classes belong to another encoder.
        """
        known.check_fits(self.embeddings.identity)
        groups = {group.number: group for group in self.groups}
        unknown = [number for number in names if number not in groups]
        if unknown:
            there = f"a number from 1 to {len(groups)}" if groups else "no number, because there are no groups"
            raise InputError(f"there is no group {unknown[0]!r}. Expected {there}. Give only existing groups.")
        check_names(list(dict.fromkeys(names.values())))
        by_name = known.examples is None
        for number, name in names.items():
            known = self._added(known, name, groups[number].rows, text, by_name)
        return replace(known, threshold=None)

    @cached_property
    def _unit(self) -> np.ndarray:
        return unit(self.embeddings.vectors, "embedding", self.embeddings.names)

    def direction(self, rows: np.ndarray, text: np.ndarray) -> np.ndarray:
        """Unit vector (1, d) that replaces the embedded name of the class with `rows` (m,).

        `text` (k, d) are the embedded names of all classes. The vector is the mean of the rows, minus the mean of all
        other rows, plus the mean of the names. This shift is needed because shapes and names occupy different parts of
        the space. If there are no other rows, the vector is the mean of the rows.
        """
        others, mean = np.delete(self._unit, rows, axis=0), self._unit[rows].mean(axis=0)
        moved = mean if not len(others) else mean - others.mean(axis=0) + unit(text, "the name").mean(axis=0)
        return unit(moved[None], "the direction of the group")

    def _added(
        self, known: KnownClasses, name: str, rows: np.ndarray, text: NamesEncoder | None, by_name: bool
    ) -> KnownClasses:
        """Known classes with a group added. `by_name` is True if the original classes had only names."""
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
        """Groups, novel rows without a group ("alone"), name threshold and counts. Rows appear as names of shapes."""
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
        fitting = self.name_threshold and self.name_threshold.as_json()
        return {"groups": groups, "alone": alone, "name_threshold": fitting, "counts": counts, "grouped": self.grouped}

    def __repr__(self) -> str:
        return f"Discovery({', '.join(f'{count} {what}' for what, count in self.as_json()['counts'].items())})"


def _joined(known: KnownClasses, made: KnownClasses) -> KnownClasses:
    """Union of named classes and one more named class. Both may have examples."""
    if (known.examples is None) == (made.examples is None):
        return KnownClasses.join(known, made)
    examples = made if known.examples is None else known
    rows, labels = examples.labeled_examples()
    names, vectors = (*known.names, *made.names), [one.text for one in (known, made) if one.text is not None]
    labels = labels + (len(known.names) if examples is made else 0)
    text, identity = np.concatenate(vectors), examples.identity
    return replace(known, names=names, identity=identity, text=text, examples=rows, labels=labels)


def text_for(identity: Identity, text: NamesEncoder | None) -> NamesEncoder:
    """The given text encoder, else the one of the checkpoint.

    Raises `MixedEncodersError` if the given encoder has another embedding space.
    """
    from openshape_ood.encoders.text.encoder import TextEncoder
    from openshape_ood.registry import is_registered

    check_encoders(None, text)
    if text is None:
        if not is_registered(identity.checkpoint):
            raise InputError(
                f"the registry has no text encoder for {identity.checkpoint!r}. Expected one for the names. Give text=."
            )
        return TextEncoder.from_pretrained(identity.checkpoint)
    if not text.identity.fits(identity):
        raise MixedEncodersError(
            f"the names are embedded by {text.identity}, the rows by {identity}. Expected one embedding space. "
            "Give a text encoder of that space."
        )
    return text
