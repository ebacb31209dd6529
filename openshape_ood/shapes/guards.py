"""Limits that files of all formats must pass before their content is parsed or memory is allocated."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from openshape_ood.errors import ShapeFileError

MAX_BYTES = 2 * 2**30
POINT = 48  # bytes of a colored point in memory
PART = 8 * 2**10  # bytes of memory that each mesh of a file takes, in addition to its vertices and faces
NODE = 2 * 2**10  # bytes of memory of a node that places a mesh

MAX_PIXELS = 64 * 2**20
PIXEL = {"WEBP": 16, "TIFF": 12}  # bytes of memory per pixel, with all copies in the decoder; 4 for other formats
PROGRESSIVE = 10  # cost factor of a progressive JPEG, which usually has ten scans; each scan updates all pixels
IMAGE = 128  # bytes of memory allowed per byte of an image file; an image may always take 256 MiB
MAX_STEPS = 500_000  # maximum reads while headers of images are parsed; an ordinary image takes fifty
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "TGA")


def require_bytes(needed: int, held: int, what: str) -> None:
    """Raise `ShapeFileError` if a header declares more bytes (`needed`) than the file has for them (`held`)."""
    if needed < 0 or needed > held:
        raise ShapeFileError(
            f"{what} would take {needed:,} bytes, but the file has {held:,} for it. Expected a complete "
            "file. If it is cut off, copy it again."
        )


class SideFiles:
    """Side files of a shape, such as materials and textures. They must be in the shape's folder or in folders in it.

    Implements the resolver protocol of trimesh. `[]` returns the content of any file. `get` is for images and
    materials, and also checks images. Each file is read once. Parsers ignore missing or refused side files. Therefore
    `missing` lists names without a usable file, and `check` raises the error `refused` after parsing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.images = Images()
        self.missing: list[str] = []
        self.refused: ShapeFileError | None = None
        self._budget = MAX_BYTES
        self._read: dict[Path, bytes] = {}

    def __getitem__(self, name: str) -> bytes:
        path = self._find(name)
        if path is None:
            self.missing.append(name)
            raise FileNotFoundError(f"side file {name!r} is not in the folder of the shape")
        if path not in self._read:
            self._budget -= path.stat().st_size
            if self._budget < 0:
                self.refused = ShapeFileError(
                    f"side files hold more than {MAX_BYTES / 2**30:.0f} GiB together. Expected less. Scale images down."
                )
                raise self.refused
            self._read[path] = path.read_bytes()
        return self._read[path]

    def get(self, name: str) -> bytes:
        data = self[name]
        try:
            if not name.strip().lower().endswith(".mtl") and not self.images.admit(data, name):
                self.missing.append(name)
                raise FileNotFoundError(f"side file {name!r} is not a readable image")
        except ShapeFileError as error:
            self.refused = error
            raise
        return data

    def need(self, name: str) -> bytes:
        """Content of a required file."""
        try:
            return self[name]
        except FileNotFoundError:
            message = f"it needs {name[:100]!r}, which is not in its own folder. Expected this file. Copy it there."
            raise ShapeFileError(message) from None

    def check(self) -> None:
        """Raise the error of a side file that a parser ignored."""
        if self.refused is not None:
            raise self.refused

    def _find(self, name: str) -> Path | None:
        for spelling in (name.strip(), unquote(name.strip())):
            inside = spelling.replace("\\", "/")
            if re.match(r"$|/|[A-Za-z][A-Za-z0-9+.-]*:", inside) or "\0" in inside or ".." in inside.split("/"):
                continue
            try:
                path = (self.folder / inside).resolve()  # follows links, so that a link to another folder is detected
                if path.is_relative_to(self.folder) and path.is_file():
                    return path
            except (OSError, RuntimeError):  # name too long, or a cycle of links
                continue
        return None


class Images:
    """Limits for the images of one file: pixels and memory, per image and in total. Only headers are read."""

    def __init__(self) -> None:
        self._steps = 0
        self._free = 2**30  # bytes by which all images together may exceed `IMAGE` times their file sizes
        # number of reads of the header of each image; each use of the image adds this number to `_steps`
        self._seen: dict[bytes, int] = {}

    def admit(self, data: bytes, name: str) -> bool:
        """True for a readable image. Raises `ShapeFileError` if it is too large to decode."""
        from PIL import Image, UnidentifiedImageError

        if data in self._seen:
            self._count(self._seen[data], name)
            return True
        header = _Header(data)
        try:
            with Image.open(header, formats=IMAGE_FORMATS) as image:
                needed = _decoded(image, data, name)
        except Image.DecompressionBombError as error:
            raise ShapeFileError(
                f"image {name!r} has far more than {MAX_PIXELS >> 20} MPixel. Expected less; it may be a decompression "
                "bomb. Scale it down."
            ) from error
        except ShapeFileError:
            raise
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, struct.error):
            return False
        finally:
            self._count(header.steps, name)
        self._seen[data] = header.steps
        self._free -= max(0, needed - IMAGE * len(data))
        if self._free < 0:
            raise ShapeFileError(
                "its images would take more to decode than 1 GiB. Expected less; they may be a decompression bomb. "
                "Scale them down."
            )
        return True

    def _count(self, steps: int, name: str) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise ShapeFileError(
                f"image {name!r} has an endless header, or is named too often. Expected an ordinary image, no bomb. "
                "Save the image again."
            )


class _Header(io.BytesIO):
    """Stream that counts reads, and so limits the time of header parsers."""

    steps = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise ShapeFileError("an image has an endless header. Expected an ordinary image. Save it again.")
        return super().read(size)


def _decoded(image: Any, data: bytes, name: str) -> int:
    """Bytes of memory to decode an image. Raises `ShapeFileError` above the limit.

    A progressive JPEG counts more bytes, because its decoding is slow.
    """
    check_pixels(image.size, name)
    each = PIXEL.get(image.format, 4)
    if image.info.get("progressive"):
        each = PROGRESSIVE * max(1, data.count(b"\xff\xda") // 10)
    needed = each * image.size[0] * image.size[1]
    tile = [getattr(image, "tag_v2", {}).get(tag, 1) for tag in (322, 323)]  # TIFF decodes whole tiles
    if needed > max(2**28, IMAGE * len(data)) or tile[0] * tile[1] > MAX_PIXELS:
        raise ShapeFileError(
            f"image {name!r} of {image.size[0]} x {image.size[1]} pixels in {len(data):,} bytes would take {needed:,} "
            "bytes to decode. Expected less; it may be a decompression bomb. Scale it down."
        )
    return needed


def check_pixels(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ShapeFileError(
            f"image {name!r} has {size[0]} x {size[1]} pixels, more than {MAX_PIXELS >> 20} MPixel. Expected a smaller "
            "image. Scale it down."
        )
