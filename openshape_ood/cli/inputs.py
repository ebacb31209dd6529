"""Shape files named by arguments: files, folders (searched), patterns (expanded) and lists (read)."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from openshape_ood.cli.console import Failure, failed_json, print_note, shown
from openshape_ood.errors import FileError, InputError
from openshape_ood.shapes.formats import SUFFIXES

if TYPE_CHECKING:
    from openshape_ood.embedding_store.jobs import Item
    from openshape_ood.encoders.protocols import Identity

# suffixes of files that accompany meshes; an unquoted pattern such as scans/* includes them
SIDE_FILES = (".mtl", ".png", ".jpg", ".jpeg", ".bmp", ".tga", ".tif", ".tiff", ".webp", ".bin")
NAMED = 3  # ignored files listed in a note


@dataclass(frozen=True)
class File:
    """A file to read. path: as the user gave it. id: path relative to the searched folder."""

    path: str
    id: str


@dataclass
class Inputs:
    """Inputs of a command.

    files: shape files in the given order. stores: stored embeddings. ignored: other files. failures: missing inputs.
    """

    files: list[File] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def identities(self) -> list[Identity]:
        """Encoders of the stored embeddings."""
        from openshape_ood.embedding_store import read_header

        return [read_header(store).identity for store in self.stores]

    def as_json(self, done: str, count: int) -> dict[str, Any]:
        """Summary for JSON: failed and ignored files, and counts. done: name of the count of usable files."""
        counts = {done: count, "failed": len(self.failures), "ignored": len(self.ignored)}
        return {"failed": failed_json(self.failures), "ignored": self.ignored, "counts": counts}

    def with_stored_files(self) -> Inputs:
        """Copy with the source files of stored embeddings in `files`. A missing file fails when it is read."""
        from openshape_ood.embedding_store import read_embeddings

        files = [
            File(path, id)
            for store in self.stores
            for rows in read_embeddings(store, ("id", "path"))
            for path, id in zip(rows["path"], rows["id"], strict=True)
        ]
        return replace(self, files=each_once([*self.files, *files]))


def find_files(given: Iterable[str | Path]) -> Inputs:
    """Shape files, each once, and stored embeddings among the given paths, folders and patterns."""
    from openshape_ood.embedding_store.files import is_stored

    inputs = Inputs()
    for word in given:
        path = os.path.expanduser(word)
        if is_stored(path):
            inputs.stores.append(path)
        elif os.path.isdir(path):
            _search(path, inputs)
        elif not os.path.lexists(path) and glob.has_magic(path):
            _expand(path, inputs)
        elif _suffix(path) in SIDE_FILES and os.path.isfile(path):
            inputs.ignored.append(path)
        else:  # the reader reports missing files and files that are no shapes
            inputs.files.append(File(path, os.path.basename(path)))
    inputs.files = each_once(inputs.files)
    return inputs


def find_shapes(given: Sequence[str]) -> Inputs:
    """As `find_files`. Raises `InputError` if there is nothing to read."""
    inputs = find_files(given)
    if not (inputs.files or inputs.stores or inputs.failures):
        raise InputError(nothing_found(given, inputs.ignored))
    return inputs


def nothing_found(given: Sequence[str], ignored: Sequence[str]) -> str:
    """Error message for inputs without a shape file."""
    where = ", ".join(given[:3]) + (", ..." if len(given) > 3 else "")
    return f"no shape files in {where}, but {len(ignored)} other files. Expected {' '.join(SUFFIXES)}. Check the path."


def read_text(option: str, path: Path) -> str:
    """Text of a small file, which is the value of `option`."""
    from openshape_ood.storage import read_regular

    try:
        return read_regular(path.expanduser()).decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{option} {path} cannot be read: {reason}. Expected a text file. Check the path.") from error


def named_ignored(ignored: Sequence[str]) -> None:
    """Print a note about ignored files."""
    links = [path for path in ignored if os.path.isdir(path)]
    for why, paths in (
        ("because they are no shapes", [path for path in ignored if path not in links]),
        ("because they are links to folders (give the folders themselves)", links),
    ):
        if paths:
            more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
            print_note(f"ignored, {why}: {', '.join(map(shown, paths[:NAMED]))}{more}")


def _expand(pattern: str, inputs: Inputs) -> None:
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        reason = "no file matches this pattern. Expected at least one file. Check the pattern."
        inputs.failures.append(Failure(pattern, reason))
    for path in matches:
        if os.path.isdir(path):
            if "**" not in pattern:  # `**` has already matched the files in this folder
                _search(path, inputs)
        else:
            _take(path, os.path.basename(path), inputs)


def _search(folder: str, inputs: Inputs) -> None:
    def note(error: OSError) -> None:
        inputs.failures.append(Failure(str(error.filename), f"cannot be searched: {error.strerror or error}"))

    for here, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inputs.ignored += filter(
            os.path.islink, (os.path.join(here, name) for name in folders)
        )  # a link may form a cycle
        for name in sorted(files):
            path = os.path.join(here, name)
            _take(path, os.path.relpath(path, folder), inputs)


def _take(path: str, name: str, inputs: Inputs) -> None:
    if _suffix(path) in SUFFIXES and not os.path.basename(path).startswith("."):
        inputs.files.append(File(path, Path(name).as_posix()))
    else:
        inputs.ignored.append(path)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


Named = TypeVar("Named", "File", "Item")


def each_once(files: Iterable[Named]) -> list[Named]:
    """Every file once. If files of two folders have the same id, their paths become the ids."""
    first: dict[str, Named] = {}
    for file in files:
        first.setdefault(os.path.abspath(file.path), file)
    count = Counter(file.id for file in first.values())
    return [file if count[file.id] == 1 else replace(file, id=Path(file.path).as_posix()) for file in first.values()]


@dataclass
class Listed:
    """Inputs of a job.

    items: shapes in the given order; each iteration reads the list files again. ignored: files that are no shapes.
    failures: missing inputs.
    """

    items: Iterable[Item] = ()
    ignored: list[str] = field(default_factory=list)
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
    """Shapes with ids. An id is the path relative to the searched folder, or to the fixed part of a pattern.

    An id does not depend on other arguments. Therefore, a resumed run recognizes its shapes.
    """
    from openshape_ood.embedding_store.jobs import Item, ShapeList, is_list

    sources: list[Iterable[Item]] = []
    listed = Listed(_Chained(sources))
    for word in given:
        path = Path(word).expanduser()
        if is_list(path):
            sources.append(ShapeList(path))
            continue
        inputs = find_files([word])
        root = _root(str(path))
        sources.append([Item(Path(os.path.relpath(file.path, root)).as_posix(), file.path) for file in inputs.files])
        listed.ignored += inputs.ignored
        listed.failures += inputs.failures
        listed.failures += [
            Failure(store, "it holds embeddings. Expected shapes. Give shape files.") for store in inputs.stores
        ]
    return listed


def _root(word: str) -> str:
    """Folder to which ids are relative.

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
