"""Words for things that have a shape: what a shape may be when it is none of the known classes."""

from __future__ import annotations

from functools import cache


@cache
def things() -> tuple[str, ...]:
    """The categories of `openshape_ood.synthetic` and two synonyms of each, sorted.

    >>> len(things()) > 150
    True
    >>> "guitar" in things()
    True
    """
    from openshape_ood.synthetic import categories, synonyms

    return tuple(sorted({word for name in categories() for word in (name, *synonyms(name)[:2])}))
