"""Images from files, which come from outside: bounded before they are decoded."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from openshape_ood.checks import given_path
from openshape_ood.errors import FileError
from openshape_ood.shapes.guards import IMAGE_FORMATS, MAX_BYTES, Images


def load_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """The image in a file, upright as its camera says.

    Parameters
    ----------
    path : path
        PNG, JPEG, WEBP, BMP, TIFF, GIF or TGA.

    Returns
    -------
    ndarray (h, w, 3) uint8
        Gray is repeated, what is transparent lies on white.

    Raises
    ------
    FileError
        For what cannot be read, is no image, or would take too much to decode.
    """
    from PIL import Image

    turned = _opened(path, "RGBA")
    white = Image.new("RGBA", turned.size, "white")
    return np.asarray(Image.alpha_composite(white, turned).convert("RGB"))


def load_pixels(path: str | os.PathLike[str]) -> np.ndarray:
    """The image in a file with the depth it has: (h, w) of uint16, int32 or float32, else (h, w, 3) uint8.

    Parameters, sources and errors as in `load_picture`. What is transparent is not told.
    """
    image = _opened(path, None)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    return np.asarray(image if image.mode in ("I", "F") else image.convert("RGB"))


def _opened(path: str | os.PathLike[str], mode: str | None) -> Any:
    """The image in a file, upright and decoded, in a mode of Pillow's."""
    from PIL import Image, ImageOps

    given: Any = given_path(path, "path")
    if not given.is_file():  # a pipe would wait for ever
        raise FileError(f"{given}: there is no such file" if not given.exists() else f"{given} is no regular file")
    try:
        with given.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if not Images().admit(data, given.name):
            raise FileError(f"{given} is no image that can be read; expected one of {', '.join(IMAGE_FORMATS)}")
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
            turned = ImageOps.exif_transpose(image)
            return turned.convert(mode) if mode else turned
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot read the image {given}: {error.strerror or error}") from error
    except (ValueError, SyntaxError, EOFError) as error:
        raise FileError(f"{given} is a damaged image: {error}") from error
