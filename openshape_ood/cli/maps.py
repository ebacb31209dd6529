"""Results of `localize`: records for JSON, tables, and the maps of the most novel shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openshape_ood.cli.console import print_line, print_table, shown
from openshape_ood.cli.inputs import File, Inputs
from openshape_ood.cli.results import Scored, as_json, records
from openshape_ood.cli.thresholds import words
from openshape_ood.novelty import NoveltyPipeline, NoveltyResult
from openshape_ood.novelty_map import UNTOLD, NoveltyMap, Region
from openshape_ood.novelty_map.places import coordinate

PEAK = 0.2  # fraction of the points that form the most novel part
SMALLEST = 100  # a region has more than 1 / SMALLEST of all points
LISTED = 5  # maximum number of printed regions
KEPT = 200  # maximum number of maps in memory and in the report: 100 MB, and a page that browsers can open
TABLE = ("nearest class", "share of points")
RANKED = ("file", "nearest", "novelty", "p_value", "verdict", "beyond", "most novel")


@dataclass
class Localized:
    """Localized shapes. rows: one record per shape, most novel first. maps: path -> map, for the first `KEPT` rows."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    maps: dict[str, NoveltyMap] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    like: NoveltyMap | None = None  # any of the maps, because all have the same settings

    def add(self, files: list[File], result: NoveltyResult, maps: list[NoveltyMap]) -> None:
        for row, novelty_map in zip(records(Scored(files, result)), maps, strict=True):
            self.like = self.like or novelty_map
            self.rows.append({**row, "map": summary(novelty_map)})
            self.maps[row["file"]] = replace(novelty_map, name=row["file"])
        self.rows.sort(key=lambda row: -row["novelty"])
        self.maps = {row["file"]: self.maps[row["file"]] for row in self.rows[:KEPT] if row["file"] in self.maps}
        self.files += files

    def record(self, pipeline: NoveltyPipeline, inputs: Inputs, more: dict[str, Any]) -> dict[str, Any]:
        """Record for --json. `threshold` and `baseline` apply to points; `whole` applies to whole shapes."""
        like, whole = self.like, as_json(pipeline, pipeline.provenance)
        return {
            "provenance": like and {**like.provenance.as_json(), "up": pipeline.up},
            "classes": whole.pop("classes"),
            "threshold": like and like.threshold and like.threshold.as_json(),
            "baseline": like and like.baseline,
            "whole": whole,
            "shapes": self.rows,
            **inputs.as_json("localized", len(self.rows)),
            "up_axis": pipeline.up_axis and pipeline.up_axis.as_json(),
            **more,
        }


