"""HTML page of a run's failures: the novel shapes with the lowest novelty.

The page is self-contained. It shows each shape next to its nearest example, as clouds that can be rotated.
"""

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

from benchmarks.report.pictures.run import SETS, first_seed, heading, threshold_of
from benchmarks.threedos.objects import Shape
from benchmarks.threedos.results import Finished, MethodResult
from openshape_ood import plots
from openshape_ood.errors import MissingPackageError
from openshape_ood.plots.canvas import new_figure, number, rendered
from openshape_ood.plots.points import thinned
from openshape_ood.storage import save_whole

COUNT = 12  # shapes per method
POINTS = 1500  # points per cloud
THUMBNAIL = (1.0, 1.0)  # inches
THUMBNAIL_DPI, THUMBNAIL_COLORS = 96, 24
STEPS = 10_000  # coordinates along a cloud's longest side go from -STEPS to STEPS
NEAREST = "nearest known sample"


@dataclass(frozen=True, eq=False)
class Failure:
    """A tested shape, its novelty and class under the first seed, and the nearest example of that class."""

    part: str
    index: int
    shape: Shape
    novelty: float
    taken_for: str
    nearest_index: int
    nearest: Shape
    cosine: float
    threshold: float

    @property
    def title(self) -> str:
        return self.shape.title

    @property
    def accepted(self) -> bool:
        """True if the shape is accepted as known."""
        return self.novelty <= self.threshold


def worst(finished: Finished, method: MethodResult, count: int = COUNT) -> list[Failure]:
    """The `count` novel shapes with the lowest novelty, in ascending order; ties are in the order of the data."""
    scored, threshold, failures = first_seed(method), threshold_of(method), []
    places = [(part, i) for part in ("novel1", "novel2") if part in scored for i in range(len(scored[part].novelty))]
    novelty = np.array([scored[part].novelty[i] for part, i in places])
    for at in np.argsort(novelty, kind="stable")[:count].tolist():
        part, index = places[at]
        near, taken = int(scored[part].example[index]), int(scored[part].nearest[index])
        z, example = finished.embeddings[part][index], finished.embeddings["support"][near]
        shape, example_shape = finished.data.sets[part].shapes[index], finished.data.support.shapes[near]
        title, cosine = finished.data.known[taken].title, float(z.astype(np.float64) @ example.astype(np.float64))
        bound = threshold[0] if threshold else float("-inf")  # without known shapes nothing is accepted
        failures.append(Failure(part, index, shape, float(novelty[at]), title, near, example_shape, cosine, bound))
    return failures


def _title(result: MethodResult) -> str:
    threshold = threshold_of(result)
    bound = f", accepted up to {number(threshold[0])} (keeps {threshold[1]})" if threshold else ""
    return f"by {result.known_by}: novelty ({result.score}){bound}"


def _thinned(shape: Shape) -> np.ndarray:
    cloud = shape.read()
    return cloud[thinned(len(cloud), POINTS), :3]


@dataclass
class Clouds:
    """Clouds of the page by set and index: coordinates for plotly, and a thumbnail. Each cloud is read once."""

    traces: dict[str, dict[str, Any]] = field(default_factory=dict)
    thumbnails: dict[str, str] = field(default_factory=dict)

    def add(self, part: str, index: int, shape: Shape) -> str:
        """Add a cloud; returns its key on the page."""
        key = f"{part}-{index}"
        if key not in self.traces:
            cloud = _thinned(shape)
            self.traces[key] = trace(cloud)
            self.thumbnails[key] = base64.b64encode(thumbnail(cloud)).decode()
        return key


