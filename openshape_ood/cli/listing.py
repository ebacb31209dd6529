"""What the user gave -> shapes of a table: files, folders, patterns and lists, each with an id that stays the same."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from openshape_ood.cli.console import Failure
from openshape_ood.cli.inputs import find_files

if TYPE_CHECKING:
    from openshape_ood.embedding_store.jobs import Item


@dataclass
class Listed:
    """items: in the order given; ignored: how many files are no shapes; failures: what is not there."""

    items: list[Item] = field(default_factory=list)
    ignored: int = 0
    failures: list[Failure] = field(default_factory=list)


def list_items(given: Iterable[str]) -> Listed:
    """The shapes. The id is the path inside the folder that was searched, or inside what of a pattern is fixed.

    It does not depend on what else is given, so that a run that goes on finds what there is.
    """
    from openshape_ood.embedding_store.jobs import Item, is_list, read_list

    listed = Listed()
    for word in given:
        path = Path(word).expanduser()
        if is_list(path):
            listed.items += read_list(path)
            continue
        found = find_files([word])
        root = _root(str(path))
        listed.items += [Item(Path(os.path.relpath(file.path, root)).as_posix(), file.path) for file in found.files]
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