def summary(novelty_map: NoveltyMap) -> dict[str, Any]:
    """JSON of a map, without its points."""
    peak = novelty_map.peak(PEAK)
    novel = novelty_map.points[peak][:, :3]
    regions = [] if novelty_map.threshold is None else novelty_map.regions(len(novelty_map) // SMALLEST + 1)
    return {
        "points": len(novelty_map),
        "class_shares": novelty_map.shares(),
        "share_beyond_threshold": None if novelty_map.threshold is None else float(novelty_map.is_novel.mean()),
        "tells": novelty_map.tells,
        "novelty": {"mean": novelty_map.novelty.mean(), "max": novelty_map.novelty.max()},
        "regions": [region_json(region) for region in regions],
        "most_novel": {
            "share": PEAK,
            "center": novel.mean(axis=0),
            "low": novel.min(axis=0),
            "high": novel.max(axis=0),
            "novelty": novelty_map.novelty[peak].mean(),
        },
    }


def region_json(region: Region) -> dict[str, Any]:
    """JSON of a region, without the indices of its points."""
    return {
        **{"points": len(region), "center": region.center, "where": region.where, "heights": region.heights},
        **{"novelty": region.novelty, "nearest": region.nearest, "p_value": region.p_value},
    }


def print_maps(done: Localized, record: dict[str, Any], pipeline: NoveltyPipeline) -> None:
    if len(done.rows) == 1:
        _print_one(done.rows[0], record)
    else:
        rows = [{**row, "beyond": _beyond(row["map"]), "most novel": _where(row["map"])} for row in done.rows]
        print_table(rows, [name for name in RANKED if rows[0][name] is not None], fold="file")
        unclear = sum(not row["map"]["tells"] for row in rows)
        if unclear:
            print_line(f"{unclear} of {len(rows)} maps do not locate novelty: {UNTOLD}")
        if record["threshold"] is not None:
            limit = record["threshold"]
            print_line(f"beyond: fraction of points with a novelty above {limit['value']:.3f}{which(limit)}")
    print_line(words(pipeline.threshold))
    provenance = record["provenance"]
    written = ", ".join(shown(record[key]) for key in ("out", "picture", "report") if record[key])
    counts = ", ".join(f"{count} {what}" for what, count in record["counts"].items())
    made = f"{provenance['identity']['checkpoint']}, by {provenance['method']}, up {pipeline.up}"
    print_line(f"{made}: {counts}{f'; written: {written}' if written else ''}")


def _print_one(row: dict[str, Any], record: dict[str, Any]) -> None:
    summary_of_map = row["map"]
    shares = sorted(summary_of_map["class_shares"].items(), key=lambda item: -item[1])
    print_table([{"nearest class": k, "share of points": f"{v:.0%}"} for k, v in shares], TABLE)
    verdict = f", {row['verdict']}" if row["verdict"] else ""
    print_line(f"{shown(row['file'])}: novelty {row['novelty']:.3f} as a whole, nearest to {row['nearest']}{verdict}")
    print_line(
        f"{summary_of_map['points']} points, most novel about {place(summary_of_map['most_novel']['center'])}, novelty "
        f"{summary_of_map['most_novel']['novelty']:.3f} there and {summary_of_map['novelty']['mean']:.3f} on average"
    )
    if record["threshold"] is None:
        return
    points = record["threshold"]
    print_line(f"{_beyond(summary_of_map)} of the points are above {points['value']:.3f}{which(points)}")
    for region in summary_of_map["regions"][:LISTED] if summary_of_map["tells"] else ():
        print_line(
            f"  {region['points']} points, {region_place(region)}, novelty {region['novelty']:.3f}, "
            f"nearest to {shown(region['nearest'])}{p_words(region)}"
        )
    if not summary_of_map["tells"]:
        print_line(f"the map does not locate novelty: {UNTOLD}", "yellow")


def _beyond(map_summary: dict[str, Any]) -> str | None:
    share = map_summary["share_beyond_threshold"]
    return None if share is None else f"{share:.0%}"


def _where(map_summary: dict[str, Any]) -> str:
    """Place of the largest novel region; "-" if there is none."""
    if not map_summary["tells"]:
        return "does not locate"
    return region_place(map_summary["regions"][0]) if map_summary["regions"] else "-"


def which(threshold: Mapping[str, Any]) -> str:
    """Guarantee of a point threshold, as the end of a sentence; "" for none."""
    if not threshold["promise"]:
        return ""
    return f"{': ' if threshold.get('marks') else ', which '}{shown(threshold['promise'])}"


def p_words(region: Mapping[str, Any]) -> str:
    """p-value of a region, as the end of a line; "" for none."""
    return "" if region.get("p_value") is None else f", p {region['p_value']:.2g}"


def region_place(region: Mapping[str, Any]) -> str:
    """Text with the place of a region: in words, in percent of the height, and in the file's units."""
    low, high = (f"{100 * share:.0f}" for share in region["heights"])
    return f"{region['where']}, {low} to {high} % of the height, about {place(region['center'])} in the file's units"


def place(center: Any) -> str:
    return f"({', '.join(map(coordinate, center))})"
