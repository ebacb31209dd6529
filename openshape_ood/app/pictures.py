"""Pictures: thumbnails of clouds, interactive figures of results, and the sheet of a completed view."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import Any

import numpy as np

from openshape_ood.app.downloads import Shown
from openshape_ood.app.surface_tab import SurfaceVerdict
from openshape_ood.app.verdicts import ScanVerdict, ShapeVerdict
from openshape_ood.app.view_tab import ViewVerdict
from openshape_ood.novelty_map.colors import hex_to_rgb
from openshape_ood.plots import turnable
from openshape_ood.plots.canvas import rendered
from openshape_ood.plots.interactive import filled
from openshape_ood.plots.scenes import box_lines
from openshape_ood.views.completion import CompletedView

INK = "#1F3B57"
DRAWN = 3000  # points of a thumbnail
COLORS = {"novelty": "novelty", "nearest class": "class"}
COLORS_OF_SCANS = {"novelty": "novelty", "name": "name", "object": "object"}
HEIGHT, HEIGHT_OF_SCANS = 310, 430  # pixels of an interactive figure
FILLED = 1.45  # longest side of a shape in plotly's units, so that it fills the picture
FILLED_FLAT = 1.25  # the same for a surface, whose diagonal must fit
SHEET_DPI = 60
TURN, TILT = np.radians(35), np.radians(20)


def thumbnail(cloud: np.ndarray, size: int = 44) -> bytes:
    """PNG (size, size) of a cloud (n, 3|6) with y up, seen from the front left and above. Nearer points are darker.

    >>> thumbnail(np.eye(3))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    from PIL import Image

    shown = cloud[np.random.RandomState(0).permutation(len(cloud))[:DRAWN], :3].astype(np.float64)
    across, up, depth = _seen(shown)
    big = 2 * size
    image = np.full((big, big), -np.inf)
    for right in (0, 1):
        for down in (0, 1):  # a point covers 2 x 2 pixels
            rows = (big - 3 - up * (big - 4)).astype(int) + down
            columns = (1 + across * (big - 4)).astype(int) + right
            np.maximum.at(image, (rows, columns), depth)
    covered = np.isfinite(image)
    strength = np.where(covered, 0.35 + 0.65 * np.where(covered, image, 0), 0)[..., None]
    pixels = 1 - strength * (1 - hex_to_rgb(INK))
    content = io.BytesIO()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).resize((size, size)).save(content, "PNG")
    return content.getvalue()


def data_uri(png: bytes) -> str:
    """PNG as a data URI."""
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


def _seen(xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Horizontal, vertical and depth coordinates of points, (n,) each, in [0, 1]. The first two share a scale."""
    x, y, z = (xyz - (xyz.min(axis=0) + xyz.max(axis=0)) / 2).T
    across, away = np.cos(TURN) * x + np.sin(TURN) * z, np.cos(TURN) * z - np.sin(TURN) * x
    up, near = np.cos(TILT) * y - np.sin(TILT) * away, np.cos(TILT) * away + np.sin(TILT) * y
    span = 2 * max(np.abs(across).max(), np.abs(up).max(), 1e-12)
    depth = (near - near.min()) / max(np.ptp(near), 1e-12)
    return (across / span + 0.5).clip(0, 1), (up / span + 0.5).clip(0, 1), depth


def sheet(completed: CompletedView) -> bytes:
    """PNG of a view, its affinities, the completed objects and the new objects."""
    return rendered(completed.plot(), "png", SHEET_DPI)


def colors_of(shown: Shown) -> dict[str, str]:
    """Colorings of a result, as label -> name; empty if there is only one."""
    return COLORS_OF_SCANS if isinstance(shown, ScanVerdict) else COLORS if isinstance(shown, ShapeVerdict) else {}


def turning(shown: Shown, color: str) -> Any:
    """Interactive plotly figure of a result."""
    height = HEIGHT if isinstance(shown, ShapeVerdict) else HEIGHT_OF_SCANS
    # `uirevision` keeps the visitor's rotation when the colors change
    kept = {"height": height, "uirevision": shown.name}
    if isinstance(shown, ViewVerdict):
        return turnable(shown.completed, title="").update_layout(**kept)
    figure = turnable(
        shown.scene if isinstance(shown, ScanVerdict) else shown.map, colors_of(shown).get(color, "novelty"), title=""
    )
    if isinstance(shown, ScanVerdict):
        for x, y, z in [box_lines([one.box]).T for one in shown.scene.objects[shown.shown :][:1]]:
            line = {"color": "black", "width": 6}
            figure.add_scatter3d(x=x, y=y, z=z, mode="lines", line=line, showlegend=False, hoverinfo="skip")
    return filled(figure.update_layout(**kept), FILLED_FLAT if isinstance(shown, SurfaceVerdict) else FILLED)
