"""Validation of caller-supplied numbers, names and arrays."""

from __future__ import annotations

import difflib
import numbers
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError, OpenShapeError, UnknownNameError

BLOCK_ELEMENTS = 1 << 21  # maximum numbers in one block of `blocks`: 16 MiB as float64
UNFOLD = 32  # maximum bytes of memory per byte of file; text with short rows needs 16, compressed clouds need up to 20
SLACK = 96 * 2**20  # bytes allowed on top of UNFOLD, because a small valid file may repeat its content many times
WHOLE = (128, 320 * 2**20)  # UNFOLD and SLACK for estimates that count every intermediate copy
LONGEST_NAME = 256  # characters of a class name
SAME = 1e-5  # maximum distance of equal rows; batches, thread counts and processors change last digits


def to_numpy(value: Any) -> Any:
    """Convert a torch tensor on any device to a numpy array; return any other value unchanged."""
    if not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu()
    # numpy has no bfloat16
    return (tensor.double() if tensor.is_floating_point() else tensor).numpy()


def check_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"seed is {seed!r}. Expected a whole number from 0 to 2**32 - 1. Give one in this range.")
    return int(seed)


def array(values: Any, what: str, axes: str, any_type: bool = False) -> np.ndarray:
    """Convert `values` to an array of finite numbers. Only the axis b may be empty.

    axes: one letter for each axis. any_type: False to convert all types but float32 to float64. True to keep every type
    of up to 8 bytes, so that large arrays are not copied. what: name of the values for messages. Raises `InputError`,
    with the number of the first row that holds NaN or infinity.
    """
    shape = f"({axes},)" if len(axes) == 1 else f"({', '.join(axes)})"
    if holds_words(values, len(axes)):  # numpy would reserve the length of the longest string for each element
        raise InputError(f"{what} are of type str. Expected numbers {shape}. Convert them.")
    try:
        given = np.asarray(to_numpy(values))
    except ValueError as error:
        raise InputError(
            f"{what} have rows of different lengths. Expected {shape}. Give rows of equal length."
        ) from error
    if given.dtype.kind not in "fiub":
        raise InputError(f"{what} are of type {given.dtype}. Expected numbers {shape}. Convert them.")
    if given.ndim != len(axes):
        raise InputError(f"{what} have the shape {given.shape}. Expected {shape}. Check the axes.")
    empty = [axis for axis, size in zip(axes, given.shape, strict=True) if size == 0 and axis != "b"]
    if empty:
        raise InputError(
            f"{what} are empty, with the shape {given.shape}. Expected {shape} with at least one {empty[0]}. Add data."
        )
    if given.dtype.itemsize > 8 or not (any_type or given.dtype in (np.float32, np.float64)):
        given = given.astype(np.float64)
    # min and max propagate NaN and infinity without a boolean table
    with np.errstate(invalid="ignore"):
        fine = not given.size or np.isfinite([given.min(), given.max()]).all()
    if not fine:
        rows = np.isfinite(given.reshape(len(given), -1)).all(axis=1)
        row = np.flatnonzero(~rows)[0]
        raise InputError(f"row {row} of the {what} holds NaN or infinity. Expected finite numbers. Correct the row.")
    return given


def holds_words(values: Any, deep: int) -> bool:
    """True if lists, nested at most `deep` times, contain a string."""
    if not isinstance(values, list | tuple):
        return isinstance(values, str | bytes)
    kinds = {*map(type, values)}
    if any(issubclass(kind, str | bytes) for kind in kinds):
        return True
    nested = deep > 1 and any(issubclass(kind, list | tuple) for kind in kinds)
    return nested and any(holds_words(one, deep - 1) for one in values)


def words(texts: Iterable[str]) -> np.ndarray:
    """Strings as an object array (k,). In a string array, one long string would enlarge every row."""
    listed = [str(text) if isinstance(text, str) else text for text in texts]  # str subclasses of numpy become str
    filled = np.empty(len(listed), dtype=object)
    filled[:] = listed
    return filled


