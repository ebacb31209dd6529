"""Sound files, damaged: bytes flipped, ends cut, pieces of other files, lengths and numbers that cannot be."""

from __future__ import annotations

import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence

MOST_BYTES = 2**20
PNG = b"\x89PNG\r\n\x1a\n"
NUMBERS = (
    b"-1", b"0", b"1", b"2147483647", b"2147483648", b"4294967296", b"99999999999999999999", b"-9223372036854775809",
    b"1e308", b"-1e400", b"1e-320", b"nan", b"inf", b"1e9", b"100000", b"0.5", b"", b"[]", b"null", b"\xd9\xa3",
)  # fmt: skip
LENGTHS = (0, 1, -1, 2, 255, 65535, 2**16, 2**20, 2**24, 2**31 - 1, -(2**31), 2**40, 2**62, -(2**63))
PLACES = (
    b"../secret.png", b"/etc/hostname", b"file:///etc/hostname", b"http://127.0.0.1:9/x", b"..\\secret.png",
    b"%2e%2e/secret.png", b"side.png", b"large.png", b"data:,x", b"\\\\host\\share", b".", b"C:/x",
)  # fmt: skip
PIECE = re.compile(rb"-?\d[\d.eE+-]*")
WORD = re.compile(rb"[\w./:;,=+-]{4,}")

Mutation = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def mutate(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Some mutations of a file, of one to four kinds; the same for the same state of `rng`.

    Of what is packed into a ZIP, GLB, PNG or safetensors file half the mutations are inside, and all around it fits:
    else checksums and lengths alone would be tried.
    """
    inside = _inside(data, rng) if rng.random() < 0.5 else None
    if inside is not None:
        part, around = inside
        room = max(0, MOST_BYTES - len(data) + len(part))
        return around(_mutated(part, [part, *others], rng)[:room])
    return _mutated(data, others, rng)


def _mutated(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        rng.choice(MUTATIONS)(changed, rng, others)
    return bytes(changed[:MOST_BYTES])


def _inside(data: bytes, rng: random.Random) -> tuple[bytes, Callable[[bytes], bytes]] | None:
    """A part of a file of parts, and what puts another in its place."""
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        chosen = rng.choice(list(parts))
        return parts[chosen], lambda part: _zip(parts | {chosen: part})
    if data[:4] == b"glTF":
        (size,) = struct.unpack_from("<I", data, 12)
        return data[20 : 20 + size], lambda part: packed_glb(part, data[20 + size :])
    if data[:8] == PNG:
        chunks = list(_chunks(data))
        place = rng.randrange(len(chunks))
        kind, part = chunks[place]
        packed = kind == b"IDAT" and rng.random() < 0.8
        return zlib.decompress(part) if packed else part, lambda new: _png(
            [*chunks[:place], (kind, zlib.compress(new) if packed else new), *chunks[place + 1 :]]
        )
    if data[8:9] == b"{":
        size = 8 + struct.unpack_from("<Q", data)[0]
        return data[8:size], lambda part: struct.pack("<Q", len(part)) + part + data[size:]
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the chunks of a PNG file."""
    at = len(PNG)
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def _png(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    ends = (struct.pack(">I", zlib.crc32(kind + part)) for kind, part in chunks)
    heads = (struct.pack(">I", len(part)) + kind + part for kind, part in chunks)
    return PNG + b"".join(head + end for head, end in zip(heads, ends, strict=True))


def _zip(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part)  # of no date: the same bytes at any time
    return file.getvalue()


def packed_glb(document: bytes, rest: bytes) -> bytes:
    """A GLB file of a JSON document and the chunks behind it."""
    document += b" " * (-len(document) % 4)
    chunk = struct.pack("<I4s", len(document), b"JSON") + document + rest
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunk)) + chunk


def _flip(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if data:
            # heads decide more than bodies
            data[rng.randrange(min(len(data), rng.choice((64, 512, len(data)))))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _lose(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 4, 16, 256))]


def _splice(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    start, at = rng.randrange(len(other) + 1), rng.randrange(len(data) + 1)
    piece = other[start : start + rng.choice((4, 32, 256, 4096))]
    data[at : at + rng.choice((0, len(piece)))] = piece


def _repeat(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    """Some lines or bytes many times over, numbered or not: what takes time as the square of it shows."""
    start = rng.randrange(len(data) + 1)
    if rng.random() < 0.5:
        start = data.rfind(b"\n", 0, start) + 1
        end = start
        for _ in range(rng.choice((1, 1, 2, 4))):
            end = data.find(b"\n", end) + 1 or len(data)
    else:
        end = start + rng.choice((1, 8, 64))
    piece = bytes(data[start : min(end, start + 4096)])
    copies = min(rng.choice((2, 10, 10, 100, 100, 1000, 100_000)), MOST_BYTES // (len(piece) or 1))
    numbers = list(PIECE.finditer(piece))
    if numbers and rng.random() < 0.3:
        before, after = piece[: numbers[0].start()], piece[numbers[0].end() :]
        data[start:start] = b"".join(b"%b%d%b" % (before, i, after) for i in range(copies))
    else:
        data[start:start] = piece * copies


def _length(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    """A field of two, four or eight bytes, where lengths and counts would be, becomes one that cannot be."""
    size, code = rng.choice(((2, "h"), (4, "i"), (4, "i"), (8, "q")))
    if len(data) < size:
        return
    at = rng.randrange(min(len(data) - size + 1, rng.choice((128, 1024, len(data)))))
    at -= at % rng.choice((1, 2, 4))
    value = rng.choice(LENGTHS) & (1 << 8 * size) - 1
    data[at : at + size] = struct.pack(rng.choice("<<>") + code.upper(), value)


def _number(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    _replace(data, rng, PIECE, NUMBERS)


def _word(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    """Replace a word by a very long one: fixed widths multiply it by a count."""
    _replace(data, rng, WORD, [b"x" * rng.choice((300, 5_000, 100_000))])


def _nest(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    """A number becomes lists or objects in each other, deeper than a parser can go."""
    deep = rng.choice((50, 3_000, 100_000))
    _replace(data, rng, PIECE, [b"[" * deep + b"]" * deep, b"[" * deep, b'{"a":' * deep + b"0" + b"}" * deep])


def _place(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    _replace(data, rng, WORD, PLACES)


def _swap(data: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    """A word of the file stands in another's place."""
    words = [match.group() for match in WORD.finditer(bytes(data[:65536]))]
    if words:
        _replace(data, rng, WORD, words)


def _replace(data: bytearray, rng: random.Random, pattern: re.Pattern[bytes], values: Sequence[bytes]) -> None:
    found = list(pattern.finditer(bytes(data[:65536])))
    for match in rng.sample(found, min(len(found), rng.choice((1, 1, 3)))):
        # the same length where there is room, so that binary files around it stay whole
        value, room = rng.choice(values), match.end() - match.start()
        if rng.random() < 0.5 and len(value) <= room:
            value = value.ljust(room)
        if match.end() <= len(data):
            data[match.start() : match.end()] = value


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _flip, _cut, _lose, _splice, _repeat, _length, _length, _number, _number, _place, _swap, _word, _nest
)  # fmt: skip
