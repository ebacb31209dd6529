"""The rows as dots with their intervals: AUROC on the left, FPR95 on the right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report.compare.rows import MEAN, Estimate, Row
from benchmarks.report.pictures import canvas
from openshape_ood.errors import InputError

MOST_DRAWN = 400  # lines
COLORS = {"names": canvas.BLUE, "prototypes": canvas.ORANGE, "nearest example": canvas.GREEN}
OTHER, PUBLISHED = canvas.PURPLE, canvas.GREY


def draw(rows: Sequence[Row], path: Path) -> Path:
    """AUROC and FPR95 of all rows (PNG); returns `path`.

    Raises `InputError` of no rows or too many, `MissingPackageError` without matplotlib.
    """
    lines = _lines(rows)
    if not 0 < len(lines) <= MOST_DRAWN:
        raise InputError(
            f"a picture of {len(lines)} lines cannot be drawn; expected 1 to {MOST_DRAWN}, give fewer files"
        )

    def fill(figure: Any) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        _dots(left, lines, "auroc")
        _dots(right, lines, "fpr95")
        left.set(title="AUROC, higher is better", ylim=(len(lines) - 0.3, -0.7))
        right.set(title="FPR95, lower is better")
        left.set_yticks(range(len(lines)), [_line_label(line) for line in lines], fontsize=9)
        for tick, line in zip(left.get_yticklabels(), lines, strict=True):
            tick.set_fontweight("bold" if isinstance(line, str) else "normal")
        figure.legend(handles=_legend(rows), loc="outside lower center", ncols=6, frameon=False, fontsize=9)

    path.parent.mkdir(parents=True, exist_ok=True)
    return canvas.save(path, (11, 1.6 + 0.27 * len(lines)), fill)


def _lines(rows: Sequence[Row]) -> list[Row | str]:
    """Rows, with a line for the name above those of a benchmark."""
    lines: list[Row | str] = []
    for i, row in enumerate(rows):
        if i == 0 or rows[i - 1].benchmark != row.benchmark:
            lines.append("Mean of SR1 and SR2" if row.benchmark == MEAN else row.benchmark.upper())
        lines.append(row)
    return lines


def _line_label(line: Row | str) -> str:
    if isinstance(line, str):
        return line
    where = line.protocol if line.published else f"{line.protocol}, {line.data}"
    return f"{line.model}, {line.known_by} ({where})"


def _dots(axis: Any, lines: Sequence[Row | str], metric: str) -> None:
    for y, line in enumerate(lines):
        if isinstance(line, str):
            continue
        value: Estimate = getattr(line, metric)
        if value.interval:
            ends = [100 * end for end in value.interval]
            axis.plot(ends, [y, y], color=_color(line), lw=2, solid_capstyle="round")
        axis.plot(100 * value.mean, y, color=_color(line), ms=6, **_mark(line))
    axis.set_xlabel("percent")
    axis.grid(axis="x", color="#DDDDDD", lw=0.8)
    axis.grid(axis="y", color="#EEEEEE", lw=0.5)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _legend(rows: Sequence[Row]) -> list[Any]:
    from matplotlib.lines import Line2D

    entries = {"published" if row.published else f"by {_method(row)}": row for row in rows}
    return [
        Line2D([], [], color=_color(row), lw=0 if row.published else 2, label=label, **_mark(row))
        for label, row in entries.items()
    ]


def _method(row: Row) -> str:
    """What classes are known by, without the score."""
    return row.known_by.partition(":")[0]


def _color(row: Row) -> str:
    return PUBLISHED if row.published else COLORS.get(_method(row), OTHER)


def _mark(row: Row) -> dict[str, Any]:
    """Published figures are hollow diamonds, ours filled dots."""
    return {"marker": "D", "mfc": "white"} if row.published else {"marker": "o"}
