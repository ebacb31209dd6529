"""Prompts: names of classes as text encoders take them, and the sentences around them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openshape_ood.errors import ClassNamesError, InputError, UnknownNameError
from openshape_ood.registry.rows import template_lists


def clean_names(names: Any) -> list[str]:
    """Class names with underscores and runs of white space as one space.

    Parameters
    ----------
    names : iterable of str
        Names of classes, in an order.

    Returns
    -------
    list of str

    Raises
    ------
    ClassNamesError
        A single string, none, blank or repeated names.

    Examples
    --------
    >>> clean_names(["night_stand", " window_box_(for_plants)"])
    ['night stand', 'window box (for plants)']
    """
    if isinstance(names, str):
        raise ClassNamesError(f"names is the text {names!r}; expected a list of names: [{names!r}]")
    # a set has no order for the rows to follow
    if isinstance(names, set | frozenset) or not isinstance(names, Iterable):
        raise ClassNamesError(f"names is a {type(names).__name__}; expected a list of strings")
    names = list(names)
    if not names:
        raise ClassNamesError("there are no class names; expected at least one")
    cleaned = [_clean(name, f"class name {i}") for i, name in enumerate(names)]
    _check_distinct(cleaned, names)
    return cleaned


def _clean(name: Any, what: str) -> str:
    if not isinstance(name, str):
        raise ClassNamesError(f"{what} is {name!r}; expected a string")
    cleaned = " ".join(unicodedata.normalize("NFC", name).replace("_", " ").split())
    if not cleaned:
        raise ClassNamesError(f"{what} is blank ({name!r}); expected a word")
    if any("\ud800" <= character <= "\udfff" for character in cleaned):
        raise ClassNamesError(f"{what} has characters that are not text: {name!r}")
    return cleaned


def _check_distinct(cleaned: Sequence[str], given: Sequence[str]) -> None:
    # text encoders fold case, so names that differ by case alone would be one and the same class
    first: dict[str, int] = {}
    for i, name in enumerate(cleaned):
        earlier = first.setdefault(name.casefold(), i)
        if earlier != i:
            raise ClassNamesError(
                f"class names {given[earlier]!r} and {given[i]!r} ({earlier + 1} and {i + 1} of them) are the same; "
                "name each class once"
            )


def check_aliases(aliases: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(aliases, Mapping):
        raise InputError(f"aliases is a {type(aliases).__name__}; expected a mapping: {{'display': 'monitor'}}")
    checked = {}
    for name, words in aliases.items():
        several = [words] if isinstance(words, str) else list(words)
        if not several:
            raise ClassNamesError(f"the alias of {name!r} has no words; expected at least one")
        name = _clean(name, "a name with an alias").casefold()
        checked[name] = tuple(_clean(word, f"an alias of {name!r}") for word in several)
    return checked


def find_templates(templates: str | Sequence[str]) -> tuple[str, ...]:
    """Sentences with one {} each.

    Parameters
    ----------
    templates : str or sequence of str
        A list of templates.toml by name, "" for the bare name, or sentences of one's own.

    Returns
    -------
    tuple of str

    Raises
    ------
    UnknownNameError
        A list that there is not.
    InputError
        Sentences that cannot be used.

    Examples
    --------
    >>> find_templates("")
    ('{}',)
    """
    if isinstance(templates, str):
        return _named_templates(templates) if templates else ("{}",)
    sentences = tuple(templates)
    if not sentences:
        raise InputError('templates is empty; expected sentences with one {} each, or "" for the bare name')
    for i, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or sentence.count("{}") != 1:
            raise InputError(f"template {i} is {sentence!r}; expected a string with exactly one {{}}")
    return sentences


def _named_templates(name: str) -> tuple[str, ...]:
    lists = template_lists()
    if name not in lists:
        raise UnknownNameError(f"unknown templates {name!r}; known: {', '.join(lists)}")
    return lists[name]
