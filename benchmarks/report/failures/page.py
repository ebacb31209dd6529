"""The failures of every method as one HTML file that needs nothing else: pairs of clouds that can be turned."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.failures.choice import COUNT, Failure, missed, worst
from benchmarks.report.pictures import canvas
from benchmarks.threedos.objects import Shape
from benchmarks.threedos.results import Finished, MethodResult
from openshape_ood.errors import MissingPackageError

POINTS = 1500  # of a cloud
THUMBNAIL = (1.0, 1.0)  # inches
THUMBNAIL_DPI, THUMBNAIL_COLORS = 96, 24
STEPS = 10_000  # a cloud reaches from -STEPS to STEPS along its longest side
SETS = ("validation", *canvas.TEST_SETS)


@dataclass
class Clouds:
    """The clouds that the page shows, each read once, by set and index: as numbers for plotly and as a thumbnail."""

    traces: dict[str, dict[str, Any]] = field(default_factory=dict)
    thumbnails: dict[str, str] = field(default_factory=dict)

    def add(self, part: str, index: int, shape: Shape) -> str:
        key = f"{part}-{index}"
        if key not in self.traces:
            cloud = canvas.thinned(shape.read(), POINTS)
            self.traces[key] = trace(cloud)
            self.thumbnails[key] = base64.b64encode(thumbnail(cloud)).decode()
        return key


def write_failure_page(folder: Path, finished: Finished, count: int = COUNT) -> Path:
    """Write `failures.html` into `folder`: for each method up to `count` shapes of either kind of failure.

    Raises `MissingPackageError` without plotly or matplotlib.
    """
    script = _plotly()
    clouds, pairs = Clouds(), list[dict[str, str]]()
    sections = "".join(_section(i, finished, r, clouds, pairs, count) for i, r in enumerate(finished.results))
    page = _filled(
        {
            "title": escape(f"{finished.split.title}: failures of {finished.model}"),
            "subtitle": escape(canvas.subtitle(finished).replace("\n", " · ")),
            "links": "".join(
                f'<a href="#method-{i}">by {escape(result.known_by)}</a>' for i, result in enumerate(finished.results)
            ),
            "summary": _summary(finished),
            "sections": sections,
            "data": _json({"clouds": clouds.traces, "pairs": pairs, "steps": STEPS}),
            "plotly": script,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "failures.html"
    # ids may hold halves of characters that no UTF-8 can spell
    canvas.write(path, page.encode("utf-8", "replace"))
    return path


def trace(cloud: np.ndarray) -> dict[str, Any]:
    """A y-up cloud (p, 3) in plotly's frame, z up, as 16-bit numbers about its middle."""
    middle = (cloud.min(axis=0) + cloud.max(axis=0)) / 2
    largest = max(float(np.ptp(cloud, axis=0).max()) / 2, 1e-12)
    x, y, z = np.rint((cloud - middle) / largest * STEPS).astype("<i2").T
    return {axis: _numbers(values) for axis, values in {"x": x, "y": -z, "z": y}.items()}


def thumbnail(cloud: np.ndarray) -> bytes:
    """A small PNG of few colors."""
    from PIL import Image

    def fill(figure: Any) -> None:
        canvas.draw_cloud(figure.add_axes((0, 0, 1, 1)), cloud, size=1.2)

    picture = Image.open(BytesIO(canvas.png(THUMBNAIL, fill, THUMBNAIL_DPI, layout=None))).convert("RGB")
    file = BytesIO()
    picture.quantize(THUMBNAIL_COLORS).save(file, "PNG", optimize=True)
    return file.getvalue()


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise MissingPackageError("the failure page needs plotly: pip install -e '.[benchmarks]'") from error
    return str(get_plotlyjs())


def _numbers(values: np.ndarray) -> dict[str, str]:
    """An array as plotly reads it out of JSON."""
    return {"dtype": "i2", "bdata": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()}


