"""How far along a file is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def byte_bar(name: str, total: int | None, done: int, progress: bool) -> tqdm:
    """A bar that counts bytes, of `total` where it is known; it shows on a terminal alone, and with `progress`."""
    from tqdm import tqdm

    disable = None if progress else True  # None: where there is no terminal
    return tqdm(desc=name, total=total, initial=done, unit="B", unit_scale=True, disable=disable, leave=False)
