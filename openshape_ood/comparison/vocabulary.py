"""Overlap of base classes and evaluation classes. Without an overlap, the evaluation of a comparator is zero-shot."""

from __future__ import annotations

import re
from collections.abc import Sequence

from openshape_ood.errors import ClassNamesError

# synonyms among the class names of ModelNet40, ScanObjectNN, ShapeNet, Objaverse-LVIS and the generated shapes
ALIASES = """airplane aeroplane plane jet airliner, automobile car, bin trash-bin garbage-bin wastebasket trash-can
dustbin ashcan, bookshelf bookcase, cabinet cupboard, couch sofa settee, cell-phone cellphone cellular-telephone
mobile-phone smartphone, display monitor screen, earphone headphone headset, faucet tap, fridge refrigerator,
motorbike motorcycle, mug cup, night-stand nightstand bedside-table, stove oven cooker, television television-set tv
tv-set, tub bathtub bath, wardrobe closet"""
PLURALS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man"))
_ALIAS = {one.replace("-", " "): row.split()[0].replace("-", " ") for row in ALIASES.split(",") for one in row.split()}


def readings(name: str) -> set[str]:
    """Canonical forms of a class name: in the singular, in the usual spelling, and with one word for all synonyms.

    Examples
    --------
    >>> sorted(readings("Trash_Cans")), sorted(readings("vases"))
    (['bin', 'trash cans'], ['vas', 'vase', 'vases'])
    """
    plain = re.sub(r"\(.*?\)", " ", name.casefold())
    words = " ".join(re.findall(r"[^\W_]+", plain))
    forms = {words, *(words.removesuffix(end) + one for end, one in PLURALS if words.endswith(end))}
    return {_ALIAS.get(form, form) for form in forms}


def overlaps(base: Sequence[str], evaluation: Sequence[str]) -> dict[str, str]:
    """Base classes that overlap with evaluation classes, as a mapping from base class to evaluation class.

    Differences of spelling, plurals and common synonyms are ignored. A name that ends in a class name is a kind of this
    class and overlaps with it: an office chair is a chair. The parts of a name with a slash are compared too, as in
    "chair/variant".

    Examples
    --------
    >>> overlaps(["office_chair", "Sofas", "lamp"], ["chair", "couch", "lampshade"])
    {'office_chair': 'chair', 'Sofas': 'couch'}
    """
    forms = {form: name for name in evaluation for form in readings(name)}
    shared = {}
    for name in base:
        parts = [one for part in (name, *name.split("/")) for one in _kinds(part)]
        hit = next((forms[one] for one in parts if one in forms), None)
        if hit is not None:
            shared[name] = hit
    return shared


def check_apart(base: Sequence[str], evaluation: Sequence[str]) -> None:
    """Raise `ClassNamesError` with all overlaps, if there are any."""
    if isinstance(evaluation, str):
        raise ClassNamesError(
            f"evaluation is the string {evaluation!r}. Expected a list of names. Give [{evaluation!r}]."
        )
    shared = overlaps(base, evaluation)
    if shared:
        some = ", ".join(f"{name!r} (is {other!r})" for name, other in list(shared.items())[:6])
        more = ", …" * (len(shared) > 6)
        raise ClassNamesError(
            f"{len(shared)} of the {len(base)} base classes are classes of the evaluation: {some}{more}. "
            "Expected no common classes, because a comparator must not be trained on test classes. Leave them out."
        )


def _kinds(name: str) -> list[str]:
    """Canonical forms of a name, and of the name without its first words."""
    words = re.findall(r"[^\W_]+", re.sub(r"\(.*?\)", " ", name))
    return [form for i in range(len(words)) for form in sorted(readings(" ".join(words[i:])))]
