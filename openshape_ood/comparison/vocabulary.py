"""Whether base classes are classes that will be asked about: then nothing would be zero-shot about a comparator."""

from __future__ import annotations

import re
from collections.abc import Sequence

from openshape_ood.errors import ClassNamesError

# words for one thing in the vocabularies of ModelNet40, ScanObjectNN, ShapeNet, Objaverse-LVIS and the generated shapes
ALIASES = """airplane aeroplane plane jet airliner, automobile car, bin trash-bin garbage-bin wastebasket trash-can
dustbin ashcan, bookshelf bookcase, cabinet cupboard, couch sofa settee, cell-phone cellphone cellular-telephone
mobile-phone smartphone, display monitor screen, earphone headphone headset, faucet tap, fridge refrigerator,
motorbike motorcycle, mug cup, night-stand nightstand bedside-table, stove oven cooker, television television-set tv
tv-set, tub bathtub bath, wardrobe closet"""
PLURALS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man"))
_ALIAS = {one.replace("-", " "): row.split()[0].replace("-", " ") for row in ALIASES.split(",") for one in row.split()}


def readings(name: str) -> set[str]:
    """What a class name may be short, plural or another spelling for, each as one word for one thing.

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
    """The base classes that are classes of an evaluation, or kinds of them, each with the one that it is.

    Spelling, plurals and well-known synonyms do not matter; what ends in the name of a class is a kind of it, as an
    office chair is a chair. Of "chair/variant", the variant of a category, the category counts too.

    Examples
    --------
    >>> overlaps(["office_chair", "Sofas", "lamp"], ["chair", "couch", "lampshade"])
    {'office_chair': 'chair', 'Sofas': 'couch'}
    """
    asked = {form: name for name in evaluation for form in readings(name)}
    found = {}
    for name in base:
        parts = [one for part in (name, *name.split("/")) for one in _kinds(part)]
        hit = next((asked[one] for one in parts if one in asked), None)
        if hit is not None:
            found[name] = hit
    return found


def check_apart(base: Sequence[str], evaluation: Sequence[str]) -> None:
    """Raises `ClassNamesError` where `overlaps` finds any, naming them."""
    if isinstance(evaluation, str):
        raise ClassNamesError(f"evaluation is the string {evaluation!r}; expected a list of names: [{evaluation!r}]")
    found = overlaps(base, evaluation)
    if found:
        some = ", ".join(f"{name!r} (is {other!r})" for name, other in list(found.items())[:6])
        more = ", …" * (len(found) > 6)
        raise ClassNamesError(
            f"{len(found)} of the {len(base)} base classes are classes of the evaluation: {some}{more}. "
            "A comparator trained on them has seen what it is asked about; leave them out"
        )


def _kinds(name: str) -> list[str]:
    """The readings of a name and of all its ends: what it is a kind of."""
    words = re.findall(r"[^\W_]+", re.sub(r"\(.*?\)", " ", name))
    return [form for i in range(len(words)) for form in sorted(readings(" ".join(words[i:])))]
