"""Images from files. Limits of size and memory are checked before decoding."""

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
PIXEL = 12  # bytes of memory per pixel, with all copies
STRIP = 4 * 2**20  # pixels converted at once
ORIENTATION = 0x0112  # EXIF tag
# EXIF orientation: function from the upright image to a view of it, in which the pixels have the order of the file
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
    """Image (h, w, 3) uint8 from a PNG, JPEG, WEBP, BMP, TIFF, GIF or TGA file, upright by its EXIF orientation.

    Gray images are converted to rgb. Transparent pixels are blended with white. Raises `FileError` for a file that
    cannot be read, is not an image, or exceeds the limits of decoding.
    """
    with opened(path) as image:
        return _upright(image, _on_white)


def load_pixels(path: str | os.PathLike[str], each: int = PIXEL) -> np.ndarray:
    """Image as from `load_picture`. An image of uint16, int32 or float32 keeps its type and is (h, w).

    each: bytes of memory per pixel, with all copies that the caller makes.
    """
    with opened(path, each) as image:
        if image.mode.startswith("I;16"):
            return _upright(image, lambda strip: np.asarray(strip).astype(np.uint16))
        return _upright(image, np.asarray if image.mode in ("I", "F") else _in_color)


def _upright(image: Image, converted: Callable[[Image], np.ndarray]) -> np.ndarray:
    """Upright pixels of an image. They are converted in strips, to avoid a second copy of the whole image."""
    image.load()  # Pillow rotates TIFF images while it loads them
    width, height = image.size
    orientation = image.getexif().get(ORIENTATION, 1)
    stored = pixels = np.empty(0)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        strip = converted(image.crop((0, top, width, min(top + rows, height))))
        if not top:
            shape = (width, height) if orientation in (5, 6, 7, 8) else (height, width)
            pixels = np.empty((*shape, *strip.shape[2:]), strip.dtype)
            stored = STORED.get(orientation, lambda upright: upright)(pixels)
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
    """Context manager that opens an image without decoding it. Converts errors, also of the block, to `FileError`.

    each: bytes of memory per pixel, with all copies. beside: bytes of other files that belong to the image.
    """
    from PIL import Image

    given: Any = given_path(path, "path")
    data = read_bounded(given)
    try:
        if not Images().admit(data, given.name):
            formats = ", ".join(IMAGE_FORMATS)
            raise FileError(f"{given} is no image that can be read. Expected {formats}. Convert or replace the file.")
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
            w, h = image.size
            require_memory(each * w * h, len(data) + beside, f"{w} x {h} pixels", whole=True)
            yield image
    except FileError:
        raise
    except InputError as error:
        raise FileError(f"{given}: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise FileError(f"{given} is a damaged image ({error}). Expected a complete one. Copy it again.") from error


def read_bounded(path: Path) -> bytes:
    """Content of a regular file of limited size. Raises `FileError`."""
    if not path.is_file():  # reading a pipe would block
        given = f"{path} is no regular file" if path.exists() else f"{path}: there is no such file"
        raise FileError(f"{given}. Expected an image or view. Check the path.")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}. Expected a readable file. Check its permissions."
        raise FileError(message) from error
    if len(data) > MAX_BYTES:
        raise FileError(f"{path} is larger than {MAX_BYTES >> 20} MiB. Expected an image or view. Check the file.")
    return data
