"""Plots of a completed view: image, affinities, completed objects, unexplained space."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import check_whole, given_path
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.novelty_map.colors import ramp
from openshape_ood.plots import canvas
from openshape_ood.plots.points import thinned, view
from openshape_ood.shapes.points import upright
from openshape_ood.storage import save_whole
from openshape_ood.views.geometry import in_bounds, moved

if TYPE_CHECKING:
    from openshape_ood.views.completion import CompletedView

COLUMNS, MOST_LOCATED = 4, 4
MOST = 12_000  # maximum visible points drawn
MARGIN = 0.25  # points are drawn up to this margin around the grid of the network, as a fraction of its sides
NAMED = 12  # maximum names in the legend
ASIDE, ABOVE = 15.0, 30.0  # viewpoint of plots in degrees: to the right of the view's camera, above horizontal
SWING = 50.0  # degrees that the viewpoint of a film moves to each side
FILMS = (".gif", ".mp4")
FRAME_SECONDS = 0.09
FRAME_DPI = 60
CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
NOTHING = np.zeros(0, dtype=bool)
LIGHT = np.array([0.72, 1.0, 0.86])  # brightness of faces perpendicular to x, y (up) and z


def completed(result: CompletedView, *, title: str | None = None) -> canvas.Figure:
    """Draw a result of `complete_view`: image, affinities, completed objects, unexplained space, located objects.

    Parameters
    ----------
    result : CompletedView
    title : str, optional

    Returns
    -------
    matplotlib figure
    """
    _check(result)
    located = result.descriptions[len(result.field.names) :][:MOST_LOCATED]
    count = 4 + len(located)
    rows = -(-count // COLUMNS)
    figure, axes = canvas.panels(rows, COLUMNS, size=(4.4 * COLUMNS, 4.2 * rows))
    for ax in axes.flat:
        ax.set_axis_off()
    first, second, third, fourth, *others = axes.flat
    first.imshow(result.view.rgb)
    canvas.title(first, title or result.view.name, fontsize=11)
    second.imshow(lit(result))
    canvas.title(second, f"affinities, by {result.affinities.provenance.method}", fontsize=11)
    names = {name: result.cells[name] for name in result.field.names}
    draw_cells(third, result, names)
    canvas.title(third, "completed", fontsize=11)
    draw_cells(fourth, result, None)
    canvas.title(fourth, f"gray is known: {canvas.short(', '.join(result.known), 40)}", fontsize=11)
    for ax, sentence in zip(others, located, strict=False):
        draw_cells(ax, result, {sentence: result.cells[sentence]})
        canvas.title(ax, canvas.short(sentence, 40), fontsize=11)
    colors = [(name, tuple(color)) for name, color in result.colors().items() if names.get(name, NOTHING).any()]
    if colors:
        canvas.key(second, dict(colors[:NAMED]), marker="s", ncols=3)
    return figure


def draw_cells(
    ax: canvas.Axes, result: CompletedView, shown: dict[str, np.ndarray] | None, turn: float = ASIDE
) -> None:
    """Draw the visible points, and cells of the grid.

    shown: for each description, the mask (side, side, side) of the cells to draw in its color. None: all occupied
    cells, colored by novelty. turn: angle of the viewpoint in degrees, to the right of the view's camera.
    """
    from matplotlib.collections import PolyCollection

    side, inverse = result.side, np.linalg.inv(result.field.frame)
    points = visible(result)
    across, rise, _ = drawn_at(points[:, :3], result, turn)
    ax.scatter(across, rise, s=2.0, c=0.55 + 0.45 * points[:, 3:], linewidths=0, rasterized=True)
    paint = np.full((side, side, side, 3), np.nan)
    if shown is None:
        paint[tuple(result.voxels.elements.rows.T)] = ramp(result.voxels.novelty, 0.0, 1.0)
    description_colors = result.colors()
    for name, cells in (shown or {}).items():
        paint[cells] = description_colors[name]
    quads, colors = faces(paint)
    if len(quads):
        grid = result.field.network.grid
        low, size = np.array(grid.low), np.subtract(grid.high, grid.low) / side
        corners = moved(low + quads.reshape(-1, 3) * size, inverse)
        x, y, near = (one.reshape(-1, 4) for one in drawn_at(corners, result, turn))
        order = np.argsort(near.mean(axis=1), kind="stable")
        polygons = PolyCollection(
            list(np.stack([x, y], axis=-1)[order]), facecolors=colors[order], edgecolors="face", lw=0.3
        )
        ax.add_collection(polygons)
    ax.set_axis_off()
    ax.set_aspect("equal", adjustable="datalim")
    ax.autoscale_view()


def faces(paint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outer faces of the cells that have a color: corners (q, 4, 3), in units of cells, and colors (q, 3).

    paint: color (x, y, z, 3) of each cell; NaN for cells that are not drawn.
    """
    filled = np.pad(np.isfinite(paint[..., 0]), 1)
    quads, colors = [np.empty((0, 4, 3))], [np.empty((0, 3))]
    for axis in range(3):
        others = [one for one in range(3) if one != axis]
        for step in (-1, 1):
            open_side = filled & ~np.roll(filled, -step, axis=axis)
            cells = np.argwhere(open_side) - 1
            corners = np.repeat(cells[:, None].astype(float), 4, axis=1)
            corners[..., others] += CORNERS
            corners[..., axis] += step > 0
            quads.append(corners)
            colors.append(paint[tuple(cells.T)] * LIGHT[[0, 2, 1][axis]])
    return np.concatenate(quads), np.concatenate(colors)


