"""Colors that color-blind readers can distinguish: a ramp for novelty, and one color per class.

The ramp becomes darker with novelty, so it also works in a gray print.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# positions on the ramp and their colors: light gray, amber, vermilion, dark red
NOVELTY = ((0.0, "#D2D6DC"), (0.4, "#F0B24A"), (0.7, "#D55E00"), (1.0, "#6E0F12"))

# from Okabe and Ito, jfly.uni-koeln.de/color, without yellow, which is too light on white
CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK = CLASSES


def hex_to_rgb(color: str) -> np.ndarray:
    """Three numbers (3,) in [0, 1] of a color "#RRGGBB".

    >>> hex_to_rgb("#FF0080").round(2).tolist()
    [1.0, 0.0, 0.5]
    """
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Colors (n, 3) in [0, 1] of values (n,): gray up to `low`, dark red from `high` on.

    If `low` equals `high`, larger values are dark red. NaN, for unseen elements, is white.

    >>> ramp(np.array([0.0, 1.0]), 0.2, 0.8).round(2).tolist()
    [[0.82, 0.84, 0.86], [0.43, 0.06, 0.07]]
    """
    beyond = np.asarray(values, dtype=np.float64) - low
    share = (beyond / (high - low)).clip(0, 1) if high > low else (beyond > 0).astype(np.float64)
    places = [place for place, _ in NOVELTY]
    stops = np.stack([hex_to_rgb(color) for _, color in NOVELTY])
    colors = np.stack([np.interp(share, places, stops[:, channel]) for channel in range(3)], axis=1)
    return np.where(np.isnan(beyond)[:, None], 1.0, colors)


def class_colors(names: Sequence[str]) -> dict[str, str]:
    """Color "#RRGGBB" of each class, in order. With more than seven classes, colors repeat.

    >>> class_colors(["chair", "sofa"])
    {'chair': '#0072B2', 'sofa': '#D55E00'}
    """
    return {name: CLASSES[i % len(CLASSES)] for i, name in enumerate(dict.fromkeys(names))}
