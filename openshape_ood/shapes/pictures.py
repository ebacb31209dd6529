"""Images from files, which come from outside: bounded before they are decoded."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import given_path
from openshape_ood.errors import FileError
from openshape_ood.shapes.guards import IMAGE_FORMATS, Images

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

MAX_BYTES = 1 << 29


def load_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """The image in a PNG, JPEG, WEBP, BMP, TIFF, GIF or TGA file, upright as its camera says: (h, w, 3) uint8.

    Gray is repeated, what is transparent lies on white. Raises `FileError` for what cannot be read, is no image, or
    would take too much to decode.
    """
    from PIL import Image, ImageOps

    with opened(path) as image:
        turned = ImageOps.exif_transpose(image).convert("RGBA")
    white = Image.new("RGBA", turned.size, "white")
    return np.asarray(Image.alpha_composite(white, turned).convert("RGB"))


def load_pixels(path: str | os.PathLike[str]) -> np.ndarray:
    """As `load_picture`, but with the depth it has: (h, w) of uint16, int32 or float32, else (h, w, 3) uint8."""
    from PIL import ImageOps

    with opened(path) as stored:
        image = ImageOps.exif_transpose(stored)
        if image.mode.startswith("I;16"):
            return np.asarray(image).astype(np.uint16)
        return np.asarray(image if image.mode in ("I", "F") else image.convert("RGB"))


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Image]:
    """The image in a file as it is stored, to be decoded inside. Raises `FileError`, also for what decoding meets."""
    from PIL import Image

    given: Any = given_path(path, "path")
    data = read_bounded(given)
    try:
        if not Images().admit(data, given.name):
            raise FileError(f"{given} is no image that can be read; expected one of {', '.join(IMAGE_FORMATS)}")
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
            yield image
    except FileError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise FileError(f"{given} is a damaged image: {error}") from error


def read_bounded(path: Path) -> bytes:
    """The bytes of a regular file that is not too large. Raises `FileError`."""
    if not path.is_file():  # a pipe would wait for ever
        raise FileError(f"{path}: there is no such file" if not path.exists() else f"{path} is no regular file")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > MAX_BYTES:
        raise FileError(f"{path} is larger than {MAX_BYTES >> 20} MiB; no picture or view is")
    return data
