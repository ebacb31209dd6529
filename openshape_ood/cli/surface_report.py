"""HTML report of `surface score`, worst surface first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openshape_ood.cli.maps import which
from openshape_ood.cli.report import failures, save_page, text

TITLE = "Which surfaces are damaged, and where"
LISTED = 5  # maximum number of defects listed for a surface


def write_report(path: Path, record: Mapping[str, Any], pictures: Mapping[str, str], spread: str) -> Path:
    """Write the report of a record with `files`. pictures: file -> picture. Raises `FileError` if writing fails."""
    cards = (_card(i, row, pictures[row["file"]]) for i, row in enumerate(record["files"], 1))
    return save_page(path, TITLE, [*_summary(record, spread), f"<ol>{''.join(cards)}</ol>", *failures(record)])


def _summary(record: Mapping[str, Any], spread: str) -> Iterator[str]:
    rows, model = record["files"], record["model"]
    damaged = sum(row["verdict"] == "damaged" for row in rows)
    yield f"<h1>{TITLE}</h1>"
    yield f'<p class="counts">{len(rows)} surfaces: <b>{damaged} damaged</b>, {len(rows) - damaged} good</p>'
    threshold, varies = model["threshold"], f"; {spread}" if spread else ""
    yield (
        f'<p class="soft">Reconstructor: {text(model["reconstructor"])}. Threshold: {threshold["value"]:.3f}, which '
        f"{text(threshold['promise'])}{text(varies)}.<br>Gray in the pictures is the median novelty of good surfaces. "
        f"Dark red is twice as far from gray as the threshold of points, "
        f"{model['place_threshold']['value']:.3f}{text(which(model['place_threshold']))}.</p>"
    )


def _card(rank: int, row: Mapping[str, Any], picture: str) -> str:
    name, verdict = text(row["file"]), row["verdict"]
    badge = f'<span class="verdict {"novel" if verdict == "damaged" else "known"}">{verdict}</span>'
    lines = [f"<p>{badge} novelty {row['novelty']:.3f}, p = {row['p_value']:.3f}</p>"]
    if not row["tells"]:
        lines.append(
            f"<p>{row['beyond']:.0%} of its points are above the threshold: another object, or another pose?</p>"
        )
    elif row["defects"]:
        more = len(row["defects"]) - LISTED
        places = "".join(f"<li>{_defect(one)}</li>" for one in row["defects"][:LISTED])
        lines.append(f"<ul>{places}{f'<li>and {more} smaller</li>' if more > 0 else ''}</ul>")
    return (
        f'<li class="shape"><img alt="Novelty map of {name}" src="{picture}">'
        f'<h3><span class="rank">{rank}</span> {name}</h3>{"".join(lines)}</li>\n'
    )


def _defect(defect: Mapping[str, Any]) -> str:
    from openshape_ood.surfaces import Defect

    return f"{text(defect['where'])}: {text(Defect(**defect))}"
