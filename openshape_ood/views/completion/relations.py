"""The six spatial relations, as the view sees them: its camera looks along +x, its left is +y."""

from __future__ import annotations

from openshape_ood.errors import UnknownNameError

RELATIONS = ("in", "behind", "in front of", "on the left of", "on the right of", "on")


def check_relation(relation: str) -> str:
    """Raises `UnknownNameError` for what is none of the six."""
    if relation not in RELATIONS:
        raise UnknownNameError(f"unknown relation {relation!r}; known: {', '.join(RELATIONS)}")
    return relation