def film(result: CompletedView, path: str | os.PathLike[str], *, frames: int = 16) -> Path:
    """Write a film whose viewpoint moves from side to side around a completed view: a looping GIF, or an MP4 (H.264).

    Parameters
    ----------
    result : CompletedView
    path : str or Path
        Name that ends in .gif or .mp4. MP4 needs the extra `film`.
    frames : int
        Number of frames from one side to the other, at least 2.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        For another suffix, and for an invalid number of frames.
    FileError
        If writing fails.
    MissingPackageError
        If imageio is not installed, or for MP4 imageio-ffmpeg.
    """
    _check(result)
    given = given_path(path, "path")
    suffix = given.suffix.lower()
    if suffix not in FILMS:
        raise InputError(f"path is {given}. Expected a {' or '.join(FILMS)} file. Change the name.")
    try:
        import imageio.v3 as imageio
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "films are not available. Expected the package imageio. Run pip install 'openshape-ood[views]'."
        ) from error
    if suffix == ".mp4" and find_spec("imageio_ffmpeg") is None:
        raise MissingPackageError(
            "MP4 films are not available. Expected the package imageio-ffmpeg. Run pip install 'openshape-ood[film]'."
        )
    turns = np.linspace(-SWING, SWING, check_whole(frames, "frames", 2))
    images = [imageio.imread(canvas.rendered(_frame(result, turn), "png", FRAME_DPI)) for turn in turns]
    shown = np.stack(images + images[-2:0:-1])[..., :3]
    if suffix == ".mp4":
        return save_whole(given, _mp4(shown), "the film")
    buffer = io.BytesIO()
    imageio.imwrite(buffer, shown, extension=suffix, duration=FRAME_SECONDS * 1000, loop=0)
    return save_whole(given, buffer.getvalue(), "the film")


def _mp4(frames: np.ndarray) -> bytes:
    """MP4 file of frames (n, h, w, 3) uint8. H.264 needs an even height and width, so odd ones are padded."""
    from imageio_ffmpeg import write_frames

    even = np.pad(frames, ((0, 0), *((0, side % 2) for side in frames.shape[1:3]), (0, 0)), mode="edge")
    _, height, width, _ = even.shape
    how: dict[str, Any] = {"fps": 1 / FRAME_SECONDS, "macro_block_size": 2}
    with tempfile.TemporaryDirectory() as folder:  # the encoder only writes to files
        path = Path(folder) / "film.mp4"
        with contextlib.closing(write_frames(str(path), (width, height), **how)) as writer:
            writer.send(None)
            for frame in even:
                writer.send(np.ascontiguousarray(frame))
        return path.read_bytes()


