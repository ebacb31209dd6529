"""Shape files of the arguments: files as they are, folders searched, patterns expanded, lists read."""

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

# what lies beside meshes; an unquoted pattern brings these along
SIDE_FILES = (".mtl", ".png", ".jpg", ".jpeg", ".bmp", ".tga", ".tif", ".tiff", ".webp", ".bin")
NAMED = 3  # of the files that are ignored


@dataclass(frozen=True)
class File:
    """A file to read: its path as the user gave it, and an id, the path inside the folder that was searched."""

    path: str
    id: str


@dataclass
class Found:
    """files: shapes, in the order given; stores: embeddings; ignored: what is neither; failures: what is not there."""

    files: list[File] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def identities(self) -> list[Identity]:
        """Of the stored embeddings."""
        from openshape_ood.embedding_store import read_header

        return [read_header(store).identity for store in self.stores]

    def as_json(self, done: str, count: int) -> dict[str, Any]:
        """Summary of the files: `count` of them `done`, others failed or ignored."""
        counts = {done: count, "failed": len(self.failures), "ignored": len(self.ignored)}
        return {"failed": failed_json(self.failures), "ignored": self.ignored, "counts": counts}

    def with_stored_files(self) -> Found:
        """Copy with the source files of stored embeddings. Reading reports the missing ones."""
        from openshape_ood.embedding_store import read_embeddings

        files = [
            File(path, id)
            for store in self.stores
            for rows in read_embeddings(store, ("id", "path"))
            for path, id in zip(rows["path"], rows["id"], strict=True)
        ]
        return replace(self, files=each_once([*self.files, *files]))


def find_files(given: Iterable[str | Path]) -> Found:
    """The shape files among what was given, each once, and the stored embeddings."""
    from openshape_ood.embedding_store.files import is_stored

    inputs = Found()
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
        else:  # also what is not there, or no shape: reading it says so
            inputs.files.append(File(path, os.path.basename(path)))
    inputs.files = each_once(inputs.files)
    return inputs


def find_shapes(given: Sequence[str]) -> Found:
    """The same; raises `InputError` where there is nothing to read."""
    inputs = find_files(given)
    if not (inputs.files or inputs.stores or inputs.failures):
        raise InputError(nothing_found(given, inputs.ignored))
    return inputs


def nothing_found(given: Sequence[str], ignored: Sequence[str]) -> str:
    """Error message for inputs without a shape file."""
    where = ", ".join(given[:3]) + (", ..." if len(given) > 3 else "")
    return f"no shape files in {where} ({len(ignored)} other files); expected {' '.join(SUFFIXES)}"


def read_text(option: str, path: Path) -> str:
    """A small file that an option names."""
    from openshape_ood.storage import read_regular

    try:
        return read_regular(path.expanduser()).decode("utf-8")
    except (OSError, ValueError) as error:
        raise FileError(f"{option} {path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def named_ignored(ignored: Sequence[str]) -> None:
    """Remark about ignored files."""
    links = [path for path in ignored if os.path.isdir(path)]
    for why, paths in (
        ("for they are no shapes", [path for path in ignored if path not in links]),
        ("for they are links to folders; give these themselves", links),
    ):
        if paths:
            more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
            print_note(f"ignored, {why}: {', '.join(map(shown, paths[:NAMED]))}{more}")


def _expand(pattern: str, inputs: Found) -> None:
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        inputs.failures.append(Failure(pattern, "no file matches this pattern"))
    for path in matches:
        if os.path.isdir(path):
            if "**" not in pattern:  # that has brought what is in it already
                _search(path, inputs)
        else:
            _take(path, os.path.basename(path), inputs)


def _search(folder: str, inputs: Found) -> None:
    def note(error: OSError) -> None:
        inputs.failures.append(Failure(str(error.filename), f"cannot be searched: {error.strerror or error}"))

    for here, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inputs.ignored += filter(os.path.islink, (os.path.join(here, name) for name in folders))  # might go in circles
        for name in sorted(files):
            path = os.path.join(here, name)
            _take(path, os.path.relpath(path, folder), inputs)


def _take(path: str, name: str, inputs: Found) -> None:
    if _suffix(path) in SUFFIXES and not os.path.basename(path).startswith("."):
        inputs.files.append(File(path, Path(name).as_posix()))
    else:
        inputs.ignored.append(path)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


Named = TypeVar("Named", "File", "Item")


def each_once(files: Iterable[Named]) -> list[Named]:
    """Every file once; where two folders hold the same id, the whole path is the id."""
    first: dict[str, Named] = {}
    for file in files:
        first.setdefault(os.path.abspath(file.path), file)
    count = Counter(file.id for file in first.values())
    return [file if count[file.id] == 1 else replace(file, id=Path(file.path).as_posix()) for file in first.values()]


@dataclass
class Listed:
    """items: in the order given, of lists read anew by every loop; ignored: files that are no shapes; failures: what
    is not there."""

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
        inputs = find_files([word])
        root = _root(str(path))
        sources.append([Item(Path(os.path.relpath(file.path, root)).as_posix(), file.path) for file in inputs.files])
        listed.ignored += inputs.ignored
        listed.failures += inputs.failures
        listed.failures += [Failure(store, "it holds embeddings already; expected shapes") for store in inputs.stores]
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
