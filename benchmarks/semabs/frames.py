"""Reader of the published results, `<task>_eval_stats.pkl`: pickled pandas frames, read without unpickling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.pictures import read_bounded
from openshape_ood.views.published import Record, plain, read_pickle

MAX_STEPS = 30_000_000  # pickle instructions; each text needs a few
FRAMES = ("pandas.core.frame DataFrame", "pandas DataFrame")
OTHERS = "save the frame as .csv: frame.to_csv('results.csv')"
MANAGER, BLOCK = "pandas.core.internals.managers BlockManager", "pandas._libs.internals _unpickle_block"
INDEX, SLICE = "pandas.core.indexes.base _new_Index", "builtins slice"
KINDS = ("base Index", "range RangeIndex", "numeric Int64Index", "numeric UInt64Index", "numeric Float64Index")
RECORDS = {*FRAMES, MANAGER, BLOCK, INDEX, SLICE, "pandas RangeIndex", "pandas Index"}
RECORDS |= {f"pandas.core.indexes.{kind}" for kind in KINDS}


def read_frame(path: Path) -> dict[str, np.ndarray]:
    """Columns of a pickled frame, name -> (rows,). Frames of pandas 1.3 and later with plain numbers and texts.

    Raises
    ------
    CloudError
        For any other content. No code of the file is run.
    """
    data = read_bounded(path)
    try:
        frame = read_pickle(data, RECORDS, MAX_STEPS)
    except CloudError as error:  # for example pyarrow columns
        raise CloudError(f"{error}; {OTHERS}") from error
    state = frame.state if isinstance(frame, Record) and frame.name in FRAMES else None
    manager = _record(state.get("_mgr") if isinstance(state, dict) else None, MANAGER, "a frame of pandas 1.3 or later")
    if len(manager) != 2 or not all(isinstance(one, list | tuple) for one in manager) or len(manager[1]) != 2:
        raise CloudError("it holds a frame in another layout; expected blocks, an index of columns, an index of rows")
    blocks, axes = manager
    names = _labels(axes[0])
    columns: dict[str, np.ndarray] = {}
    for block in blocks:
        parts = _record(block, BLOCK, "a block of a frame")
        values, places = plain(parts[0]) if parts else None, _places(parts[1:2], len(names))
        if not isinstance(values, np.ndarray) or values.ndim != 2 or len(values) != len(places):
            raise CloudError("it holds a block that is not a table of plain numbers or texts")
        columns |= {names[place]: column for place, column in zip(places, values, strict=True)}
    if set(columns) != set(names) or len({len(column) for column in columns.values()}) > 1:
        raise CloudError("it lacks columns, or they differ in length")
    return columns


def _record(value: Any, name: str, what: str) -> tuple[Any, ...]:
    """Arguments of a call recorded in the file."""
    if not isinstance(value, Record) or value.name != name:
        raise CloudError(f"it does not hold {what}; {OTHERS}")
    return value.arguments


def _labels(index: Any) -> list[str]:
    parts = _record(index, INDEX, "an index of columns")
    labels = plain(parts[1].get("data")) if len(parts) == 2 and isinstance(parts[1], dict) else None
    if not isinstance(labels, np.ndarray) or not all(isinstance(one, str) for one in labels.ravel().tolist()):
        raise CloudError("the names of its columns are not texts")
    return [*labels.ravel()]


def _places(given: tuple[Any, ...], count: int) -> list[int]:
    """Column numbers of a block, from an array or a slice."""
    places = plain(given[0]) if given else None
    if isinstance(places, Record) and places.name == SLICE and len(places.arguments) == 3:
        limits = places.arguments
        if all(one is None or (isinstance(one, int) and abs(one) <= count) for one in limits) and limits[2] != 0:
            return [*range(count)[slice(*limits)]]
    elif isinstance(places, np.ndarray) and places.dtype.kind in "iu" and places.ndim == 1:
        numbers: list[int] = places.tolist()
        if all(0 <= one < count for one in numbers):
            return numbers
    raise CloudError("it holds a block whose columns are not numbered")
