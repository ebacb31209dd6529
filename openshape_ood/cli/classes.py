"""--known, --examples and --bank -> the classes, and the bank of them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import Bar, Failure, print_note, progress, shown
from openshape_ood.cli.inputs import File, find_files
from openshape_ood.cli.reading import Reading, encode_files
from openshape_ood.errors import ClassNamesError, FileError, InputError
from openshape_ood.shapes.reading import SUFFIXES

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.encoders.text.encoder import TextEncoder
    from openshape_ood.known import Known

HOW = (
    "no known classes; expected names (--known chair sofa table), a folder with a subfolder of shapes a class "
    "(--examples FOLDER), or a bank (--bank FILE.safetensors)"
)


@dataclass(frozen=True)
class Classes:
    """What was asked for: class -> its example files, none for a class of which there is only the name; banks."""

    examples: Mapping[str, list[File]]
    banks: Sequence[Path] = ()

    @property
    def by_name(self) -> list[str]:
        return [name for name, files in self.examples.items() if not files]

    @property
    def with_files(self) -> dict[str, list[File]]:
        return {name: files for name, files in self.examples.items() if files}

    @property
    def kind(self) -> Any:
        """As `scores.find_score` takes it; None where banks will say."""
        if self.banks:
            return None
        if not self.with_files:
            return "names"
        return "both" if self.by_name else "examples"


def gather(
    names: Sequence[str] | None, folders: Sequence[Path] | None = None, banks: Sequence[Path] | None = None
) -> Classes:
    """The classes of all these together. Raises `ClassNamesError`, or `FileError` for folders without classes."""
    from openshape_ood.known import check_names

    classes: dict[str, list[File]] = {name: [] for name in check_names(_split(names))} if names else {}
    for name in classes:
        _check_no_file(name)
    keys = {_key(name): name for name in classes}
    for folder in folders or ():
        for name, files in _subfolders(folder).items():
            classes.setdefault(keys.setdefault(_key(name), name), []).extend(files)
    if not classes and not banks:
        raise ClassNamesError(HOW)
    return Classes(classes, tuple(banks or ()))


def build(
    classes: Classes,
    method: str | None,
    encoder: ShapeEncoder,
    text: TextEncoder,
    reading: Reading,
    failures: list[Failure],
) -> Known:
    """The bank of the classes. Example files that cannot be used go to `failures`.

    Raises `InputError` where a class has no usable example, or banks do not fit the encoder or each other.
    """
    from openshape_ood.banks import join_banks, load_bank

    banks = [load_bank(path) for path in classes.banks]
    for bank in banks:
        bank.check_fits(encoder.identity)
    if classes.examples:
        with warnings.catch_warnings(record=True) as told:  # of names that the tower hardly knows
            warnings.simplefilter("always")
            banks.append(_built(classes, method, encoder, text, reading, failures))
        for warning in told:
            if issubclass(warning.category, UserWarning):
                print_note(f"note: {shown(warning.message)}", style="yellow")
    return banks[0] if len(banks) == 1 else join_banks(*banks)


def _built(
    classes: Classes,
    method: str | None,
    encoder: ShapeEncoder,
    text: TextEncoder,
    reading: Reading,
    failures: list[Failure],
) -> Known:
    from openshape_ood.known import Known
    from openshape_ood.scoring import SCORES
    from openshape_ood.scoring.words import negative_words

    needs = SCORES[method].needs if method else ""
    names = list(classes.examples)
    if not classes.with_files:
        others = [word for word in negative_words() if word not in names] if needs == "negatives" else []
        return Known.from_names(names, text, negatives=others, temperature=encoder.temperature)
    files = usable(classes.with_files, encoder, reading, failures)
    if needs == "patches":
        paths = {name: [file.path for file in own] for name, (own, _) in files.items()}
        settings = {"seed": reading.seed, "batch_size": reading.batch_size}
        return Known.from_examples(paths, encoder, up=reading.up, patches=True, **settings)
    embeddings = {name: rows for name, (_, rows) in files.items()}
    if not classes.by_name and needs != "both":
        return Known.from_examples(embeddings, encoder)
    return Known.from_both(names, embeddings, encoder, text)


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
        return encoder.encode(
            shapes, up=ups, batch_size=reading.batch_size, seed=reading.seed, num_samples=reading.num_samples
        )

    before = len(failures)
    done = list(encode_files(files, reading, encode, failures, bar))
    if not done:
        reason = failures[before].reason if len(failures) > before else "no files"
        raise InputError(f"none of the {len(files)} examples of class {name!r} can be used; the first: {reason}")
    return [file for one in done for file in one.batch.files], np.concatenate([one.result for one in done])


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
