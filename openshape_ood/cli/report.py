"""HTML report of `localize`: each shape with its novel parts, most novel first.

The page contains its pictures and loads nothing from the network. Names from files are untrusted and therefore escaped.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from openshape_ood.cli.console import failed_line, shown
from openshape_ood.cli.maps import p_words, place, region_place, which
from openshape_ood.cli.thresholds import words
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.novelty.result import verdict_counts
from openshape_ood.novelty_map import UNTOLD, NoveltyMap
from openshape_ood.novelty_map.colors import NOVELTY
from openshape_ood.storage import save_whole

TITLE = "What is new here, and where"
INCHES, DPI = 3.0, 120
COLORS = 64  # number of colors of a picture, which reduces the file to a third of its size
LISTED = 3  # regions listed for a shape
# content security policy: the page loads no other resource
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(
    path: Path, record: Mapping[str, Any], maps: Mapping[str, NoveltyMap], threshold: Threshold | None, warning: str
) -> Path:
    """Write the report. maps: file -> map, for shapes with a picture. Raises `FileError` if writing fails."""
    drawn = [row for row in record["shapes"] if row["file"] in maps]
    rest = [row for row in record["shapes"] if row["file"] not in maps]
    cards = (_card(i, row, maps[row["file"]]) for i, row in enumerate(drawn, 1))
    parts = [*_summary(record, threshold, warning), *_legend(record), f"<ol>{''.join(cards)}</ol>"]
    parts += [*_rest(rest, len(drawn)), *failures(record)]
    return save_page(path, TITLE, parts)


def save_page(path: Path, title: str, parts: Iterable[str]) -> Path:
    """Write an HTML page of these parts atomically. Raises `FileError` if it cannot be written."""
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
    )
    begin = f'<!doctype html>\n<html lang="en"><head>{head}<style>{style}</style></head><body><main>'
    content = "\n".join([begin, *parts, "</main></body></html>\n"])
    return save_whole(path, content.encode("utf-8", "replace"), "the report")


def _summary(record: Mapping[str, Any], threshold: Threshold | None, warning: str) -> Iterator[str]:
    rows, provenance = record["shapes"], record["whole"]["provenance"]
    counts = verdict_counts([row["verdict"] for row in rows])
    yield f"<h1>{TITLE}</h1>"
    verdicts = f"<b>{counts}</b>" if threshold else "no verdict without a threshold"
    yield f'<p class="counts">{len(rows)} shapes: {verdicts}</p>'
    yield f"<p>Known classes: {text(', '.join(record['classes']))}</p>"
    ups = " and ".join(sorted({row["up"] for row in rows}))
    name = provenance["identity"]["checkpoint"]
    toy = ", a toy encoder trained on generated shapes" if name == "tiny" else ""
    yield (
        f'<p class="soft">{text(words(threshold))}<br>Encoder: {text(name)}{toy}. Novelty of shapes: '
        f"{provenance['method']}. Novelty of points: {record['provenance']['method']}. Up axis: {text(ups)}. "
        f"openshape_ood {provenance['version']}.</p>"
    )
    if warning:
        yield f'<p class="warn">{text(warning)}</p>'
    unclear = sum(not row["map"]["tells"] for row in rows)
    if unclear:
        yield f'<p class="warn"><b>{unclear} of {len(rows)} maps do not locate novelty</b>: {UNTOLD}</p>'


def _legend(record: Mapping[str, Any]) -> Iterator[str]:
    stops = ", ".join(f"{color} {100 * at:.0f}%" for at, color in NOVELTY)
    if record["threshold"] is None:
        legend = (
            "Gray: the least novel point of a shape. Dark red: its most novel point. Colors of different shapes are "
            "not comparable."
        )
    else:
        low, limit = record["baseline"], record["threshold"]["value"]
        legend = (
            f"Gray: the median novelty of the examples' points ({low:.3f}) or less. Orange: the threshold of points, "
            f"{limit:.3f}{text(which(record['threshold']))}. Dark red: {2 * limit - low:.3f} or more, "
            "twice as far above gray as the threshold."
        )
    yield (
        f'<figure><div class="ramp" style="background: linear-gradient(90deg, {stops})"></div>'
        f"<figcaption>{legend}</figcaption></figure>"
    )


def _card(rank: int, row: Mapping[str, Any], novelty_map: NoveltyMap) -> str:
    name, path, map_summary = text(row["id"]), text(row["file"]), row["map"]
    picture = picture_of(novelty_map)
    lines = [_verdict(row), f"<p>nearest to {text(row['nearest'])} ({row['similarity']:.2f})</p>"]
    if not map_summary["tells"]:
        beyond = f"{map_summary['share_beyond_threshold']:.0%}"
        lines.append(f"<p>{beyond} of its points are above the threshold: the map does not locate novelty</p>")
    elif map_summary["regions"]:
        more = len(map_summary["regions"]) - LISTED
        places = "".join(f"<li>{_region(one, map_summary['points'])}</li>" for one in map_summary["regions"][:LISTED])
        lines.append(f"<ul>{places}{f'<li>and {more} smaller</li>' if more > 0 else ''}</ul>")
    elif map_summary["share_beyond_threshold"] is None:
        lines.append(f"<p>most novel about {place(map_summary['most_novel']['center'])}</p>")
    else:
        lines.append("<p>no novel region</p>")
    return (
        f'<li class="shape"><img alt="Novelty map of {name}" src="{picture}">'
        f'<h3 title="{path}"><span class="rank">{rank}</span> {name}</h3>{"".join(lines)}</li>\n'
    )


def _verdict(row: Mapping[str, Any]) -> str:
    verdict = row["verdict"]
    badge = f'<span class="verdict {verdict}">{verdict}</span> ' if verdict else ""
    p_value = "" if row["p_value"] is None else f", p = {row['p_value']:.3f}"
    return f"<p>{badge}novelty {row['novelty']:.3f}{p_value}</p>"


def _region(region: Mapping[str, Any], points: int) -> str:
    return (
        f"{region['points'] / points:.0%} of the points: {region_place(region)}; novelty {region['novelty']:.3f}, "
        f"nearest to {text(region['nearest'])}{p_words(region)}"
    )


def _rest(rows: list[Any], before: int) -> Iterator[str]:
    if not rows:
        return
    lines = (
        f'<tr><td>{i}</td><td title="{text(row["file"])}">{text(row["id"])}</td><td>{text(row["nearest"])}</td>'
        f"<td>{row['novelty']:.3f}</td><td>{row['verdict'] or ''}</td></tr>"
        for i, row in enumerate(rows, before + 1)
    )
    head = "<tr><th></th><th>shape</th><th>nearest</th><th>novelty</th><th>verdict</th></tr>"
    yield f'<h2>Less novel shapes, without a picture</h2><div class="wide"><table>{head}{"".join(lines)}</table></div>'


def failures(record: Mapping[str, Any]) -> Iterator[str]:
    """HTML list of the unusable files, which are in the record under `failed`."""
    if record["failed"]:
        lines = "".join(f"<li>{escape(failed_line(one['file'], one['reason']))}</li>" for one in record["failed"])
        yield f"<h2>{len(record['failed'])} could not be used</h2><ul>{lines}</ul>"


def picture_of(shape_map: NoveltyMap) -> str:
    """Small picture of a map, as a data URI."""
    from PIL import Image

    from openshape_ood.plots import canvas, novelty_map

    figure = canvas.new_figure((INCHES, INCHES))
    ax = novelty_map(shape_map, ax=figure.subplots(), bar=False)
    ax.set_title("")
    drawn, small = Image.open(BytesIO(canvas.rendered(figure, "png", DPI))), BytesIO()
    drawn.convert("RGB").quantize(COLORS).save(small, "PNG")
    return f"data:image/png;base64,{b64encode(small.getvalue()).decode()}"


def text(given: Any) -> str:
    """Text escaped for HTML."""
    return escape(shown(given))
