"""A stand-in for the relevancy of names in an image, made from true masks, no better than CLIP's.

Maps come out as `complete` takes them: (k, h, w), scaled by the largest magnitude among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from benchmarks.training.completion_samples import LAYOUT, Sample

GAIN = (0.5, 1.5)
LEAKS, LEAK = 0.25, (0.1, 0.7)  # share of other things that a name also lights up, and how much
GROUND = (0.0, 0.45)  # of floor, walls and ceiling
BLUR = (1.5, 4.5)  # pixels, of a picture 96 wide
NOISE, SMOOTH = (0.02, 0.07), (2.0, 8.0)
PATCHES, PATCH = 0.55, (3.0, 8.0)  # how unevenly a thing lights up, and in patches of so many pixels
SHIFT = 2.0  # pixels
NOTHING = np.zeros(0, dtype=np.int64)  # what a name has that is in no room


def stand_in(sample: Sample, names: Sequence[str], rng: np.random.RandomState, severity: float = 1.0) -> np.ndarray:
    """Maps (k, h, w) float32 of names, present or not; severity: 0 for clean masks, 1 for what is measured."""
    if not severity:
        return np.stack([sample.mask(name) for name in names]).astype(np.float32)
    maps = np.stack([one_map(sample.shown, sample.objects(name), rng, severity) for name in names])
    # as with relevancy, what all names light up alike says nothing of one of them; absent names steady the mean
    others = [one_map(sample.shown, NOTHING, rng, severity) for _ in range(2)]
    maps -= np.concatenate([maps, others]).mean(axis=0)
    return scaled(maps)


def scaled(maps: np.ndarray) -> np.ndarray:
    """Maps divided by the largest magnitude among them, NaN left out."""
    largest = np.nanmax(np.abs(maps), initial=0.0)
    return (maps / (largest or 1.0)).astype(np.float32)


def one_map(shown: np.ndarray, objects: np.ndarray, rng: np.random.RandomState, severity: float) -> np.ndarray:
    """The map (h, w) of a name that these of the objects have, by the number that each pixel shows (h, w)."""
    share = np.zeros(256)
    others = rng.random_sample(256) < LEAKS * severity
    share[others] = severity * rng.uniform(*LEAK, int(others.sum()))
    share[[0, *LAYOUT.values()]] = severity * rng.uniform(*GROUND, 1 + len(LAYOUT))
    share[objects] = rng.uniform(0.7, 1.0, len(objects))
    scale = shown.shape[1] / 96
    uneven = 1 + PATCHES * severity * _smooth(shown.shape, scale * rng.uniform(*PATCH), rng)
    found = rng.uniform(*GAIN) * share[shown] * np.clip(uneven, 0.05, 2)
    found = shift(found, severity * scale * rng.uniform(-SHIFT, SHIFT, 2), order=1, mode="nearest")
    found = gaussian_filter(found, severity * scale * rng.uniform(*BLUR), mode="nearest")
    return found + severity * rng.uniform(*NOISE) * _smooth(found.shape, scale * rng.uniform(*SMOOTH), rng)


def _smooth(shape: tuple[int, ...], blur: float, rng: np.random.RandomState) -> np.ndarray:
    """Blurred noise (h, w) of unit deviation."""
    noise = gaussian_filter(rng.normal(size=shape), blur, mode="nearest")
    return noise / noise.std()


def quality(sample: Sample, names: Sequence[str], maps: np.ndarray) -> np.ndarray:
    """Of each name (k, 3): pixel average precision, whether the largest pixel is its own, best IoU over thresholds."""
    found = []
    for name, values in zip(names, maps, strict=True):
        mask = sample.mask(name).reshape(-1)[np.argsort(-values, axis=None, kind="stable")]
        hits, ranks = np.cumsum(mask), np.arange(1, mask.size + 1)
        found.append([(hits / ranks)[mask].mean(), mask[0], (hits / (ranks + mask.sum() - hits)).max()])
    return np.array(found, dtype=np.float64)
