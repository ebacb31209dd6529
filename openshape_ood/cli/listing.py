"""What the user gave -> shapes of a table: files, folders, patterns and lists, each with an id that stays the same."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from openshape_ood.cli.console import Failure
from openshape_ood.cli.inputs import find_files

if TYPE_CHECKING:
    from openshape_ood.embedding_store.jobs import Item


@dataclass
class Listed:
    """items: in the order given, of lists read anew by every loop; ignored: how many files are no shapes; failures:
    what is not there."""

    items: Iterable[Item] = ()
    ignored: int = 0
    failures: list[Failure] = field(default_factory=list)

    def count(self) -> int:
        return sum(1 for _ in self.items)


class _Chained:
    """Items of several sources, one after the other."""

    def __init__(self, sources: list[Iterable[Item]]) -> None:
        self.sources = sources

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self.sources)


def list_items(given: Iterable[str]) -> Listed:
    """The shapes. The id is the path inside the folder that was searched, or inside what of a pattern is fixed.

    It does not depend on what else is given, so that a run that goes on finds what there is.
    """
    from openshape_ood.embedding_store.jobs import Item, ShapeList, is_list

    sources: list[Iterable[Item]] = []
    listed = Listed(_Chained(sources))
    for word in given:
        path = Path(word).expanduser()
        if is_list(path):
            sources.append(ShapeList(path))
            continue
        found = find_files([word])
        root = _root(str(path))
        sources.append([Item(Path(os.path.relpath(file.path, root)).as_posix(), file.path) for file in found.files])
        listed.ignored += found.ignored
        listed.failures += found.failures
    return listed


def _root(word: str) -> str:
    """The folder that ids are relative to.

    >>> _root("scans/*/mesh.ply"), _root("scans/**/*.glb"), _root("chair.ply")
    ('scans', 'scans', '')
    """
    if os.path.isdir(word):
        return word
    if os.path.lexists(word) or not glob.has_magic(word):
        return os.path.dirname(word)
    while glob.has_magic(word):
        word = os.path.dirname(word)
    return word
