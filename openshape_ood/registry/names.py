"""Lookup of rows by name: one checkpoint, or names joined by + for an ensemble."""

from __future__ import annotations

import os

from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.registry.ensembles import SIGN, ensemble
from openshape_ood.registry.rows import Row, load_registry
from openshape_ood.registry.schema import meant


def find_checkpoint(
    name: str, registry: str | os.PathLike[str] | None = None, *, kinds: tuple[str, ...] = ("shape",)
) -> Row:
    """Row with this name and one of these kinds. Names joined by + give an ensemble.

    registry: as in `list_checkpoints`.

    Raises
    ------
    UnknownNameError, RegistryError, InputError
        For an unknown name, an unreadable registry, or rows that cannot form an ensemble.

    Examples
    --------
    >>> row = find_checkpoint("vitg14")
    >>> row.spec.up, row.sizes.embedding_dim
    ('z', 1280)
    >>> find_checkpoint("vitg14+tiny").name
    'tiny+vitg14'
    """
    every = load_registry(registry)
    rows = {row.name: row for row in every.values() if row.kind in kinds}
    parts = [name] if not isinstance(name, str) or name in rows else [part.strip() for part in name.split(SIGN)]
    for part in parts:
        if not isinstance(part, str) or part not in rows:
            what = f"{part!r} in {name!r}" if len(parts) > 1 else repr(part)
            if isinstance(part, str) and part in every:
                raise UnknownNameError(
                    f"checkpoint {what} is of kind {every[part].kind!r}. Expected {' or '.join(map(repr, kinds))}. "
                    f"Choose one of {', '.join(rows) or 'none'}."
                )
            hint = meant(str(part), rows, 0.4) or "Choose one of these."
            raise UnknownNameError(f"unknown checkpoint {what}. Expected one of {', '.join(rows)}. {hint}")
    return ensemble([rows[part] for part in parts]) if len(parts) > 1 else rows[parts[0]]


def is_registered(name: str, registry: str | os.PathLike[str] | None = None) -> bool:
    """True if `find_checkpoint` accepts the name."""
    try:
        return bool(find_checkpoint(name, registry))
    except InputError:
        return False
