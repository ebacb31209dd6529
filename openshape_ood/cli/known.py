"""--known, --examples and --known-classes -> the known classes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.batches import Reading, encode_files
from openshape_ood.cli.console import Bar, Failure, print_note, progress, shown
from openshape_ood.cli.inputs import File, find_files
from openshape_ood.errors import ClassNamesError, FileError, InputError
from openshape_ood.shapes.reading import SUFFIXES

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.encoders.text.encoder import TextEncoder
    from openshape_ood.known import KnownClasses
    from openshape_ood.scoring import Method

HOW = (
    "no known classes; expected names (--known chair sofa table), a folder with a subfolder of shapes a class "
    "(--examples FOLDER), or files of known classes (--known-classes FILE.safetensors)"
)


@dataclass(frozen=True)
class Wanted:
    """What was asked for: class -> its example files, none for a class of which there is only the name; and files of
    known classes."""

    examples: Mapping[str, list[File]]
    saved: Sequence[Path] = ()

    @property
    def by_name(self) -> list[str]:
        return [name for name, files in self.examples.items() if not files]

    @property
    def with_files(self) -> dict[str, list[File]]:
        return {name: files for name, files in self.examples.items() if files}

    @property
    def kind(self) -> Any:
        """As `scoring.find_method` takes it; None where files of known classes will say."""
        if self.saved:
            return None
        if not self.with_files:
            return "names"
        return "both" if self.by_name else "examples"


def gather(
    names: Sequence[str] | None, folders: Sequence[Path] | None = None, saved: Sequence[Path] | None = None
) -> Wanted:
    """The classes of all these together. Raises `ClassNamesError`, or `FileError` for folders without classes."""
    from openshape_ood.known import check_names

    classes: dict[str, list[File]] = {name: [] for name in check_names(_split(names))} if names else {}
    for name in classes:
        _check_no_file(name)
    keys = {_key(name): name for name in classes}
    for folder in folders or ():
        for name, files in _subfolders(folder).items():
            classes.setdefault(keys.setdefault(_key(name), name), []).extend(files)
    if not classes and not saved:
        raise ClassNamesError(HOW)
    return Wanted(classes, tuple(saved or ()))


def build(
    wanted: Wanted,
    method: Method | None,
    encoder: ShapeEncoder,
    text: TextEncoder,
    reading: Reading,
    failures: list[Failure],
) -> KnownClasses:
    """The known classes, with what the method needs. Example files that cannot be used go to `failures`.

    Raises `InputError` where a class has no usable example, or a file does not fit the encoder or the others.
    """
    from openshape_ood.known import KnownClasses

    sets = [KnownClasses.load(path) for path in wanted.saved]
    for one in sets:
        one.check_fits(encoder.identity)
    if wanted.examples:
        with warnings.catch_warnings(record=True) as told:  # of names that the text encoder hardly knows
            warnings.simplefilter("always")
            sets.append(_built(wanted, method, encoder, text, reading, failures))
        for warning in told:
            if issubclass(warning.category, UserWarning):
                print_note(f"note: {shown(warning.message)}", style="yellow")
    return sets[0] if len(sets) == 1 else KnownClasses.join(*sets)


def _built(
    wanted: Wanted,
    method: Method | None,
    encoder: ShapeEncoder,
    text: TextEncoder,
    reading: Reading,
    failures: list[Failure],
) -> KnownClasses:
    from openshape_ood.novelty_inputs import known_classes
    from openshape_ood.scoring import DEFAULTS, find_method

    files = usable(wanted.with_files, encoder, reading, failures)
    chosen = find_method(DEFAULTS[wanted.kind or "names"]) if method is None else method
    examples: dict[str, Any] = {name: rows for name, (_, rows) in files.items()}
    if chosen.needs == "patches":  # of the shapes themselves
        examples = {name: [file.path for file in own] for name, (own, _) in files.items()}
    known = {name: examples.get(name) for name in wanted.examples}
    settings = {**reading.settings, "progress": False}
    return known_classes(known, chosen, encoder, text=text, up=reading.up, **settings)


def usable(
    classes: Mapping[str, list[File]], encoder: ShapeEncoder, reading: Reading, failures: list[Failure]
) -> dict[str, tuple[list[File], Any]]:
    """Class -> the files that can be used, and their embeddings (m, d); raises `InputError` for a class with none."""
    with progress("examples", sum(map(len, classes.values()))) as bar:
        return {name: _embed(name, files, encoder, reading, failures, bar) for name, files in classes.items()}


def _embed(
    name: str, files: list[File], encoder: ShapeEncoder, reading: Reading, failures: list[Failure], bar: Bar
) -> tuple[list[File], Any]:
    import numpy as np

    def encode(shapes: list[Any], ups: list[str]) -> Any:
        return encoder.encode(shapes, up=ups, **reading.settings)

    before = len(failures)
    done = list(encode_files(files, reading, encode, failures, bar))
    if not done:
        reason = failures[before].reason if len(failures) > before else "no files"
        raise InputError(f"none of the {len(files)} examples of class {name!r} can be used; the first: {reason}")
    return [file for one in done for file in one.files], np.concatenate([one.result for one in done])


def _split(names: Sequence[str]) -> list[str]:
    """Commas part names too; blanks around them go."""
    return [name.strip() for word in names for name in word.split(",") if name.strip() or not word.strip()]


def _check_no_file(name: str) -> None:
    if os.path.splitext(name)[1].lower() in SUFFIXES or os.sep in name:
        raise ClassNamesError(
            f"known class {name!r} looks like a file: every word after --known is a class, up to the next option. "
            "Put the files before --known, or after --, as in: --known chair sofa -- FILES"
        )


def _key(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _subfolders(folder: Path) -> dict[str, list[File]]:
    """Class -> its files, of a folder with a subfolder a class."""
    folder = folder.expanduser()
    example = f"as {folder.name or folder}/chair/one.ply"
    try:
        subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise FileError(f"--examples {folder} is no folder of examples: {error.strerror or error}") from None
    if not subfolders:
        raise FileError(f"--examples {folder} has no subfolders; expected a subfolder of shapes a class, {example}")
    classes = {path.name: find_files([path]).files for path in subfolders}
    empty = [name for name, files in classes.items() if not files]
    if empty:
        raise FileError(
            f"--examples {folder}: no shape files in {', '.join(map(repr, empty))}; expected some in each, {example}"
        )
    return classes
