"""Whose axis is found, by the size of the set; and what that keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openshape_ood import plots
from openshape_ood.novelty_map.colors import BLUE, GREEN, ORANGE, SKY

COLORS = {"known": BLUE, "half novel": GREEN, "novel": ORANGE, "one novel class": SKY}
MARKS = dict(zip(COLORS, "os^v", strict=True))


def draw(path: Path, report: Mapping[str, Any]) -> Path:
    """A row of panels a kind of shapes: sets whose axis is found, and wrong, by size; then what is kept and caught."""
    rows = report["rows"]
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    ways = list(dict.fromkeys(row["known_by"] for row in rows))
    figure, axes = plots.panels(len(kinds), len(ways) + 1, size=(4.6 * (len(ways) + 1), 3.9 * len(kinds)))
    model = f"{report['model']} (OTHER WEIGHTS)" if report["other_weights"] else report["model"]
    figure.suptitle(f"Which axis is up? {report['data']} shapes with z up · {model}", fontsize=11)
    for line, kind in zip(axes, kinds, strict=True):
        for axis, way in zip(line, ways, strict=False):
            found(axis, kind, way, [row for row in rows if (row["kind"], row["known_by"]) == (kind, way)])
        kept(line[-1], kind, [row for row in rows if row["kind"] == kind and row["set"] == "half novel"], ways)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, title="sets of; dashed: wrong")
    return plots.save(figure, path)


def found(axis: Any, kind: str, way: str, rows: list[Mapping[str, Any]]) -> None:
    for name, color in COLORS.items():
        own = [row for row in rows if row["set"] == name]
        sizes = range(len(own))
        axis.plot(sizes, [100 * row["found"]["find_up"] for row in own], MARKS[name], ls="-", color=color, label=name)
        axis.plot(sizes, [100 * row["wrong"]["find_up"] for row in own], MARKS[name], ls="--", color=color, mfc="white")
    axis.set_xticks(range(len({row["size"] for row in rows})), sorted({row["size"] for row in rows}))
    axis.set(title=f"{kind}, known by {way}", xlabel="shapes in the set", ylabel="% of the sets", ylim=(-3, 103))
    axis.grid(axis="y", lw=0.4)


def kept(axis: Any, kind: str, rows: list[Mapping[str, Any]], ways: list[str]) -> None:
    """Bars of known kept and novel caught by setting, of sets of the largest size."""
    largest = [row for row in rows if row["size"] == max(r["size"] for r in rows)]
    for i, setting in enumerate(("file", "z", "auto")):
        values = [
            100 * row[part][setting]
            for way in ways
            for row in largest
            if row["known_by"] == way
            for part in ("kept", "caught")
        ]
        places = [j + 0.26 * (i - 1) for j in range(len(values))]
        bars = axis.bar(places, values, width=0.24, color=(ORANGE, BLUE, GREEN)[i], label=f"up {setting}")
        axis.bar_label(bars, fmt="%.0f", fontsize=7)
    axis.set_xticks(
        range(2 * len(ways)), [f"{what},\n{way}" for way in ways for what in ("kept", "caught")], fontsize=8
    )
    axis.set(
        title=f"{kind}: sets of {largest[0]['size']}, half novel",
        ylabel="% of known kept, of novel caught",
        ylim=(0, 119),
    )
    axis.legend(fontsize=7, ncols=3, loc="upper center")
