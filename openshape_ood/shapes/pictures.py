"""Images from files, with bounds checked before decoding."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import given_path, require_memory
from openshape_ood.errors import FileError, InputError
from openshape_ood.shapes.guards import IMAGE_FORMATS, Images

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

MAX_BYTES = 1 << 29
PIXEL = 12  # bytes of a decoded pixel, converted to color
STRIP = 4 * 2**20  # pixels converted per step
ORIENTATION = 0x0112  # of EXIF
# EXIF orientation -> view of the stored pixels that is upright
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def load_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Image in a PNG, JPEG, WEBP, BMP, TIFF, GIF or TGA file, upright by its EXIF orientation: (h, w, 3) uint8.

    Gray becomes rgb; transparent pixels are blended with white. Raises `FileError` for a file that cannot be read, is
    no image, or exceeds the decoding limits.
    """
    with opened(path) as image:
        return _upright(image, _on_white)


def load_pixels(path: str | os.PathLike[str], each: int = PIXEL) -> np.ndarray:
    """`load_picture` with the stored depth: (h, w) of uint16, int32 or float32, else (h, w, 3) uint8.

    each: bytes to be made of a pixel, copies included.
    """
    with opened(path, each) as image:
        if image.mode.startswith("I;16"):
            return _upright(image, lambda strip: np.asarray(strip).astype(np.uint16))
        return _upright(image, np.asarray if image.mode in ("I", "F") else _in_color)


def _upright(image: Image, converted: Callable[[Image], np.ndarray]) -> np.ndarray:
    """All pixels, converted in strips, without a second copy of the whole image."""
    image.load()  # TIFF is rotated here
    width, height = image.size
    turned = image.getexif().get(ORIENTATION, 1)
    stored = pixels = np.empty(0)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = converted(image.crop((0, top, width, min(top + rows, height))))
        if not top:
            shape = (width, height) if turned in (5, 6, 7, 8) else (height, width)
            pixels = np.empty((*shape, *strip.shape[2:]), strip.dtype)
            stored = STORED.get(turned, lambda upright: upright)(pixels)
        stored[top : top + rows] = strip
    return pixels


def _in_color(image: Image) -> np.ndarray:
    if "transparency" in image.info:  # Pillow warns on a direct conversion
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _on_white(image: Image) -> np.ndarray:
    from PIL import Image as Pillow

    white = Pillow.new("RGBA", image.size, "white")
    return np.asarray(Pillow.alpha_composite(white, image.convert("RGBA")).convert("RGB"))


@contextmanager
def opened(path: str | os.PathLike[str], each: int = PIXEL, beside: int = 0) -> Iterator[Image]:
    """Open an image as stored; decode it inside the block. Raises `FileError`, also for decoding errors.

    each: bytes to be made of a pixel, copies included; beside: bytes of further files that belong to it.
    """
    from PIL import Image

    given: Any = given_path(path, "path")
    data = read_bounded(given)
    try:
        if not Images().admit(data, given.name):
            raise FileError(f"{given} is no image that can be read; expected one of {', '.join(IMAGE_FORMATS)}")
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
            w, h = image.size
            require_memory(each * w * h, len(data) + beside, f"{w} x {h} pixels", whole=True)
            yield image
    except FileError:
        raise
    except InputError as error:
        raise FileError(f"{given}: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise FileError(f"{given} is a damaged image: {error}") from error


def read_bounded(path: Path) -> bytes:
    """Content of a regular file of limited size. Raises `FileError`."""
    if not path.is_file():  # reading a pipe would block
        raise FileError(f"{path}: there is no such file" if not path.exists() else f"{path} is no regular file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise FileError(f"{path} is larger than {MAX_BYTES >> 20} MiB; no picture or view is")
    return data