def write_failure_page(folder: Path, finished: Finished, count: int = COUNT) -> Path:
    """Write `failures.html` into `folder`, with up to `count` shapes per method."""
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise MissingPackageError("the failure page needs plotly: pip install -e '.[benchmarks]'") from error
    clouds, pairs = Clouds(), list[dict[str, str]]()
    links = [f'<a href="#method-{i}">by {escape(r.known_by)}</a>' for i, r in enumerate(finished.results)]
    sections = [_section(i, finished, r, clouds, pairs, count) for i, r in enumerate(finished.results)]
    data = json.dumps({"clouds": clouds.traces, "pairs": pairs, "steps": STEPS}, separators=(",", ":"))
    values = {
        "title": escape(f"{finished.split.title}: failures of {finished.model}"),
        "subtitle": escape(heading(finished).replace("\n", " · ")),
        "links": "".join(links),
        "sections": "".join(sections),
        # escaped, so that text cannot open or close a script element
        "data": re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", data),
        "plotly": str(get_plotlyjs()),
    }
    frame = Path(__file__).with_name("failures.html").read_text(encoding="utf-8")
    # in one pass, so that inserted text is not searched for {{name}}
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], frame)
    folder.mkdir(parents=True, exist_ok=True)
    # ids may have lone surrogates, which UTF-8 cannot encode
    return save_whole(folder / "failures.html", page.encode("utf-8", "replace"), "the page")


def trace(cloud: np.ndarray) -> dict[str, Any]:
    """A y-up cloud (p, 3) in plotly's z-up frame, centered, as 16-bit integers."""
    middle = (cloud.min(axis=0) + cloud.max(axis=0)) / 2
    largest = max(float(np.ptp(cloud, axis=0).max()) / 2, 1e-12)
    x, y, z = np.rint((cloud - middle) / largest * STEPS).astype("<i2").T
    return {
        axis: {"dtype": "i2", "bdata": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()}
        for axis, values in {"x": x, "y": -z, "z": y}.items()
    }


def thumbnail(cloud: np.ndarray) -> bytes:
    """A small PNG with few colors."""
    from PIL import Image

    figure = new_figure(THUMBNAIL, layout=None)
    plots.cloud(cloud, up="y", ax=figure.add_axes((0, 0, 1, 1)))
    picture = Image.open(BytesIO(rendered(figure, "png", THUMBNAIL_DPI))).convert("RGB")
    file = BytesIO()
    picture.quantize(THUMBNAIL_COLORS).save(file, "PNG", optimize=True)
    return file.getvalue()


def _section(
    i: int, finished: Finished, result: MethodResult, clouds: Clouds, pairs: list[dict[str, str]], count: int
) -> str:
    rows = "".join(_row(failure, result.known_by, clouds, pairs) for failure in worst(finished, result, count))
    return f'<section id="method-{i}"><h2>{escape(_title(result))}</h2><ol>{rows}</ol></section>'


def _row(failure: Failure, known_by: str, clouds: Clouds, pairs: list[dict[str, str]]) -> str:
    tested = clouds.add(failure.part, failure.index, failure.shape)
    near = clouds.add("support", failure.nearest_index, failure.nearest)
    name = f"{failure.title} ({SETS[failure.part]})"
    sign, verdict = ("≤", "accepted as known") if failure.accepted else (">", "rejected as novel")
    scores = f"novelty {number(failure.novelty)} {sign} threshold {number(failure.threshold)}: {verdict}; "
    scores += f"cosine with the nearest sample {failure.cosine:.4f}"
    pair = {
        "tested": tested,
        "near": near,
        "heading": f"{name}, taken for {failure.taken_for}",
        "scores": f"By {known_by}: {scores}.",
        "testedText": f"tested: {name}, {failure.shape.id}",
        "nearText": f"{NEAREST}: {failure.nearest.title}, {failure.nearest.id}",
    }
    pairs.append(pair)
    pictures = "".join(
        f'<img src="data:image/png;base64,{clouds.thumbnails[key]}" width="96" height="96" alt="{escape(alt)}">'
        for key, alt in ((tested, name), (near, f"{NEAREST}, {failure.nearest.title}"))
    )
    return (
        f'<li><button type="button" data-pair="{len(pairs) - 1}">{pictures}'
        f"<span><strong>{escape(pair['heading'])}</strong>"
        f'<span class="{verdict.split()[0]}">{escape(scores)}</span>'
        f"<code>{escape(failure.shape.id)}</code><code>nearest: {escape(failure.nearest.id)}</code>"
        "</span></button></li>"
    )
