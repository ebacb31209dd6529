"""Ensembles: one row for several encoders, with a name such as `vitb32+uni3d-b`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openshape_ood.errors import InputError
from openshape_ood.registry.rows import About, Row, Source, Text
from openshape_ood.shapes import CloudSpec

SIGN = "+"


@dataclass(frozen=True)
class Member:
    """Settings of a member that affect its embeddings, without its weights."""

    name: str
    architecture: str
    sizes: Any
    spec: CloudSpec


@dataclass(frozen=True)
class EnsembleSizes:
    """Sizes of an ensemble. embedding_dim: sum of the members' widths."""

    embedding_dim: int
    members: tuple[Member, ...]


def ensemble(rows: Sequence[Row]) -> Row:
    """Row of several encoders. Members are sorted by name, so that every order of names gives the same row.

    Its spec has the largest point count of the members, and their common up axis. If their axes differ, the axis is y,
    and each member converts its clouds. Raises `InputError` for a repeated row, a row that is no shape encoder, or
    members with different gray values for clouds without color.
    """
    members = tuple(sorted(rows, key=lambda row: row.name))
    name = SIGN.join(row.name for row in members)
    if len({row.name for row in members}) < len(members):
        raise InputError(f"the ensemble {name!r} names an encoder twice. Expected each once. Remove the repetition.")
    for row in members:
        if row.kind != "shape":
            raise InputError(
                f"the ensemble {name!r} contains {row.name!r}, which is of kind {row.kind!r}. Expected shape encoders. "
                "Remove it."
            )
    specs, texts = [row.spec for row in members], [row.text for row in members]
    if len({spec.color for spec in specs}) > 1:
        grays = ", ".join(f"{row.spec.color:g} for {row.name}" for row in members)
        raise InputError(
            f"the members of the ensemble {name!r} replace missing colors by different grays: {grays}. Expected one "
            "gray. Choose other members."
        )
    together = CloudSpec(
        max(spec.count for spec in specs),
        _one_of({spec.up for spec in specs}) or "y",
        specs[0].color,
        _one_of({spec.fewer for spec in specs}) or "keep",
    )
    text = Text(
        # not "open_clip" if any member has another kind, because the other kinds warn about untrained names
        _kind({text.kind for text in texts}),
        SIGN.join(text.space for text in texts),
        _words([text.templates for text in texts]),
        _words([text.average for text in texts]),
    )
    dim = sum(row.sizes.embedding_dim for row in members)
    sizes = EnsembleSizes(dim, tuple(Member(row.name, row.architecture, row.sizes, row.spec) for row in members))
    licence = ", ".join(dict.fromkeys(row.licence for row in members))
    source = Source(together_sha256(row.source.sha256 for row in members))
    like = replace(members[0], name=name, folder=Path(), licence=licence, source=source, about=About(), unconfirmed="")
    return replace(like, architecture="ensemble", sizes=sizes, text=text, spec=together, members=members)


def together_sha256(digests: Iterable[str]) -> str:
    """sha256 of the members' sha256, in the order of their names; "" if one is unknown."""
    known = list(digests)
    return hashlib.sha256("\n".join(known).encode()).hexdigest() if all(known) else ""


def check_no_file(row: Row, checkpoint: Any) -> None:
    """Raise `InputError` if a single checkpoint file is given for an ensemble."""
    if row.members and checkpoint is not None:
        raise InputError(
            f"checkpoint is the file {checkpoint}, but {row.name!r} is an ensemble of {len(row.members)} encoders. "
            'Expected no file. For other weights, add a row to your own registry, such as [mine] with like = "tiny" '
            'and source = { file = ... }, and use "tiny+mine".'
        )


def _kind(kinds: set[str]) -> str:
    """Kind of the ensemble's text encoder; "" (no text encoder) if a member has none."""
    return "" if "" in kinds else "open_clip" if kinds == {"open_clip"} else "static"


def _one_of(values: set[str]) -> str:
    """Common value, or "" if the values differ."""
    return next(iter(values)) if len(values) == 1 else ""


def _words(each: Sequence[str]) -> str:
    return each[0] if len(set(each)) == 1 else SIGN.join(word or "bare" for word in each)
