"""Plots of images: affinities of pixels to names, and novelty maps of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_map.colors import class_colors, ramp
from openshape_ood.plots import canvas

if TYPE_CHECKING:
    from openshape_ood.views.affinities import Affinities

COLUMNS = 4
MOST = 39  # maximum names in a figure
SIDE = 640  # maximum pixels of a panel
COVER = 0.85  # opacity of the color where the affinity is largest


def relevancy(affinities: Affinities, *, names: Sequence[str] | None = None, title: str | None = None) -> canvas.Figure:
    """Draw an image, and for each name a panel with the affinity of each pixel to the name.

    All panels have the same color scale, from 0 to the maximum of all drawn names.

    Parameters
    ----------
    affinities : Affinities
    names : sequence of str, optional
        Names to draw. Default: all names of `affinities`. At most 39 are drawn.
    title : str, optional

    Returns
    -------
    matplotlib figure
    """
    if not hasattr(affinities, "values") or not hasattr(affinities, "names"):
        given = type(affinities).__name__
        raise InputError(
            f"affinities are {given}. Expected Affinities. Give a result of RelevancyEncoder.encode_image."
        )
    chosen = list(affinities.names if names is None else names)
    shown = {name: affinities[name] for name in chosen[:MOST]}
    step = -(-max(affinities.values.shape[1:]) // SIDE)
    peaks = [values[np.isfinite(values)].max(initial=0.0) for values in shown.values()]
    high = float(max(peaks, default=0.0))
    picture = _picture(affinities)[::step, ::step]
    columns = min(COLUMNS, len(shown) + 1)
    rows = -(-(len(shown) + 1) // columns)
    h, w = picture.shape[:2]
    height = canvas.PANEL * min(2.0, max(0.4, h / w)) + 0.3
    figure, axes = canvas.panels(rows, columns, size=(canvas.PANEL * columns, height * rows + 0.5))
    for ax in axes.flat:
        ax.set_axis_off()
    axes.flat[0].imshow(picture)
    canvas.title(axes.flat[0], "the image", fontsize=11)
    for ax, (name, values) in zip(axes.flat[1:], shown.items(), strict=False):
        ax.imshow(_covered(picture, values[::step, ::step], high))
        peak = np.nanmax(values) if np.isfinite(values).any() else np.nan
        canvas.title(ax, f"{canvas.short(name, 30)}, up to {peak:.2f}", fontsize=11)
    more = f", and {len(chosen) - MOST} more names" if len(chosen) > MOST else ""
    source = affinities.provenance
    caption = (
        title or f"{source.method} by {source.identity.checkpoint}: gray is 0, dark red {canvas.number(high)}{more}"
    )
    figure.suptitle(canvas.short(caption, 120 if columns > 2 else 60), fontsize=10, color=canvas.GREY, **canvas.PLAIN)
    return figure


def draw_pixels(ax: canvas.Axes, result: NoveltyMap, color: str, bar: bool) -> None:
    """Draw a novelty map of pixels as an image, with a legend below if `bar` is True."""
    ax.set_axis_off()
    ax.imshow(result.image(color))
    if not bar:
        return
    if color == "novelty":
        low, high = result.bounds()
        below: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "va": "top", "color": canvas.GREY}
        ax.text(0.5, -0.04, f"gray {canvas.number(low)}, dark red {canvas.number(high)}", fontsize=9, **below)
        return
    canvas.key(ax, class_colors(list(result.classes)), ncols=3)


def _picture(affinities: Affinities) -> np.ndarray:
    """Image (h, w, 3) in [0, 1]; white if the affinities contain no image."""
    if affinities.rgb is None:
        return np.ones((*affinities.values.shape[1:], 3))
    return np.asarray(affinities.rgb) / 255


def _covered(picture: np.ndarray, values: np.ndarray, high: float) -> np.ndarray:
    """Gray image (h, w, 3) with affinities (h, w) as colors on it; white where the affinity is NaN."""
    gray = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2) * 0.75 + 0.2
    share = np.nan_to_num(values / high if high > 0 else values * 0).clip(0, 1)
    over = ramp(share.reshape(-1), 0.0, 1.0).reshape(*share.shape, 3)
    cover = COVER * np.sqrt(share)[..., None]
    return np.where(np.isnan(values)[..., None], 1.0, gray * (1 - cover) + over * cover)
