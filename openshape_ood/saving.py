"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from openshape_ood.errors import FileError


def save_whole(path: str | os.PathLike[str], content: bytes, what: str) -> Path:
    """Write `content` under a temporary name beside `path`, then rename. Raises `FileError` naming `what`."""
    path = Path(path).expanduser()
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        raise FileError(f"cannot write {what} {path}: {error.strerror or error}") from error
    finally:  # also when interrupted
        partial.unlink(missing_ok=True)
    return path
