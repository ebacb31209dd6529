"""Words for things that have a shape: what a shape may be when it is none of the known classes."""

from __future__ import annotations

from functools import cache


@cache
def negative_words() -> tuple[str, ...]:
    """The categories of `openshape_ood.synthetic` and two synonyms of each, sorted.

    >>> len(negative_words()) > 150
    True
    >>> "guitar" in negative_words()
    True
    """
    from openshape_ood.synthetic import categories, synonyms

    return tuple(sorted({word for name in categories() for word in (name, *synonyms(name)[:2])}))
