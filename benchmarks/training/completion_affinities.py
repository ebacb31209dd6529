"""Affinities of names in an image, simulated from true masks with errors like those of CLIP's relevancy.

Maps have the format of `complete`: (k, h, w), divided by their largest magnitude.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from benchmarks.training.completion_samples import LAYOUT, Sample

# lengths are in pixels of an image with a width of 96
GAIN = (0.5, 1.5)
LEAKS, LEAK = 0.25, (0.1, 0.7)  # fraction of the other objects that also get affinity; range of that affinity
GROUND = (0.0, 0.45)  # affinity of floor, walls and ceiling
BLUR = (1.5, 4.5)
NOISE, SMOOTH = (0.02, 0.07), (2.0, 8.0)
PATCHES, PATCH = 0.55, (3.0, 8.0)  # amplitude and patch size of the variation within an object
SHIFT = 2.0
NOTHING = np.zeros(0, dtype=np.int64)  # objects of a name that is not in the room


def stand_in(sample: Sample, names: Sequence[str], rng: np.random.RandomState, severity: float = 1.0) -> np.ndarray:
    """Simulated maps (k, h, w) float32 of names, present or not; severity: 0 for clean masks, 1 for evaluation."""
    if not severity:
        return np.stack([sample.mask(name) for name in names]).astype(np.float32)
    maps = np.stack([one_map(sample.shown, sample.objects(name), rng, severity) for name in names])
    # subtract the mean over names, as for relevancy; absent names make the mean more stable
    others = [one_map(sample.shown, NOTHING, rng, severity) for _ in range(2)]
    maps -= np.concatenate([maps, others]).mean(axis=0)
    return scaled(maps)


def scaled(maps: np.ndarray) -> np.ndarray:
    """Maps divided by their largest magnitude; NaN is ignored."""
    largest = np.nanmax(np.abs(maps), initial=0.0)
    return (maps / (largest or 1.0)).astype(np.float32)


def one_map(shown: np.ndarray, objects: np.ndarray, rng: np.random.RandomState, severity: float) -> np.ndarray:
    """Map (h, w) of a name; shown (h, w): object number per pixel; objects: numbers of the objects with the name."""
    share = np.zeros(256)
    others = rng.random_sample(256) < LEAKS * severity
    share[others] = severity * rng.uniform(*LEAK, int(others.sum()))
    share[[0, *LAYOUT.values()]] = severity * rng.uniform(*GROUND, 1 + len(LAYOUT))
    share[objects] = rng.uniform(0.7, 1.0, len(objects))
    scale = shown.shape[1] / 96
    uneven = 1 + PATCHES * severity * _smooth(shown.shape, scale * rng.uniform(*PATCH), rng)
    map_ = rng.uniform(*GAIN) * share[shown] * np.clip(uneven, 0.05, 2)
    map_ = shift(map_, severity * scale * rng.uniform(-SHIFT, SHIFT, 2), order=1, mode="nearest")
    map_ = gaussian_filter(map_, severity * scale * rng.uniform(*BLUR), mode="nearest")
    return map_ + severity * rng.uniform(*NOISE) * _smooth(map_.shape, scale * rng.uniform(*SMOOTH), rng)


def _smooth(shape: tuple[int, ...], blur: float, rng: np.random.RandomState) -> np.ndarray:
    """Blurred noise (h, w) with standard deviation 1."""
    noise = gaussian_filter(rng.normal(size=shape), blur, mode="nearest")
    return noise / noise.std()


def quality(sample: Sample, names: Sequence[str], maps: np.ndarray) -> np.ndarray:
    """Quality (k, 3) of each map: average precision of pixels, 1 if the maximum is on the mask, best IoU."""
    rows = []
    for name, values in zip(names, maps, strict=True):
        mask = sample.mask(name).reshape(-1)[np.argsort(-values, axis=None, kind="stable")]
        hits, ranks = np.cumsum(mask), np.arange(1, mask.size + 1)
        rows.append([(hits / ranks)[mask].mean(), mask[0], (hits / (ranks + mask.sum() - hits)).max()])
    return np.array(rows, dtype=np.float64)
