"""The shapes that a baseline is trained on and judged by, generated or of the 3DOS release."""

from __future__ import annotations

from pathlib import Path

from benchmarks.threedos import copies, generated
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.splits import Split
from openshape_ood.errors import InputError
from openshape_ood.storage import own_folder


def load(split: Split, root: Path | None, per_class: int, data_seed: int) -> BenchmarkData:
    """The objects of a benchmark. Raises `InputError` for one class, `ShapeFileError` for data without their lists."""
    if split.track == "real":
        raise InputError(
            f"{split.name} is real to real, for which no baseline is trained; expected sr1, sr2 or an sn set"
        )
    if root is None:
        found = generated.load(split, per_class, data_seed)
    else:
        from benchmarks.threedos import data

        found = data.load(split, root, cache=own_folder("benchmarks"))
    if len(found.known) < 2:
        names = ", ".join(c.title for c in found.known)
        raise InputError(f"{split.name} has the one known class {names} here; a classifier is trained on two or more")
    return found


def training_shapes(split: Split, data: BenchmarkData, root: Path | None, with_copies: bool) -> Objects:
    """The support, and beside it the corrupted copies where they are asked for."""
    if not with_copies:
        return data.support
    if root is None:
        return Objects(data.support.shapes + copies.damaged(data.support).shapes)
    from benchmarks.threedos.data import corrupted_support

    return Objects(data.support.shapes + corrupted_support(split, root).of(data.known).shapes)
