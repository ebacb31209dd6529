"""openshape-ood show: draw a saved result as an interactive page or a picture."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.options import RESULT, argument, option
from openshape_ood.cli.outputs import DRAWN, check_picture, drawn_by, print_written
from openshape_ood.errors import InputError

if TYPE_CHECKING:
    import numpy as np

EXAMPLES = """
  openshape-ood show found/objects.ply
  openshape-ood show found/novelty.ply --color class --out where.png
"""
NONE = "none"


def show(
    file: Annotated[Path, argument("A .ply file: a saved map, scan or scene.", "FILE")],
    /,
    *,
    color: Annotated[
        Literal["own", "novelty", "class", "height"],
        option(RESULT, "Color points by the colors in the file (own), by novelty, by class or by height."),
    ] = "own",
    out: Annotated[
        Path | None,
        option(
            RESULT,
            "Output: an interactive .html page, or a .png, .svg or .pdf picture. Default: FILE.html.",
            "FILE",
            "--out",
            "-o",
        ),
    ] = None,
    up: Annotated[str, option(RESULT, "Up axis. 'file': the axis it states, else z.", "AXIS")] = "file",
) -> None:
    """Draw a saved result as an interactive page that works offline, or as a picture."""
    from openshape_ood import plots
    from openshape_ood.shapes.points import check_up

    out = file.with_suffix(".html") if out is None else out
    check_picture("--out", out, (".html", *DRAWN), drawn_by(out))
    if up != "file":
        check_up(up, "--up")
    table, values, colored, rgb = _read(file, color)
    how: dict[str, Any] = {"up": rgb if up == "file" else up, "title": file.name}
    draw = plots.turnable if drawn_by(out) == "plotly" else plots.cloud
    print_written([plots.save(draw(table, colored, values, **how), out)])


app = options.single(show, EXAMPLES)


def _read(file: Path, color: str) -> tuple[np.ndarray, Any, str, str]:
    """Cloud (n, 3|6), value of each point or None, name of the coloring in `plots`, and up axis."""
    import numpy as np

    from openshape_ood.errors import ShapeFileError
    from openshape_ood.shapes.formats.ply import ply_columns
    from openshape_ood.storage import DAMAGE, read_regular

    if file.suffix.lower() != ".ply":
        raise InputError(f"FILE is {file}. Expected a .ply file from --out or save. Give another file.")
    try:
        data = read_regular(file.expanduser())
        columns = ply_columns(data)
        xyz = np.stack([columns[axis] for axis in "xyz"], axis=1).astype(np.float64)
    except OSError as error:
        reason = error.strerror or error
        raise ShapeFileError(f"cannot read {file}: {reason}. Expected a .ply file. Check the path.") from error
    except DAMAGE as error:
        reason = str(error).partition(". ")[0].rstrip(".")
        raise ShapeFileError(
            f"{file} is no PLY file of points, or a damaged one: {reason}. Expected a saved result. Save it again."
        ) from error
    up = _up(data)
    if color == "novelty":
        return xyz, _column(columns, ("novelty",), file), "novelty", up
    if color == "class":
        numbers = _column(columns, ("class", "label"), file).astype(np.int64)
        names = _names(data, file)
        called = [names.get(number, NONE if number <= 0 else str(number)) for number in numbers.tolist()]
        return xyz, called, "class", up
    if color == "height" or not {"red", "green", "blue"} <= columns.keys():
        return xyz, None, "height", up
    rgb = np.stack([columns[channel] for channel in ("red", "green", "blue")], axis=1)
    return np.concatenate([xyz, rgb / 255 if rgb.dtype == np.uint8 else rgb], axis=1), None, "rgb", up


def _up(data: bytes) -> str:
    """Up axis in the header of a saved map. Default: z, the axis of scans."""
    match = re.search(rb"(?m)^comment up (-?[xyz])$", data[: data.find(b"end_header")])
    return match[1].decode() if match else "z"


def _column(columns: Any, names: tuple[str, ...], file: Path) -> np.ndarray:
    for name in names:
        if name in columns:
            values: np.ndarray = columns[name]
            return values
    available = ", ".join(columns)
    raise InputError(
        f"{file} has no column {' or '.join(map(repr, names))}. Expected it among {available}. Give another --color."
    )


def _names(data: bytes, file: Path) -> dict[int, str]:
    """Class number -> name, from comments in the header of a saved map, or from the name file next to a saved scan."""
    from openshape_ood.checks import check_length
    from openshape_ood.errors import FileError
    from openshape_ood.scenes import load_names
    from openshape_ood.scenes.saving import NAMES

    names: dict[int, str] = {}
    for line in data[: data.find(b"end_header")].decode("latin-1").splitlines():
        words = line.split(" ", 3)
        if words[:2] == ["comment", "class"] and len(words) == 4 and words[2].isdecimal():
            with contextlib.suppress(ValueError, RecursionError):  # the comment is from another program
                names[int(words[2])] = check_length(str(json.loads(words[3])), f"{file}: class {words[2]}", FileError)
    if names or not file.expanduser().with_suffix(NAMES).exists():
        return names
    return load_names(file.expanduser())
