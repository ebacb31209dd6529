"""Generated textures in the layout of MVTec AD: good images, and images with a scratch, a stain or a hole.

Images of one texture are not aligned: they look like different cut-outs of one material.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 256  # pixels of an image
DEFECTS = ("scratch", "stain", "hole")
TRAINED, TESTED = 20, 10  # good training images; test images per defect, and good test images
Rows = np.ndarray


def write_textures(root: Path, seed: int = 0) -> Path:
    """Write one category per texture to `root`. All images depend on the seed only."""
    for number, (name, texture) in enumerate(TEXTURES.items()):
        parts = [("train/good", "", TRAINED), *((f"test/{kind or 'good'}", kind, TESTED) for kind in ("", *DEFECTS))]
        for part, (folder, kind, count) in enumerate(parts):
            for i in range(count):
                rng = np.random.RandomState([seed, number, part, i])
                image, truth = texture(rng), np.zeros((SIDE, SIDE), dtype=bool)
                if kind:
                    image, truth = spoilt(image, kind, rng)
                    _save(root / name / "ground_truth" / kind / f"{i:03}_mask.png", truth * 255)
                _save(root / name / folder / f"{i:03}.png", 255 * image.clip(0, 1))
    return root


def spoilt(image: Rows, kind: str, rng: np.random.RandomState) -> tuple[Rows, Rows]:
    """Plant one defect in an image (s, s, c); returns the image and the mask of the defect (s, s)."""
    y, x = np.mgrid[: len(image), : len(image)] * (SIDE / len(image))  # in pixels of an image of `SIDE` pixels
    row, column = rng.uniform(0.2 * SIDE, 0.8 * SIDE, 2)
    turn = rng.uniform(0, np.pi)
    along = (x - column) * np.cos(turn) + (y - row) * np.sin(turn)
    across = (y - row) * np.cos(turn) - (x - column) * np.sin(turn)
    if kind == "scratch":
        bent = across - 6 * np.sin(along / 30)
        truth = (np.abs(along) < rng.uniform(25, 45)) & (np.abs(bent) < 2.5)
        return np.where(truth[..., None], image + rng.choice([-0.3, 0.3]), image), truth
    bell = np.exp(-((along / rng.uniform(12, 20)) ** 2 + (across / rng.uniform(8, 14)) ** 2))
    if kind == "stain":
        tint = rng.uniform(0.05, 0.15, image.shape[2]) * rng.choice([-1, 1])
        return image + bell[..., None] * tint, bell > 0.3
    truth = bell > 0.6
    return np.where(truth[..., None], image.mean(axis=(0, 1)) * 0.4, image), truth


def _noise(rng: np.random.RandomState, down: float, along: float) -> Rows:
    """Smooth noise (s, s) with standard deviation 1; `down` and `along` are its correlation lengths in pixels."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.normal(size=(SIDE, SIDE)), (down, along), mode="wrap")
    return (noise - noise.mean()) / noise.std()


def _tinted(gray: Rows, color: tuple[float, float, float], rng: np.random.RandomState) -> Rows:
    return gray[..., None] * np.array(color) + 0.01 * rng.normal(size=(SIDE, SIDE, 3))


def brushed(rng: np.random.RandomState) -> Rows:
    """Metal brushed along the rows."""
    gray = 0.55 + 0.08 * _noise(rng, 0.6, 25) + 0.03 * _noise(rng, 40, 40)
    return _tinted(gray, (1.0, 1.0, 1.03), rng)


def cloth(rng: np.random.RandomState) -> Rows:
    """A weave with a random shift."""
    y, x = np.mgrid[:SIDE, :SIDE] + rng.uniform(0, 16, 2)[:, None, None]
    over = np.sin(2 * np.pi * x / 8) * np.sin(2 * np.pi * y / 8) + 0.4 * np.sin(2 * np.pi * (x + y) / 16)
    return _tinted(0.45 + 0.12 * over + 0.04 * _noise(rng, 1, 1), (0.8, 0.9, 1.1), rng)


def wood(rng: np.random.RandomState) -> Rows:
    """Wood grain along the columns, of uneven width."""
    x = np.mgrid[:SIDE, :SIDE][1] + 6 * _noise(rng, 60, 20) + rng.uniform(0, 40)
    return _tinted(0.5 + 0.1 * np.sin(2 * np.pi * x / 20) + 0.05 * _noise(rng, 12, 0.8), (1.2, 0.85, 0.55), rng)


def stone(rng: np.random.RandomState) -> Rows:
    """Stone with grains of two sizes."""
    return _tinted(0.5 + 0.1 * _noise(rng, 2, 2) + 0.06 * _noise(rng, 6, 6), (1.0, 0.97, 0.92), rng)


TEXTURES: dict[str, Callable[[np.random.RandomState], Rows]] = {
    "brushed": brushed, "cloth": cloth, "stone": stone, "wood": wood,
}  # fmt: skip


def _save(path: Path, pixels: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
