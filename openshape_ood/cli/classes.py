"""Known classes from the options --known, --examples and --known-file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.cli.console import Failure, progress, warnings_as_notes
from openshape_ood.cli.inputs import File, find_files
from openshape_ood.cli.options import split_names
from openshape_ood.errors import ClassNamesError, FileError, InputError
from openshape_ood.shapes.batches import Batch, Reading, in_batches
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.shapes.shape import Shape

if TYPE_CHECKING:
    from openshape_ood.encoders.loading import Encoders
    from openshape_ood.encoders.protocols import Identity
    from openshape_ood.known import KnownClasses, MemoryBank
    from openshape_ood.scoring import Method

GENERATED = 80  # number of generated examples per class; fewer give an imprecise threshold
POINTS = 2048
HOW = (
    "no known classes. Expected names (--known chair sofa table), a folder with one subfolder of shapes per class "
    "(--examples FOLDER), or a file from `openshape-ood known save` (--known-file FILE.safetensors). Give one of them."
)


@dataclass(frozen=True)
class RequestedClasses:
    """Requested classes and their example files (empty: name only).

    saved: known classes from files and from stored embeddings. generated: kind of generated examples for classes
    without files, "models" or "scans"; None for no generated examples.
    """

    examples: Mapping[str, list[File]]
    saved: Sequence[KnownClasses] = ()
    generated: str | None = None

    @property
    def by_name(self) -> list[str]:
        return [name for name, files in self.examples.items() if not files]

    @property
    def with_files(self) -> dict[str, list[File]]:
        return {name: files for name, files in self.examples.items() if files}

    @property
    def identities(self) -> list[Identity]:
        """Encoders of the saved known classes."""
        return [one.identity for one in self.saved]

    @property
    def kind(self) -> Any:
        """Kind of known classes for `scoring.find_method`: "names", "examples" or "both". None if classes are saved."""
        if self.saved:
            return None
        if self.generated:
            return "examples"
        if not self.with_files:
            return "names"
        return "both" if self.by_name else "examples"


def gather(
    names: Sequence[str] | None,
    folders: Sequence[Path] | None = None,
    files: Sequence[Path] | None = None,
) -> RequestedClasses:
    """Requested classes of --known, --examples and --known-file. Raises `ClassNamesError` and `FileError`."""
    from openshape_ood.embedding_store import known_from
    from openshape_ood.embedding_store.files import is_stored
    from openshape_ood.known import KnownClasses, check_names, folded

    saved = [KnownClasses.load(path) for path in files or ()]
    classes: dict[str, list[File]] = {name: [] for name in check_names(split_names(names))} if names else {}
    for name in classes:
        _check_no_file(name)
    keys = {folded(name): name for name in classes}
    for folder in folders or ():
        if is_stored(folder):
            saved.append(known_from(folder))
            continue
        for name, class_files in _subfolders(folder).items():
            classes.setdefault(keys.setdefault(folded(name), name), []).extend(class_files)
    if not classes and not saved:
        raise ClassNamesError(HOW)
    return RequestedClasses(classes, tuple(saved))


def build(
    wanted: RequestedClasses,
    method: Method | None,
    encoders: Encoders,
    reading: Reading,
    failures: list[Failure],
    patches: str | None = None,
) -> KnownClasses:
    """Known classes with all data that the method needs. Unusable examples go to `failures`.

    patches: encoder stage of the patches to save, or None. Raises `InputError` if a class has no usable example, or if
    saved known classes have another encoder or other kinds of data.
    """
    from openshape_ood.known import KnownClasses
    from openshape_ood.novelty.pipeline import PATCH_STAGE, known_classes
    from openshape_ood.scoring import DEFAULTS, find_method
    from openshape_ood.shapes.points import AxisWarning

    sets, files, memory = list(wanted.saved), wanted.with_files, None
    named: dict[str, np.ndarray | None] = dict.fromkeys(wanted.examples)
    if wanted.generated:
        sets.insert(0, _generated(wanted.by_name, wanted.generated, encoders, reading))
        named = dict.fromkeys(files)
    if named:
        chosen = find_method(DEFAULTS[wanted.kind or "names"]) if method is None else method
        if chosen.needs == "patches":
            patches, chosen = patches or PATCH_STAGE, find_method(DEFAULTS["examples"])
        with warnings_as_notes():  # warnings about names that the text encoder was not trained with
            warnings.simplefilter("ignore", AxisWarning)
            if files:
                rows, owners, memory = _encoded(files, encoders.shape, reading, failures, patches)
                named |= {name: rows[owners == name] for name in files}
            classes = known_classes(named, chosen, encoders)
        if memory is not None:
            places = np.array([classes.names.index(name) for name in owners])
            classes = replace(classes, patches=replace(memory, labels=places[memory.shapes]))
        sets.append(classes)
    return sets[0] if len(sets) == 1 else KnownClasses.join(*sets)


def _encoded(
    classes: Mapping[str, list[File]], encoder: Any, reading: Reading, failures: list[Failure], stage: str | None
) -> tuple[np.ndarray, np.ndarray, MemoryBank | None]:
    """Embeddings (m, d) of the examples of all classes, the class name of each (m,), and their patches at a stage.

    stage: encoder stage of the patches; None for no patches. Raises `InputError` for a class without a usable file.
    """
    from openshape_ood.known import MemoryBank

    def encode(batch: Batch) -> tuple[np.ndarray, Any]:
        rows = encoder.encode(batch.shapes, up=batch.ups, **reading.settings)
        how = {"seed": reading.seed, "batch_size": reading.batch_size}
        return rows, stage and encoder.encode_patches(batch.shapes, up=batch.ups, stage=stage, **how)

    places = [(name, file.path) for name, class_files in classes.items() for file in class_files]
    before, shapes = len(failures), [Shape(path, f"{i}") for i, (_, path) in enumerate(places)]
    with progress("examples", len(shapes)) as bar:
        batches = list(in_batches(shapes, reading, encode, bar.step))
    failures += [failure for batch in batches for failure in batch.failures]
    done = [batch for batch in batches if batch.names]
    owners = np.array([places[int(shape.name)][0] for batch in done for shape in batch.given])
    for name, class_files in classes.items():
        if name not in owners:
            paths = {file.path for file in class_files}
            reason = next((one.error for one in failures[before:] if one.source in paths), "no files")
            raise InputError(
                f"none of the {len(class_files)} examples of class {name!r} can be used. First failure: "
                f"{reason.rstrip('.')}. Give other files."
            )
    memory = MemoryBank.from_patches([one.result[1] for one in done], stage) if stage else None
    return np.concatenate([one.result[0] for one in done]), owners, memory


def _generated(names: Sequence[str], kind: str, encoders: Encoders, reading: Reading) -> KnownClasses:
    """Known classes with generated examples and their patches. kind: "models" or "scans"."""
    from openshape_ood.known import KnownClasses
    from openshape_ood.synthetic import sample, scan
    from openshape_ood.synthetic.calibration import resolve

    strange = [name for name in names if not resolve(name)]
    if strange or not names:
        raise ClassNamesError(
            f"--generated has no generated category for {', '.join(map(repr, strange)) or 'an empty list of names'}. "
            "Expected names from openshape_ood.synthetic.categories(). Give these, or --examples FOLDER."
        )
    make = sample if kind == "models" else scan
    shapes = {name: [make(resolve(name) or name, POINTS, seed) for seed in range(GENERATED)] for name in names}
    return KnownClasses.from_examples(shapes, encoders.shape, up="y", patches="local", **reading.settings)


def _check_no_file(name: str) -> None:
    if os.path.splitext(name)[1].lower() in SUFFIXES or os.sep in name:
        raise ClassNamesError(
            f"known class {name!r} looks like a file. Expected only class names between --known and the next option. "
            "Put the files before --known, or after --, as in: --known chair sofa -- FILES"
        )


def _subfolders(folder: Path) -> dict[str, list[File]]:
    """Class name -> its files, from a folder with one subfolder per class."""
    folder = folder.expanduser()
    example = f"as {folder.name or folder}/chair/one.ply"
    try:
        subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise FileError(
            f"--examples {folder} cannot be read as a folder: {error.strerror or error}. Expected one subfolder of "
            f"shapes per class, {example}. Check the path."
        ) from None
    if not subfolders:
        raise FileError(
            f"--examples {folder} has no subfolders. Expected one subfolder of shapes per class, {example}. Sort the "
            "files into subfolders."
        )
    classes = {path.name: find_files([path]).files for path in subfolders}
    empty = [name for name, files in classes.items() if not files]
    if empty:
        raise FileError(
            f"--examples {folder} has no shape files in {', '.join(map(repr, empty))}. Expected files in each "
            f"subfolder, {example}. Add files, or remove the subfolder."
        )
    return classes