def check_widths(first: np.ndarray, what: str, second: np.ndarray, than: str) -> None:
    """Raise `MixedEncodersError` if the rows of two tables differ in length."""
    if first.shape[-1] != second.shape[-1]:
        raise MixedEncodersError(
            f"{what} have {first.shape[-1]} numbers a row, {than} {second.shape[-1]}. "
            "Expected embeddings of one encoder for both. Embed both with it."
        )


def check_rows(first: np.ndarray, what: str, second: np.ndarray, than: str) -> None:
    """Raise `InputError` if two tables differ in their number of rows."""
    if len(first) != len(second):
        raise InputError(
            f"there are {len(first)} rows of {what} and {len(second)} of {than}. Expected equal numbers. Correct one."
        )


def grouped(labels: Any, examples: np.ndarray, what: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct labels (k,), and the index (m,) of each example's label among them. Raises `InputError`."""
    try:
        given = words(labels) if holds_words(labels, 1) else np.asarray(to_numpy(labels))
    except ValueError as error:
        raise InputError(
            f"{what} are lists of different lengths. Expected ({len(examples)},), one each. Flatten them."
        ) from error
    if given.ndim != 1 or len(given) != len(examples):
        raise InputError(
            f"{what} have the shape {given.shape} for {len(examples)} rows. Expected ({len(examples)},), one each. "
            "Give one for each row."
        )
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise InputError(f"{what} hold NaN or infinity. Expected names or whole numbers. Correct them.")
    try:
        classes, index = np.unique(given, return_inverse=True)
    except TypeError as error:  # labels of mixed types
        raise InputError(
            f"{what} are of several types. Expected only names or only whole numbers. Convert them."
        ) from error
    return classes, index


def originals(rows: np.ndarray) -> np.ndarray:
    """For each of the rows (n, d), the index of the first row that equals it: (n,).

    Rows are equal if their distance is at most `SAME`, or if a chain of equal rows connects them.

    >>> originals(np.array([[0.0, 1], [1, 0], [1e-7, 1]])).tolist()
    [0, 1, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    distinct, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    n, pairs = len(distinct), KDTree(distinct).query_pairs(SAME, output_type="ndarray")
    groups = connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n)), directed=False)[1]
    least = np.full(n, len(rows))
    np.minimum.at(least, groups, first)
    return least[groups][inverse.ravel()]


def check_positive(value: Any, what: str) -> float:
    """`value` as a float. Raises `InputError` unless it is finite and above 0."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 < float(value) < float("inf"):
        raise InputError(f"{what} is {value!r}. Expected a finite number above 0. Give one.")
    return float(value)


def check_share(value: Any, what: str) -> float:
    """`value` as a float. Raises `InputError` unless it is from 0 to 1."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 <= float(value) <= 1:
        raise InputError(f"{what} is {value!r}. Expected a fraction from 0 to 1. Give one.")
    return float(value)


def check_count(value: Any, what: str, most: int, of: str) -> int:
    """`value` as an int. Raises `InputError` unless it is a whole number from 1 to `most`.

    of: description of `most` for the message.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or not 1 <= int(value) <= most:
        raise InputError(f"{what} is {value!r}. Expected a whole number from 1 to {most}, {of}. Give one.")
    return int(value)


def check_whole(value: Any, what: str, least: int = 1) -> int:
    """`value` as an int. Raises `InputError` unless it is a whole number of at least `least`."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or int(value) < least:
        raise InputError(f"{what} is {value!r}. Expected a whole number from {least} up. Give one.")
    return int(value)


def check_choice(value: Any, what: str, choices: tuple[str, ...]) -> None:
    """Raise `UnknownNameError` if a value is not one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise UnknownNameError(f"unknown {what} {value!r}; known: {', '.join(choices)}")


def memory_for(held: int, whole: bool = True) -> int:
    """Maximum bytes of memory for a file of `held` bytes. whole: as in `require_memory`."""
    unfold, free = WHOLE if whole else (UNFOLD, SLACK)
    return unfold * held + free


def require_memory(needed: int, held: int, what: str, *, whole: bool = False) -> None:
    """Raise `InputError` if `needed` bytes are too many for a file of `held` bytes. Call it before the allocation.

    The limit is a multiple of the file size plus a constant. whole: True if `needed` counts every intermediate copy.
    The calling reader adds the file name to the message.
    """
    most = memory_for(held, whole)
    if needed > most:
        raise InputError(
            f"{what} would take {needed:,} bytes of memory, and the file has {held:,} bytes. Expected at most {most:,} "
            "for this size, so it is refused as a bomb. If the file is valid, split or thin its content."
        )


def check_settings(given: Iterable[str], known: Sequence[str], what: str) -> None:
    """Raise `UnknownNameError` if a setting of `what` is not one of `known`. The message suggests a similar one."""
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UnknownNameError(f"unknown setting {name!r} of {what}; known: {', '.join(known) or 'none'}{hint}")


def given_path(given: Any, name: str, error: type[OpenShapeError] = InputError) -> Path:
    """Path given as the argument `name`, with ~ expanded. Raises `error` for a value that is no path."""
    try:
        return Path(given).expanduser()
    except (TypeError, RuntimeError) as cause:  # not a path, or the home folder is unknown
        raise error(f"{name} is {given!r} ({cause}). Expected the path of a file. Check it.") from None


def blocks(table: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Consecutive blocks of a table (b, d): slice of row indices, and these rows as float64."""
    rows = max(1, BLOCK_ELEMENTS // table.shape[1])
    for start in range(0, len(table), rows):
        part = slice(start, start + rows)
        yield part, table[part].astype(np.float64, copy=False)


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """ln sum_c exp(l_c) over the rows of (b, k), without overflow."""
    most = logits.max(axis=1)
    return most + np.log(np.exp(logits - most[:, None]).sum(axis=1))


def unit(vectors: Any, what: str, names: Sequence[str] = ()) -> np.ndarray:
    """Rows (m, d) scaled to length 1, in float64. Raises `InputError` naming a zero or non-finite row."""
    vectors = np.asarray(to_numpy(vectors), dtype=np.float64)
    return vectors / check_directions(vectors, what, names)[:, None]


def check_directions(vectors: np.ndarray, what: str, names: Sequence[str] = ()) -> np.ndarray:
    """Lengths (m,) of rows (m, d), in float64. Raises `InputError` naming a zero or non-finite row."""
    norms = np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=-1)
    bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if len(bad):
        row = repr(names[bad[0]]) if len(names) else f"row {bad[0]}"
        raise InputError(
            f"{what} {row} is zero or not finite. Expected a vector with a direction. Remove or correct it."
        )
    return norms


def unit_or_zero(rows: np.ndarray) -> np.ndarray:
    """Rows (m, d) scaled to length 1, in float64; zero rows stay zero."""
    rows = rows.astype(np.float64)
    # first divided by the largest number, so that squares neither overflow nor become 0
    most = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(most > 0, most, 1)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(length > 0, length, 1)


def check_names(names: Any) -> tuple[str, ...]:
    """Class names as a tuple. Raises `ClassNamesError` unless they are a list of distinct names that are not blank."""
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if isinstance(names, str):
        raise ClassNamesError(f"known is the string {names!r}. Expected a list of names. Give [{names!r}].")
    names = tuple(names)
    if not names:
        raise ClassNamesError("there are no known classes. Expected at least one name. Give names.")
    for i, name in enumerate(names):
        check_name(name, f"known class {i}")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ClassNamesError(
            f"known classes are repeated: {', '.join(map(repr, twice))}. Expected each once. Remove copies."
        )
    return names


def check_name(name: Any, what: str) -> str:
    """`name` unchanged. Raises `ClassNamesError` if it is blank, not a string, or too long."""
    if not isinstance(name, str) or not name.strip():
        raise ClassNamesError(f"{what} is {reprlib.repr(name)}. Expected a name. Give a string that is not blank.")
    return check_length(name, what)


def check_length(name: str, what: str, error: type[OpenShapeError] = ClassNamesError) -> str:
    """`name` unchanged. Raises `error` if it is too long. It may be blank."""
    if len(name) > LONGEST_NAME:
        message = f"{what} is {reprlib.repr(name)}, of {len(name):,} characters"
        raise error(f"{message}. Expected at most {LONGEST_NAME}. Shorten it.")
    return name
