"""Colors: lightness falls along the ramp, classes can be told apart."""

from __future__ import annotations

import numpy as np

from openshape_ood.novelty_map.colors import CLASSES, class_colors, hex_to_rgb, ramp


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB, by the formula of IEC 61966-2-1 and CIE 15."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_the_ramp_reads_in_grey() -> None:
    steps = lightness(ramp(np.linspace(0, 1, 101), 0, 1))
    assert (np.diff(steps) < 0).all()
    assert steps[0] - steps[-1] > 50


def test_values_beyond_the_ends_stay_there() -> None:
    colors = ramp(np.array([-5.0, 0, 1, 9]), 0, 1)
    assert (colors[0] == colors[1]).all() and (colors[2] == colors[3]).all()
    same = ramp(np.array([1.0, 1.001]), 1.0, 1.0)
    assert (same == colors[[0, 2]]).all()


def test_a_class_keeps_its_color() -> None:
    assert class_colors(["b", "a", "b"]) == {"b": CLASSES[0], "a": CLASSES[1]}
    assert hex_to_rgb(CLASSES[0]).tolist() == [0, 114 / 255, 178 / 255]
