"""How a module lists the variants and the synonyms of its category."""

from __future__ import annotations

from collections.abc import Callable

from openshape_ood.synthetic.builders._chance import Random
from openshape_ood.synthetic.mesh import Mesh

Maker = Callable[[Random], Mesh]

Variants = dict[str, Maker]


def words(listed: str) -> tuple[str, ...]:
    """The terms of a list separated by commas."""
    return tuple(listed.split(", "))
