"""Generated shapes for calibration, and the generated category of a class name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from openshape_ood.errors import UnknownNameError
from openshape_ood.synthetic import categories, sample, scan, synonyms

SCANS = 50  # per class: enough for a coverage of 95 % with one class
POINTS = 2048
SEVERITY = 0.8  # as in the generated benchmarks
FIRST_SEED = 7_600_000  # larger than all seeds of the benchmarks, smaller than those of the training shapes of `tiny`


def resolve(name: str) -> str | None:
    """Generated category of a class name or synonym. None if no category matches, or several.

    Case, underscores and hyphens are ignored. If no word matches, singular and plural count as equal.

    >>> resolve("couch"), resolve("Night_Stand"), resolve("Bookshelves"), resolve("robot arm")
    ('sofa', 'night stand', 'bookshelf', None)
    """
    spelled, folded = _words()
    word = _spelling(name)
    matches = spelled.get(word) or folded.get(_fold(word)) or set()
    return next(iter(matches)) if len(matches) == 1 else None


def calibration_scans(names: Sequence[str], scans: int = SCANS) -> list[np.ndarray]:
    """Generated scans of all known classes: clouds (2048, 3) by category, y up, meters. The scans are always the same.

    Names are resolved by `resolve`. Several names of one category count once. Raises `UnknownNameError` for a name
    without a generated category.

    >>> len(calibration_scans(["chair", "table"], scans=3))
    6
    """
    return [scan(name, POINTS, FIRST_SEED + i, severity=SEVERITY) for name in _resolved(names) for i in range(scans)]


def calibration_models(names: Sequence[str], models: int = SCANS) -> list[np.ndarray]:
    """Shapes of `calibration_scans`, sampled cleanly. Use them to calibrate for whole models, which are less novel.

    >>> calibration_models(["chair"], models=1)[0].shape
    (2048, 3)
    """
    return [sample(name, POINTS, FIRST_SEED + i) for name in _resolved(names) for i in range(models)]


def _resolved(names: Sequence[str]) -> list[str]:
    """Distinct categories of the names. Raises `UnknownNameError` for a name without a category."""
    resolved = {name: resolve(name) for name in names}
    strange = [name for name, category in resolved.items() if category is None]
    if strange:
        raise UnknownNameError(
            f"no generated category is called {', '.join(map(repr, strange))}. Expected one of "
            "`synthetic.categories()` or a word of `synthetic.synonyms`. For other classes, "
            "calibrate with your own shapes."
        )
    return list(dict.fromkeys(category for category in resolved.values() if category))


@cache
def _words() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Categories of each word, in two tables. The second has singular and plural forms folded into one by `_fold`."""
    spelled: dict[str, set[str]] = {}
    folded: dict[str, set[str]] = {}
    for category in categories():
        for word in map(_spelling, (category, *synonyms(category))):
            spelled.setdefault(word, set()).add(category)
            folded.setdefault(_fold(word), set()).add(category)
    return spelled, folded


def _spelling(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold().strip(" _-\t\n")))


def _fold(word: str) -> str:
    """Common form of singular and plural: chair, chairs; knife, knives; box, boxes; battery, batteries."""
    if word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    word = word.removesuffix("e")
    return word[:-1] + {"v": "f", "i": "y"}.get(word[-1:], word[-1:])