def traces(result: CompletedView) -> Iterator[dict[str, Any]]:
    """Plotly traces of a completed view: the surface of each description, and the cells that are novel."""
    colors = result.colors()
    for name, mesh in result.meshes().items():
        x, y, z = mesh.vertices.T.astype(np.float32)
        i, j, k = mesh.faces.T
        color = "rgb({},{},{})".format(*np.rint(255 * colors[name]).astype(int))
        yield {"type": "mesh3d", "name": name, "x": x, "y": y, "z": z, "i": i, "j": j, "k": k} | {"color": color}
    new = result.novelty.elements.rows[result.novelty.is_novel] if len(result.novelty) else np.empty((0, 3))
    if len(new):
        x, y, z = new.astype(np.float32).T
        yield {"type": "scatter3d", "name": "new", "x": x, "y": y, "z": z, "mode": "markers"} | {
            "marker": {"size": 4, "symbol": "square", "color": "#6E0F12"}
        }


def visible(result: CompletedView) -> np.ndarray:
    """Visible points (m, 6) within `MARGIN` of the grid of the network: xyz in the world, and rgb in [0, 1].

    At most `MOST` points are returned. Points without color are gray.
    """
    scene, grid = result.view.scene(), result.field.network.grid
    margin = np.subtract(grid.high, grid.low) * MARGIN
    near = in_bounds(moved(scene.points, result.field.frame), np.array([grid.low - margin, grid.high + margin]))
    rows = np.flatnonzero(near)
    rows = rows[thinned(len(rows), MOST)]
    return np.hstack(
        [scene.points[rows], scene.color[rows] if scene.color is not None else np.full((len(rows), 3), 0.5)]
    )


def is_completed(result: Any) -> bool:
    """True for a `CompletedView`, without importing its module."""
    return all(hasattr(result, name) for name in ("view", "affinities", "field", "located"))


def _check(result: Any) -> None:
    if not is_completed(result):
        given = type(result).__name__
        raise InputError(f"the view is {given}. Expected a CompletedView. Give the result of complete_view.")


def drawn_at(points: np.ndarray, result: CompletedView, turn: float) -> tuple[np.ndarray, ...]:
    """Project points (m, 3) of the world by `points.view`: horizontal position, vertical position, nearness.

    turn: angle of the viewpoint in degrees, to the right of the view's camera. The viewpoint is above the scene.
    """
    return view(upright(points, "z"), camera_turn(result, turn), ABOVE)


def camera_turn(result: CompletedView, turn: float = ASIDE) -> float:
    """Angle in degrees for `points.view`, so that the viewpoint is `turn` degrees to the right of the camera."""
    from openshape_ood.views.completion import camera_frame

    x, y = camera_frame(result.view.pose)[0, :2]  # forward
    return float(np.rad2deg(np.arctan2(y, x))) - 90 + turn


def _frame(result: CompletedView, turn: float) -> canvas.Figure:
    figure, axes = canvas.panels(1, 1, size=(6, 5))
    draw_cells(axes[0, 0], result, {name: result.cells[name] for name in result.descriptions}, float(turn))
    return figure


def lit(result: CompletedView) -> np.ndarray:
    """Gray image (h, w, 3). Each pixel is tinted with the color of the name that has the largest affinity there."""
    largest, tint = np.zeros((*result.view.shape, 1)), np.zeros((*result.view.shape, 3))
    colors = result.colors()
    for name in result.field.names:  # one name at a time, because hundreds of maps would take too much memory
        values = np.nan_to_num(result.affinities[name])[..., None]
        tint = np.where(values > largest, colors[name], tint)
        largest = np.maximum(values, largest)
    share = largest / max(float(largest.max()), 1e-9)
    gray = 0.35 + 0.5 * result.view.rgb.mean(axis=2, keepdims=True)
    return np.clip(gray * (1 - share) + tint * share, 0, 1)
