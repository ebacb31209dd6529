"""Words for things that have a shape: what a shape may be when it is none of the known classes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def negative_words() -> tuple[str, ...]:
    """The everyday categories that NegLabel weighs the known classes against, and two synonyms of each.

    Returns
    -------
    tuple of str
        The lines of `negative_words.txt`, sorted, each once.

    References
    ----------
    Jiang et al., Negative Label Guided OOD Detection with Pretrained Vision-Language Models, arXiv:2403.20078.

    Examples
    --------
    >>> len(negative_words()) > 150
    True
    >>> "guitar" in negative_words()
    True
    """
    return tuple(files(__package__).joinpath("negative_words.txt").read_text(encoding="utf-8").splitlines())