def _summary(finished: Finished) -> str:
    """The table at the top: what each method's threshold of the first seed lets through."""
    shown = [part for part in SETS if any(part in canvas.first_seed(r) for r in finished.results)]
    sets = [f"{canvas.SET_NAMES[part]} accepted" for part in shown]
    names = ("method", "threshold of the first seed", "keeps", *sets)
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(_summary_row(i, result, shown) for i, result in enumerate(finished.results))
    return f"<tr>{head}</tr>{rows}"


def _summary_row(i: int, result: MethodResult, shown: list[str]) -> str:
    limit = canvas.limit(result)
    value, keeps = limit if limit else (float("-inf"), "nothing known was tested")
    scored = canvas.first_seed(result)
    cells = "".join(f"<td>{_accepted(scored[part].novelty, value) if part in scored else '–'}</td>" for part in shown)
    name = f'<th scope="row"><a href="#method-{i}">{escape(result.known_by)}</a> ({escape(result.score)})</th>'
    return f"<tr>{name}<td>{canvas.number(value)}</td><td>{keeps}</td>{cells}</tr>"


def _accepted(novelty: np.ndarray, threshold: float) -> str:
    accepted = int((novelty <= threshold).sum())
    return f"{accepted:,} of {len(novelty):,} ({100 * accepted / len(novelty):.1f} %)"


def _section(
    i: int, finished: Finished, result: MethodResult, clouds: Clouds, pairs: list[dict[str, str]], count: int
) -> str:
    kinds = {
        "Novel shapes most confidently taken as known": worst(finished, result, count),
        "Known shapes most confidently called novel": missed(finished, result, count),
    }
    lists = "".join(
        f"<h3>{heading}</h3><ol>{''.join(_row(f, result.known_by, clouds, pairs) for f in failures)}</ol>"
        for heading, failures in kinds.items()
        if failures
    )
    return f'<section id="method-{i}"><h2>By {escape(result.known_by)} ({escape(result.score)})</h2>{lists}</section>'


def _row(failure: Failure, known_by: str, clouds: Clouds, pairs: list[dict[str, str]]) -> str:
    tested = clouds.add(failure.part, failure.index, failure.shape)
    near = clouds.add("support", failure.nearest_index, failure.nearest)
    name = f"{failure.title} ({canvas.SET_NAMES[failure.part]})"
    sign, verdict = ("≤", "accepted as known") if failure.accepted else (">", "rejected as novel")
    scores = (
        f"novelty {canvas.number(failure.novelty)} {sign} threshold {canvas.number(failure.threshold)}: {verdict}; "
        f"cosine with the nearest sample {failure.cosine:.4f}"
    )
    pairs.append(
        {
            "tested": tested,
            "near": near,
            "heading": f"{name}, taken for {failure.taken_for}",
            "scores": f"By {known_by}: {scores}.",
            "testedText": f"tested: {name}, {failure.shape.id}",
            "nearText": f"nearest known sample: {failure.nearest.title}, {failure.nearest.id}",
        }
    )
    pictures = "".join(
        f'<img src="data:image/png;base64,{clouds.thumbnails[key]}" width="96" height="96" alt="{escape(alt)}">'
        for key, alt in ((tested, name), (near, f"nearest known sample, {failure.nearest.title}"))
    )
    return (
        f'<li><button type="button" data-pair="{len(pairs) - 1}">{pictures}'
        f"<span><strong>{escape(name)}, taken for {escape(failure.taken_for)}</strong>"
        f'<span class="{"accepted" if failure.accepted else "rejected"}">{escape(scores)}</span>'
        f"<code>{escape(failure.shape.id)}</code><code>nearest: {escape(failure.nearest.id)}</code>"
        "</span></button></li>"
    )


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: no character of it can end or open one."""
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, separators=(",", ":")))


def _filled(values: dict[str, str]) -> str:
    """The page's frame with each {{name}} filled in once; what is filled in is not looked at again."""
    frame = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], frame)
