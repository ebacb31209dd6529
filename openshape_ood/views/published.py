"""Published scene files of Semantic Abstraction: pickle files, read without unpickling.

A dict of strings, numbers, lists and plain arrays needs few pickle instructions. These are interpreted one by one;
names of functions stay names, and all other instructions are refused, so no code in the file can run.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from openshape_ood.errors import CloudError

MAX_STEPS = 100_000  # instructions; a scene file has a few hundred
REBUILDER, SCALAR = "numpy.core.multiarray _reconstruct", "numpy.core.multiarray scalar"
BUFFER, ARRAY, TYPE = "numpy.core.numeric _frombuffer", "numpy ndarray", "numpy dtype"
ALLOWED = {REBUILDER, SCALAR, BUFFER, ARRAY, TYPE}
VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()


@dataclass(eq=False)
class Record:
    """Call in a file, recorded but not executed: name, arguments, and the state that is set afterwards."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass(frozen=True)
class _Name:
    """Name of a function or type in a file. It is never imported."""

    name: str


class _Type:
    """NumPy type under construction."""

    def __init__(self, code: Any, objects: bool) -> None:
        kinds = r"[fiu][1248]|b1|O8" if objects else r"[fiu][1248]|b1"
        if not isinstance(code, str) or not re.fullmatch(kinds, code):
            raise CloudError("it holds an array that is not of plain numbers")
        self.code, self.order = code, "="

    def build(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise CloudError("it holds an array of a type that cannot be read")
        if any(part is not None for part in state[2:5]):  # a structured type
            raise CloudError("it holds an array that is not of plain numbers")
        self.order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(object if self.code == "O8" else self.order + self.code)


class _Array:
    """Array under construction."""

    def __init__(self) -> None:
        self.values: np.ndarray | None = None

    def build(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise CloudError("it holds an array that cannot be read")
        _, shape, kind, fortran, content = state
        self.values = _array(content, kind, shape, "F" if fortran is True else "C")


def read_pickle(data: bytes, records: Collection[str] = (), max_steps: int = MAX_STEPS) -> Any:
    """Content of a pickle of dicts, lists, tuples, strings, numbers and plain arrays; arrays are read-only.

    Parameters
    ----------
    data : bytes
    records : collection of str
        Further functions and types, each as "module name", that the file may call. They are never imported: a call
        gives a `Record`. If given, arrays may hold strings, and the top-level value may be a `Record`.
    max_steps : int
        Maximum number of instructions.

    Raises
    ------
    CloudError
        For any other instruction. Nothing in the file is executed.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for step, (opcode, argument, _) in enumerate(pickletools.genops(io.BytesIO(data))):
        if step >= max_steps:
            raise CloudError(
                f"it has more than {max_steps:,} instructions. Expected a few hundred, as in a scene file."
            )
        name, place = opcode.name, cast(int, argument)  # position in the memo
        if name == "STOP":
            return _finished(stack.pop())
        if name in VALUES:
            stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in TUPLES:
            stack.append(tuple([stack.pop() for _ in range(TUPLES[name])][::-1]))
        elif name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if name == "MEMOIZE" else place] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[place])
        elif name not in ("PROTO", "FRAME"):
            _follow(name, argument, stack, records)
    raise CloudError("it ends in the middle")


def _follow(name: str, argument: Any, stack: list[Any], records: Collection[str]) -> None:
    """Execute an instruction that builds a value."""
    if name == "MARK":
        stack.append(MARK)
    elif name in ("EMPTY_DICT", "EMPTY_LIST"):
        stack.append({} if name == "EMPTY_DICT" else [])
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in ("APPEND", "APPENDS"):
        added = _since_mark(stack) if name == "APPENDS" else [stack.pop()]
        _of(list, stack[-1]).extend(added)
    elif name in ("SETITEM", "SETITEMS"):
        added = _since_mark(stack) if name == "SETITEMS" else [stack.pop() for _ in range(2)][::-1]
        for key, value in zip(added[::2], added[1::2], strict=True):
            _of(dict, stack[-1])[_of(str, key)] = value
    elif name in ("GLOBAL", "STACK_GLOBAL"):
        parts = [_of(str, stack.pop()) for _ in range(2)][::-1] if name == "STACK_GLOBAL" else [argument]
        stack.append(_named(" ".join(parts), records))
    elif name == "REDUCE" or (name == "NEWOBJ" and records):
        arguments = _of(tuple, stack.pop())
        stack.append(_made(_of(_Name, stack.pop()).name, arguments, records))
    elif name == "BUILD":
        state = stack.pop()
        if isinstance(stack[-1], Record):
            stack[-1].state = state
        elif isinstance(stack[-1], _Type | _Array):
            stack[-1].build(state)
        else:
            raise CloudError("it changes something that is no array")
    else:
        raise CloudError(
            f"it holds the instruction {name}. Expected instructions of scene files. Nothing of the file was run."
        )


def _named(name: str, records: Collection[str]) -> _Name:
    older = name.replace("numpy._core.", "numpy.core.", 1)
    if older not in ALLOWED and older not in records:
        shown = name[:80].replace(" ", ".")
        raise CloudError(f"it names {shown!r}. Expected only NumPy arrays. Nothing of the file was run.")
    return _Name(older)


def _made(name: str, arguments: tuple[Any, ...], records: Collection[str]) -> Any:
    """Value that replaces a call of an allowed name."""
    if name in records:
        return Record(name, arguments)
    if name == TYPE:
        return _Type(arguments[0] if arguments else None, bool(records))
    if name == REBUILDER and arguments and arguments[0] == _Name(ARRAY):
        return _Array()
    if name == BUFFER and len(arguments) == 4:
        content, kind, shape, order = arguments
        return _array(content, kind, shape, "F" if order == "F" else "C")
    if name == SCALAR and len(arguments) == 2:
        return _array(arguments[1], arguments[0], (), "C").item()
    raise CloudError(f"it calls {name.replace(' ', '.')!r} in a way that makes no array")


def _array(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    dtype = _of(_Type, kind).dtype
    if not isinstance(content, list if dtype.hasobject else bytes) or not isinstance(shape, tuple) or len(shape) > 4:
        raise CloudError("it holds an array that is not of plain numbers")
    fine = all(isinstance(side, int) and 0 <= side <= len(content) for side in shape)
    if not fine or math.prod(shape) * (1 if dtype.hasobject else dtype.itemsize) != len(content):
        raise CloudError("it holds an array of another size than it states")
    if isinstance(content, list):
        values = np.empty(len(content), dtype)
        for i, value in enumerate(content):  # one by one, because numpy would convert a list to an array
            values[i] = value
        return values.reshape(shape, order=order)
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _finished(value: Any) -> Any:
    """Top-level dict with arrays in place of `_Array` objects; a record is unchanged."""
    return value if isinstance(value, Record) else {key: plain(one) for key, one in _of(dict, value).items()}


def plain(value: Any) -> Any:
    """Array of an `_Array`, None if it was not filled; other values unchanged."""
    return value.values if isinstance(value, _Array) else value


def _since_mark(stack: list[Any]) -> list[Any]:
    added = []
    while (one := stack.pop()) is not MARK:
        added.append(one)
    return added[::-1]


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise CloudError(f"it has a {type(value).__name__.strip('_')} where a {kind.__name__.strip('_')} belongs")
    return value
