"""Generated images in the layout of PACS_DG, with lists: drawings of outlines in four styles.

There are ten named outlines, of which six are known. Base classes are random outlines. The images are for trying the
commands; figures on them are not valid for photographs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from openshape_ood.storage import replacing

SIDE, BASE = 64, 40
KNOWN, LABELS_FROM = 6, 3  # number of known classes; first label, which need not be 0
DOMAINS = {"ArtPainting": "art_painting", "Cartoon": "cartoon", "Photo": "photo", "Sketch": "sketch"}
VERSION = 1  # increase it if the generated images change
# corners of the outlines: two digits each, x and y from 0 to 9
CORNERS = {
    "arrow": "04 54 52 95 58 56 06",
    "house": "05 50 95 85 89 19 15",
    "cross": "30 60 63 93 96 66 69 39 36 06 03 33",
    "fish": "05 32 62 85 92 98 85 68 38",
    "bolt": "50 90 64 94 29 45 14",
    "hat": "07 27 31 61 77 97 98 08",
    "key": "03 22 43 44 94 97 86 85 65 66 55 45 44 46 27 06",
    "boat": "06 36 30 85 46 96 79 29",
    "tree": "50 83 63 96 57 59 39 37 06 33 13",
    "hourglass": "00 90 64 64 99 09 34",
}


def generated(cache: Path, per_class: int = 20, per_base: int = 24, seed: int = 0) -> Path:
    """Cache folder with `data` and `lists`, which are created if missing."""
    folder = cache / f"resend-images-{VERSION}-{per_class}-{per_base}-{seed}"
    if not folder.is_dir():
        try:
            with replacing(folder) as partial:
                _written(partial, per_class, per_base, seed)
        except OSError:  # another process has created it
            if not folder.is_dir():
                raise
    return folder


def _written(folder: Path, per_class: int, per_base: int, seed: int) -> None:
    lines: dict[str, list[str]] = {domain: [] for domain in DOMAINS}
    for label, name in enumerate(CORNERS, LABELS_FROM):
        for d, (domain, place) in enumerate(DOMAINS.items()):
            for i in range(per_class):
                path = f"PACS/kfold/{place}/{name}/pic {i:03}.png"
                _draw(folder / "data" / path, outline(name), domain, [seed, label, d, i])
                lines[domain].append(f"{path} {label}\n")
    known = {f" {label}\n" for label in range(LABELS_FROM, LABELS_FROM + KNOWN)}
    for domain in DOMAINS:
        others = [line for other in DOMAINS if other != domain for line in lines[other]]
        support = [line for line in others if line[line.rindex(" ") :] in known]
        _list(folder / "lists" / "PACS_DG" / f"no_{domain}.txt", support)
        _list(folder / "lists" / "PACS_DG" / f"{domain}.txt", lines[domain])
    base = []
    for c in range(BASE):
        points = random_outline(seed, c)
        for i in range(per_base):
            path = f"outline {c:02}/{i:03}.png"
            _draw(folder / "data/ImageNet/Data/CLS-LOC/train" / path, points, [*DOMAINS][i % 4], [seed, 1000 + c, i])
            base.append(f"{path} {c}\n")
    _list(folder / "lists" / "ImageNet" / "train.txt", base)


def _list(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def outline(name: str) -> np.ndarray:
    """Corners (p, 2) of a named outline, from -1 to 1."""
    points = np.array([[int(pair[0]), int(pair[1])] for pair in CORNERS[name].split()])
    return points / 4.5 - 1


def random_outline(seed: int, c: int) -> np.ndarray:
    """A polygon with 4 to 12 corners, or a closed curve of three sine waves."""
    rng = np.random.default_rng([seed, 77, c])
    if c % 2:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 13)))
        radius = rng.uniform(0.35, 1, len(angles))
    else:
        angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        waves = rng.choice(np.arange(1, 8), 3, replace=False)
        radius = 0.65 + sum(rng.uniform(0.05, 0.2) * np.cos(w * angles + rng.uniform(0, 6.3)) for w in waves)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None]


def _draw(path: Path, points: np.ndarray, domain: str, seed: list[int]) -> None:
    """Draw an outline, rotated by up to 25 degrees, scaled, shifted and jittered, in the style of its domain."""
    rng = np.random.default_rng(seed)
    angle, scale = np.deg2rad(rng.uniform(-25, 25)), rng.uniform(0.55, 0.9, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = (points * scale + rng.normal(0, 0.02, points.shape)) @ turn + rng.uniform(-0.1, 0.1, 2)
    corners = [(float(x), float(y)) for x, y in (placed + 1) * SIDE]  # drawn twice as large, for smooth edges
    ink, paper = (tuple(int(v) for v in rng.integers(*span, 3)) for span in ((0, 130), (150, 256)))
    large = Image.new("RGB", (2 * SIDE, 2 * SIDE), "white" if domain == "Sketch" else paper)
    pen = ImageDraw.Draw(large)
    if domain == "Sketch":
        pen.line([*corners, corners[0]], fill="black", width=4)
    elif domain == "Cartoon":
        pen.polygon(corners, fill=ink, outline="black", width=5)
    else:
        pen.polygon(corners, fill=ink)
    small = large.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    if domain == "Photo":  # noise and blur
        small = _noisy(small.filter(ImageFilter.GaussianBlur(1)), rng, 12, 1)
    elif domain == "ArtPainting":  # strokes
        small = _noisy(small, rng, 40, 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    small.save(path)


def _noisy(image: Image.Image, rng: np.random.Generator, strength: float, cell: int) -> Image.Image:
    noise = rng.normal(0, strength, (SIDE // cell, SIDE // cell, 3)).repeat(cell, 0).repeat(cell, 1)
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
