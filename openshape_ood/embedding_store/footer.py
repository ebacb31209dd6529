"""Sizes of the columns of a Parquet file, read from its footer in Python.

pyarrow can read them too, but it aborts the process if a damaged footer has contradictory column statistics.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

MAGIC = b"PAR1"
STOP, TRUE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 0, 1, 3, 7, 8, 9, 10, 11, 12
DEEPEST = 32  # maximum nesting of structs; a valid footer has seven levels
# field numbers of parquet.thrift
ROW_GROUPS, COLUMNS, META_DATA, PATH, NUM_VALUES, UNCOMPRESSED = 4, 1, 3, 3, 5, 6


class Chunk(NamedTuple):
    """Column of a row group: top-level name, number of values, uncompressed bytes."""

    name: str
    values: int
    size: int


def column_chunks(path: Path) -> list[Chunk]:
    """Columns of all row groups. Raises `ValueError` or `LookupError` for an invalid footer."""
    with path.open("rb") as file:
        file.seek(-8, 2)
        ends = file.tell()
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != MAGIC or length > ends:
            raise ValueError("it has no Parquet footer")
        file.seek(ends - length)
        footer = _Compact(file.read(length)).struct()
    chunks = []
    for group in footer.get(ROW_GROUPS, ()):
        for column in group[COLUMNS]:
            fields = column[META_DATA]
            chunks.append(Chunk(fields[PATH][0].decode("utf-8"), int(fields[NUM_VALUES]), int(fields[UNCOMPRESSED])))
    return chunks


class _Compact:
    """Parser of Thrift's compact protocol. Structs become dictionaries by field number."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self, deep: int = 0) -> dict[int, Any]:
        if deep > DEEPEST:
            raise ValueError("its footer is nested too deep")
        fields: dict[int, Any] = {}
        field = 0
        while (head := self._byte()) & 15 != STOP:
            field = field + (head >> 4) if head >> 4 else self._integer()
            fields[field] = self._value(head & 15, deep)
        return fields

    def _value(self, kind: int, deep: int, inside: bool = False) -> Any:
        if kind in (TRUE, TRUE + 1):  # the type of a boolean field contains its value; a list item is a byte
            return self._byte() == TRUE if inside else kind == TRUE
        if kind == BYTE:
            return self._byte()
        if kind < DOUBLE:
            return self._integer()
        if kind in (DOUBLE, BINARY):
            return self._bytes(8 if kind == DOUBLE else self._varint())
        if kind in (LIST, SET):
            head = self._byte()
            count = self._varint() if head >> 4 == 15 else head >> 4
            self._check(count)
            return [self._value(head & 15, deep + 1, inside=True) for _ in range(count)]
        if kind == STRUCT:
            return self.struct(deep + 1)
        raise ValueError(f"its footer has a field of type {kind}, which Parquet does not use")

    def _check(self, count: int) -> None:
        if count > len(self._data) - self._at:
            raise ValueError("its footer is cut off")

    def _bytes(self, count: int) -> bytes:
        self._check(count)
        self._at += count
        return self._data[self._at - count : self._at]

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("its footer contains a number of more than 64 bits")

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
