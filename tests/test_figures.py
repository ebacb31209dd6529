"""Figures on the pages are those of the committed results, to the printed digits.

Every table with figures is in `TABLES`, or in `ELSEWHERE` with the place that its figures are from. Measured figures in
sentences are in `SENTENCES`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from scipy.stats import binomtest

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [
    ROOT / "README.md",
    ROOT / "benchmarks" / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "notebooks" not in page.parts),
    *sorted((ROOT / "openshape_ood").rglob("*.md")),
]
Rows = list[list[str]]
MARKUP = re.compile(r"\*\*|[`\\]")
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
FIGURE = re.compile(r"[-+<≤]?(\d[\d,]*)?\.?\d.*")


# the pages


def cells(line: str) -> list[str]:
    plain = LINK.sub(r"\1", line.strip().strip("|"))
    return [MARKUP.sub("", cell).strip() for cell in plain.split("|")]


def tables_of(text: str) -> Iterator[Rows]:
    """Each table as rows of cells without markup, the head first."""
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            lines.append(line)
        elif lines:
            head, _, *rows = lines
            yield [cells(head), *map(cells, rows)]
            lines = []


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def tables_on(page: str) -> dict[str, Rows]:
    """Title -> rows; tables of one title are numbered from the second on."""
    found: dict[str, Rows] = {}
    for head, *rows in tables_of((ROOT / page).read_text(encoding="utf-8")):
        title = " | ".join(head)
        again = sum(other.partition(" #")[0] == title for other in found)
        found[f"{title} #{again + 1}" if again else title] = rows
    return found


def holds_figures(rows: Rows) -> bool:
    """At least three cells that begin with a number."""
    return sum(bool(FIGURE.fullmatch(cell)) for row in rows for cell in row) >= 3


# the results


@cache
def result(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def only(rows: Iterable[Mapping[str, Any]], **wanted: Any) -> Any:
    """The row with these values."""
    (row,) = (row for row in rows if all(row[key] == value for key, value in wanted.items()))
    return row


def number(value: float, digits: int = 2) -> str:
    """Fixed digits; thousands with a comma."""
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def percent(value: float, digits: int = 0) -> str:
    return number(100 * value + (1e-9 if digits else 0.0), digits)  # 74.85 is a little less than that as a float


def share(value: float, digits: int = 2) -> str:
    """A fraction without its zero: .76, 1.00."""
    return number(value, digits).replace("0.", ".", 1)


def span(figure: Mapping[str, float] | Sequence[float], write: Callable[[float], str], between: str = ", ") -> str:
    """ "0.85 [0.76, 0.94]"."""
    mean, low, high = (figure[key] for key in ("mean", "low", "high")) if isinstance(figure, Mapping) else figure
    return f"{write(mean)} [{write(low)}{between}{write(high)}]"


# what a row of each table says, by its labels


def real_objects(model: str, known_by: str) -> list[str]:
    view = {"whole": "whole", "from one side": "one-sided"}[model]
    way = {
        "names": "names",
        "3 examples of each class": "3 examples",
        "3 examples, distance histogram": "3 examples, D2",
    }
    row = only(result("objects-tiny-real_pack")["figures"], view=view, way=way[known_by])
    return [span(row[key], lambda value: percent(value, 1)) for key in ("accuracy", "auroc", "fpr95")]


def left_out(benchmark: str, known_by: str) -> list[str]:
    """Of `tiny`, then of the network whose training lacked the benchmark's novel classes."""
    measured = result("tiny-left-out")[benchmark.lower()]
    rows = [only(measured[network], known_by=known_by) for network in ("trained", "novel classes left out")]
    return [percent(row["both"][figure]["mean"], 1) for figure in ("auroc", "fpr95") for row in rows]


def switches(switch: str, before: str, after: str) -> list[str]:
    found = [row for row in result("sr1-tiny-openshape-generated")["ablation"] if row["switch"] == switch]
    by = {row["known_by"]: row["auroc"] for row in found if [str(row["from"]), str(row["to"])] == [before, after]}

    def cell(known_by: str) -> str:
        if known_by not in by:
            return "-"
        low, high = by[known_by]["low"], by[known_by]["high"]
        values = [f"{100 * value:+.1f}" for value in (by[known_by]["difference"], low, high)]
        return f"{values[0]} [{values[1]} to {values[2]}]" + " *" * (low > 0 or high < 0)

    return [cell(known_by) for known_by in ("names", "prototypes", "nearest example")]


def methods(known_by: str, method: str) -> list[str]:
    rows = [
        only(result("scores-tiny-generated")["rows"], benchmark=name, known_by=known_by, method=method)
        for name in ("sr1", "sr2")
    ]
    found = []
    for row in rows:
        found += [span(row["auroc"], lambda value: percent(value, 1), "-"), percent(row["fpr95"]["mean"], 1)]
    return [*found, number(sum(row["seconds_per_1000"] for row in rows) / len(rows), 3)]


def seeds(benchmark: str, known_by: str) -> list[str]:
    """Mean, least and most over the data seeds."""
    names = ["", *(f"-data-seed-{seed}" for seed in range(1, 5))]
    runs = [result(f"{benchmark.lower()}-tiny-openshape-generated{name}") for name in names]
    rows = [only(run["results"], known_by=known_by) for run in runs]

    def cell(values: list[float]) -> str:
        return f"{percent(sum(values) / len(values), 1)} ({percent(min(values), 1)}-{percent(max(values), 1)})"

    both = [cell([row["both"][key]["mean"] for row in rows]) for key in ("auroc", "fpr95")]
    return [cell([row["accuracy"]["mean"] for row in rows]), *both]


def seeds_of_card(benchmark: str, known_by: str) -> list[str]:
    return [cell.replace("-", ", ") for cell in seeds(benchmark, known_by)]


def map_labels(order: str) -> list[str]:
    name = {"by ask": "asked", "in random order": "random"}.get(order, "among unknown")
    row = only(result("map-labels")["rows"], order=name)["labels"]
    return [f"{number(row['mean'], 1)} [{number(row['low'], 1)}, {number(row['high'], 1)}]"]


def sentence_of_the_cost_of_a_map() -> str:
    cost = result("map-cost")
    memory = [number(mark["memory"], 0) for mark in cost["marks"] if mark["looks"] in (8000, 20000)]
    assert len(set(memory)) == 1
    return (
        f"Adding {cost['looks']:,} crops to a map of {cost['objects']:,} objects took {1000 * cost['median']:.0f} ms "
        f"each (median). The memory of the process was {memory[0]} MiB after 8,000 crops"
    )


def sentence_of_a_map_at_the_limit_of_a_tenth() -> str:
    record = result("map-rooms")
    unknown, known = (span(row["new at coverage 0.9"], percent) for row in record["rows"])
    return f"the same p-values call {unknown} % of the unknown and {known} % of the known objects new."


def sentence_of_another_setting_of_a_map() -> str:
    usual, own = result("map-rooms"), result("map-rooms-encoder-small-method-prototype_distance-least-seen-8")
    unknown, known = (span(row["verdict new"], percent) for row in own["rows"])
    fragments = [sum(one["further objects with the verdict new"]) for one in (own, usual)]
    return (
        f"it calls {unknown} % of the unknown and {known} % of the known objects new, "
        f"and {fragments[0]} fragment instead of {fragments[1]}"
    )


def sentence_of_the_missed_objects_of_a_map() -> str:
    missed = [one for one in result("map-rooms")["things"] if one["unknown"] and one["verdict"] != "new"]
    absent = sum(not one["found"] for one in missed)
    partial = sum(one["found"] and not one["looks"] for one in missed)
    return (
        f"Of the {len(missed)} missed objects, {absent} are not on the map, {partial} were never seen whole, and "
        f"{len(missed) - absent - partial} were called known."
    )


CHANGES = {
    "largest change of a pair, p ≤ 0.1": "maximum",
    "Benjamini and Yekutieli": "by",
    "voxel difference, 0.05 m² or more": "voxel difference 0.05",
    "voxel difference, 0.5 m² or more": "voxel difference 0.5",
}
CAMERAS = {"given": "rays", "none": "columns", "–": ""}


def changes_made_up(rule: str, cameras: str) -> list[str]:
    return [span(only(result("changes-unchanged")["rows"], rule=CHANGES[rule], by=CAMERAS[cameras])["any"], percent)]


def changes_found(which: str) -> list[str]:
    name, _, count = which.partition(", ")
    rows = [only(result("changes-changed")["rows"], changes=name, by=by) for by in ("rays", "columns")]
    assert {str(row["count"]) for row in rows} == {count}
    return [span(row["right"], percent) for row in rows]


def voxel_difference(size: str) -> list[str]:
    row = only(result("changes-changed")["voxel difference"], **{"square meters": float(size)})
    return [span(row[name], percent) for name in ("found", "false")]


def sentence_of_false_changes() -> str:
    own = result("changes-changed")
    rays, columns = (only(own["reported"], by=by) for by in ("rays", "columns"))
    return (
        f"With cameras, {rays['reported']} changes were reported in {own['pairs']} pairs. "
        f"{span(rays['false'], percent)} % are false: {span(rays['part'], percent)} % are parts of true changes, "
        f"{span(rays['kind'], percent)} % have the wrong kind, and {span(rays['elsewhere'], percent)} % are at a place "
        f"where nothing changed. Without cameras, {span(columns['false'], percent)} % of {columns['reported']} "
        f"reported changes are false, and {span(columns['elsewhere'], percent)} % are at a place where nothing changed."
    )


def sentence_of_house_changes() -> str:
    own = result("changes-house")
    rays, columns = (only(own["reported"], by=by) for by in ("rays", "columns"))
    right = [only(own["rows"], changes="all", by=by) for by in ("rays", "columns")]
    return (
        f"Of {right[0]['count']} changes, {span(right[0]['right'], percent)} % are right with cameras and "
        f"{span(right[1]['right'], percent)} % without. Of the reported changes, {span(rays['false'], percent)} % and "
        f"{span(columns['false'], percent)} % are false."
    )


def sentence_of_registration() -> str:
    own = result("changes-registration")
    found, refused = (round(row["count"] * row["fraction"]["mean"]) for row in own["rows"])
    count = own["rows"][0]["count"]
    return (
        f"Registration was tested on {count} scans, turned by any angle and shifted by up to 3 m. {found} poses were "
        f"right within 3 cm and 1° (median error {1000 * own['median']['meters']:.1f} mm). {refused} of {count} "
        "comparisons with another room were refused."
    )


def map_validity(dependence: str) -> list[str]:
    """Known objects that each rule calls new."""
    row = only(result("map-validity")["rows"], dependence=float(dependence))
    rules = ("among objects", "median", "mean", "e", "product of e-values", "Fisher", "smallest p")
    return [span(row[rule], lambda value: percent(value, 1)) for rule in rules]


def map_rooms(things: str) -> list[str]:
    row = only(result("map-rooms")["rows"], things=things)
    shares = [row[f"{rule} new"] for rule in ("verdict", "combined looks", "single looks")]
    return [str(row["count"]), str(row["found"]), *(span(share, lambda value: percent(value, 0)) for share in shares)]


def discovered(kind: str, grouping: str) -> list[str]:
    row = only(
        result("discovery-tiny-generated")["figures"],
        kind=kind.partition(", ")[2],
        grouping={"HDBSCAN": "hdbscan"}.get(grouping, grouping),
    )

    def cell(key: str, write: Callable[[float], str]) -> str:
        mean, low, high = (write(row[key][part]) for part in ("mean", "low", "high"))
        return mean if low == high else f"{mean} [{low} to {high}]"

    groups = cell("groups", lambda value: number(value, 1)).removesuffix(".0")
    return [cell("ari", number), groups, *(cell(key, percent) for key in ("grouped", "purity", "right", "named"))]


def compared(method: str) -> list[str]:
    rows = result("comparators-tiny-generated")["figures"]
    tasks = ("SR1", "SR2", "SN", "never trained", "base")
    found = [only(rows, task=task, method=method) for task in tasks]
    if method == "prototype_distance":
        return [percent(row["auroc"]["mean"], 1) for row in found]
    return [span(row["gain"]["auroc"], signed) for row in found]


def signed(value: float) -> str:
    """Points with their sign; 0.0 has none."""
    text = f"{100 * value:+.1f}"
    return text[1:] if float(text) == 0 else text


def planted(where: str) -> list[str]:
    figures = result("explain-tiny")["figures"][where]["auroc"]
    ways = ("local", "tokens", "text", "position")
    return [span(figures[way], lambda value: percent(value, 1)) for way in ways]


def cut_out(where: str) -> list[str]:
    figures = result("explain-tiny")["figures"][where]
    digits = 3 if where == "all" else 2
    return [
        span(figures[key], lambda value: number(value, digits)) for key in ("drop_region", "drop_random", "drop_part")
    ]


WAYS = {
    'by="contact", connected pieces': "connected pieces",
    'by="density", DBSCAN': "DBSCAN",
    "the default": "merge tree",
    'score="size"': "merge tree, largest",
    "true instances": "true instances",
}


def found_objects(scans: str) -> list[str]:
    place, _, way = scans.partition(", ")
    figures = result("scenes-tiny")["figures"][place][WAYS[way]]
    keys = ("recall50", "free50", "precision25", "name", "known", "auroc")
    return [number(figures["proposals"], 0), *(share(figures[key]).removesuffix(".00") for key in keys)]


def foreign_objects(way: str) -> list[str]:
    ranks = result("scenes-tiny")["ranks"][WAYS[way]]
    count = result("scenes-tiny")["settings"]["foreign"]
    ends = binomtest(round(ranks["all_1"] * count), count).proportion_ci(method="wilson")
    most = f"{percent(ranks['all_1'])} [{percent(ends.low)}, {percent(ends.high)}]"
    return [percent(ranks["found"]), most, *(percent(ranks[key]) for key in ("all_3", "kept", "new"))]


def points_of_rooms(way: str) -> list[str]:
    name = {
        "tiny-points": "trained",
        "untrained": "untrained",
        "linear classifier of height and color": "linear classifier",
        "score_scene with tiny": "object way",
    }[way]
    places = [figures[name] for figures in result("rooms")["figures"].values()]
    keys = ("miou", "furniture", "auroc_points", "auroc_objects")
    return ["; ".join(share(place[key]) for place in places) for key in keys]


def views(what: str) -> list[str]:
    name = {
        "cells of visible points with an affinity above a threshold": "visible points",
        "the same, dilated": "the same, dilated",
        "cells of visible points in the true mask": "true mask",
        "the true mask, dilated": "true mask, dilated",
        "network": "network",
        "network, clean masks": "network, clean masks",
        "network, given another name's affinities": "network, another name's",
        "network, not trained": "network, untrained",
    }[what]
    names = [result(f"views-completion-rooms{more}")["names"] for more in ("", "-fewer")]
    figures = [of[kind][name] for of in names for kind in ("known", "never trained")]
    return [span(figure, lambda value: share(value, 3)) for figure in figures]


def relations(relation: str) -> list[str]:
    name = relation.removeprefix("all ").removesuffix(" targets")
    of = result("views-completion-rooms")["relations"][name]
    ways = [share(of[key]["mean"], 3) for key in ("relation", "another relation", "relation ignored")]

    gain = span(of["relation - relation ignored"], lambda value: share(value, 3))
    return [str(of["relation"]["n"]), *ways, gain if gain.startswith("-") else f"+{gain}"]


def withheld(figure: str) -> list[str]:
    rows = result("view-novelty")["rows"]
    found = [
        only(rows, severity=severity, by=by)
        for severity, by in ((0.5, "points"), (0.5, "objects"), (1.0, "points"), (1.0, "objects"))
    ]
    if figure == "AUROC of all points":
        return [share(row["AUROC"], 3) for row in found]
    key = {
        "AUROC, mean over rooms": "AUROC, mean over rooms",
        "rooms with exactly one region": "one region",
        "rooms with nothing withheld and no region": "no region",
    }[figure]
    return [span(row[key], share) for row in found]


def trained(of: str, model: str) -> Callable[[str], list[str]]:
    """AUROC / FPR95 with their spread over data seeds, of each benchmark."""

    def cells_of(known_by: str) -> list[str]:
        rows = [row for row in result(of)["rows"] if (row["model"], row["known_by"]) == (model, known_by)]
        found = {row["benchmark"]: both_figures(row) for row in rows if row["benchmark"] != "mean"}
        return [found[name] for name in ("sr1", "sr2", "sn1", "sn2", "sn3") if name in found]

    return cells_of


def both_figures(row: Mapping[str, Any]) -> str:
    return " / ".join(f"{percent(row[key]['mean'], 1)} ±{percent(row[key]['spread'], 1)}" for key in ("auroc", "fpr95"))


def heads(score: str) -> list[str]:
    """Cross-entropy is from the larger table; its accuracy is of the largest logit."""
    name = score.partition(" (")[0]
    networks = {"": "baselines-generated", ", cosine": "baselines-heads-generated"}
    networks[", subcenter_arcface"] = "baselines-heads-generated"
    rows = [
        only(
            [row for row in result(of)["rows"] if row["data"] == "generated"],
            benchmark="sr1",
            model=f"DGCNN (trained{head})",
            known_by="MLS" if score.startswith("scans") else name,
        )
        for head, of in networks.items()
    ]
    return [percent(row["accuracy"], 1) if score.startswith("scans") else both_figures(row) for row in rows]


SPEED_OF_ONE_CORE = "speed-cpu-threads-1-batch-1-8-repeats-3-cpu-seconds"


def speed_cells(name: str, model: str, batch: str) -> list[Any]:
    """The cell of a network and a batch, or none of a run without it."""
    cells = result(name)["cells"]
    return [cell for cell in cells if (cell["model"], str(cell["batch"])) == (model.partition(" (")[0], batch)]


def speed(model: str, batch: str) -> list[str]:
    ours, one_core, other = (
        speed_cells(name, model, batch) for name in ("speed-cpu", SPEED_OF_ONE_CORE, "speed-cpu-reference")
    )

    def ratio(cells: Sequence[Any], of: str, part: str = "all", digits: int = 1) -> str:
        return next((number(cell["ratios"][of][part]["median"], digits) for cell in cells), "-")

    apart = next((cell["agreement"]["reference"] for cell in other), None)
    return [
        ratio(ours, "ours / bound", "transform", 2),
        ratio(ours, "plain / ours"),
        ratio(one_core, "plain / ours"),
        ratio(other, "reference / ours"),
        f"{apart:.0e}".replace("e-0", "e-") if apart else "-",
    ]


def cost(model: str) -> list[str]:
    """CPU seconds of the network, and CPU minutes of SR1's shapes; `vitl14` is the network of `vitb32`."""
    (cell,) = speed_cells(SPEED_OF_ONE_CORE, model.replace("vitl14", "vitb32"), "8")
    seconds = sum(stage["median"] for stage in cell["seconds"]["ours"].values()) / 8
    return [number(seconds), number(seconds * 5608 / 60, 0)]


def roads(name: str, surface: str = "") -> list[str]:
    figures = result(f"surfaces-generated{surface}")["figures"][name.replace("the tokens of tiny", "tokens, tiny")]
    keys = ("image_auroc", "pixel_auroc", "pixel_aupro", "point_aupro", "point_iou")

    def cell(figure: Sequence[float]) -> str:
        return f"{number(figure[0], 3)} [{number(figure[1])}, {number(figure[2])}]"

    return [cell(figures[key]) if figures.get(key) else "-" for key in keys]


def no_skill(images: str) -> list[str]:
    noise = result("surfaces-generated")["noise"][images]
    return [number(0.5, 3), number(noise["mean"], 3), number(noise["high"], 3)]


def uneven_roads(name: str) -> list[str]:
    return roads(name, "-surface-uneven")


def textures(name: str) -> list[str]:
    found = [result(f"textures-{texture}")["figures"][name] for texture in ("brushed", "cloth", "stone", "wood")]
    return [number(figures[key][0], 3) for key in ("image_auroc", "pixel_aupro") for figures in found]


def card_benchmarks(benchmark: str, known_by: str) -> list[str]:
    """This `tiny`, then the network before training; figures of former weights, in brackets, are not compared."""
    networks = result("tiny")[benchmark.lower()]
    trained, before = (only(networks[name], known_by=known_by) for name in ("trained", "untrained"))
    figures = [trained["accuracy"], trained["both"]["auroc"], trained["both"]["fpr95"]]
    return [percent(figure["mean"], 1) for figure in (*figures, before["accuracy"], before["both"]["auroc"])]


def card_never_trained(kind: str) -> list[str]:
    row = result("tiny")["never_trained"][kind]
    draws = f"{percent(row['by_five_examples'], 1)} ± {percent(row['over_draws'], 1)}"
    return [percent(row["by_name"], 1), draws]


def alarms() -> Any:
    return result("guarantees-alarms")


def false_alarms(method: str, n: str) -> list[str]:
    of = {"method": method, "n": int(n.replace(",", ""))}
    rows = [only(alarms()["false_alarms"], novel=novel, **of) for novel in (0.0, 0.2, 0.6)]
    assert {row["draws"] for row in rows} == {1000}
    return [span([row["alarms"], row["low"], row["high"]], lambda one: percent(one, 1)) for row in rows]


def delayed(drift: str) -> list[str]:
    shown = []
    for novel in (0.0, 0.3):
        row = only(alarms()["delays"], drift=drift, novel=novel, n=200)
        counts = (row["delay"], row["oracle_alike"])
        shown += ["never" if count is None else number(count, 0) for count in counts]
        ratios = (row["times_oracle_alike"], row["times_oracle"])
        shown += ["" if not times else number(times, 1) for times in ratios]
    return shown


def contaminated(source: str, cut: str) -> list[str]:
    of = {"source": source, "method": "prototypes", "cut": None if cut == "automatic" else float(cut)}
    few, many = (only(alarms()["contaminated"], novel=novel, **of) for novel in (0.2, 0.6))
    below = "" if cut == "automatic" else f"{percent(few['novel_below_cut'])} %"
    return [below, *(f"{percent(one['alarms'], 1)} %" for one in (few, many))]


def batch_alarms(drift: str) -> list[str]:
    row = only(alarms()["batches"], drift=drift)
    return [f"{percent(row[name], places)} %" for name, places in (("kept", 0), ("alarms", 1), ("oracle", 0))]


def repaired(drift: str, labeled: str) -> list[str]:
    by = "most novel" if "most novel" in labeled else "random" if labeled != "0" else "none"
    wanted = {"shift": drift, "method": "prototypes", "labels": int(labeled.split(",")[0]), "by": by}
    row = only(result("guarantees-repair")["repair"], **wanted)
    covered = percent(row["covered"], 1) if "covered" in row else ""
    return [*(percent(row[name], 1) for name in ("kept", "spread", "found")), covered]


def two_rates(source: str, examples: str) -> list[str]:
    n, m = map(int, examples.split(", "))
    row = only(result("guarantees-repair")["unsure"], source=source, method="prototypes", n=n, m=m)
    names = ("known_called_novel", "novel_called_known", "known_unsure", "novel_unsure")
    return [percent(row[name], 1) for name in names]


def marks_simulated(promise: str, shapes: str) -> list[str]:
    found = [row for row in result("guarantees-marks")["simulation"] if row["promise"] == promise]
    key, count = "objects" if "objects" in shapes else "n", int(shapes.replace(",", "").split()[0])
    row = only([row for row in found if ("objects" in row) == ("objects" in shapes)], **{key: count})
    other = row.get("without_groups", row.get("pooled"))
    measured = ["refused", ""] if "refused" in row else [f"{percent(row['mean'], 2)} %", percent(row["error"], 2)]
    return [f"{100 * row['rate']:g} %", *measured, "" if other is None else f"{percent(other, 2)} %"]


def marks_cost(task: str, threshold: str) -> list[str]:
    rule = "today"
    if threshold != "default":
        of, n = threshold.split(", ")
        rule = f"{'regions' if of == 'regions' else 'points'}, n = {n.split()[0]}"
    row = only(result("guarantees-marks")["cost"], task=task, rule=rule)
    columns = ("false region", "part marked", "found", "marks on the part")
    return [f"{percent(row['false points'], 2)} %", *(f"{percent(row[name])} %" for name in columns)]


def card_files(file: str) -> list[str]:
    row = only(result("tiny")["zero_shot"]["each"], file=file)
    return [row["is"], row["found"]]


def card_real(shapes: str) -> list[str]:
    of = result("tiny")["zero_shot"]
    if shapes.startswith("17 files"):
        return [percent(of["benchmark"]["accuracy"], 1), ""]
    which = "scans_" if "scans" in shapes else ""
    return [percent(of[f"{which}accuracy"], 1), percent(of[f"{which}auroc"], 1)]


SMALL = "openshape_ood/registry/small/MODEL_CARD.md"
HELD_OUT = ("small-realistic", "small-realistic-static", "small-realistic-tiny", "small-realistic-pointnet")


def small_names(view: str) -> list[str]:
    found = [result(name)["zero_shot"][view] for name in HELD_OUT]
    return [f"{percent(one['mean'], 1)} [{percent(one['low'])}, {percent(one['high'])}]" for one in found]


def small_steps(view: str) -> list[str]:
    runs = ("small-realistic", "small-realistic-steps-4100", "small-realistic-steps-4100-back-0")
    return [percent(result(name)["zero_shot"][view]["mean"], 1) for name in runs]


def small_ablations(run: str) -> list[str]:
    name = run.strip("`-") if "--" in run else run.removeprefix("all, ").replace(" ", "-")
    found = result(f"small-realistic-steps-1000-{name}")["zero_shot"]
    return [percent(found[view]["mean"], 1) for view in ("whole", "one-sided", "cluttered")]


def small_folds(collection: str, network: str) -> list[str]:
    found = result(f"small-{collection}" + ("-tiny" if network == "tiny" else ""))
    cells = (found["zero_shot"][view] for view in ("whole", "one-sided", "cluttered"))
    counts = [str(found[key]) for key in ("objects", "classes")]
    return counts + [f"{percent(one['mean'], 1)} [{percent(one['low'])}, {percent(one['high'])}]" for one in cells]


def left_out_of_small(collection: str) -> list[str]:
    name = f"small-{collection.removesuffix(' models')}"
    found = [result(name), result(f"{name}-tiny")]
    cells = [[run["zero_shot"][view]["mean"] for run in found] for view in ("whole", "one-sided")]
    for way in ("names", "examples, embedding"):
        cells.append([only(run["half_known"], view="one-sided", way=way)["auroc"]["mean"] for run in found])
    counts = [str(found[0][key]) for key in ("objects", "classes")]
    return [*counts, *("; ".join(percent(value, 1) for value in pair) for pair in cells)]


def packaged_encoders(use: str) -> list[str]:
    return [percent(packaged_encoder(name, *use.split(": ")), 1) for name in ("small", "tiny")]


def packaged_encoder(name: str, place: str, figure: str) -> float:
    where = {"rooms of a real house": "small house", "one foreign object": "ranks"}.get(place, place)
    kinds = {"groups of seen classes": "seen in training", "groups of never seen classes": "never seen"}
    keys = {"right name": "name", "known right": "known", "AUROC": "auroc", "known kept": "kept"}
    keys["foreign called new"] = "new"
    measured: dict[str, Any] = {}
    if place == "parts of shapes":
        measured = result(f"explain-{name}")["figures"]["all"]["auroc"]["local"]
    elif place == "simulated scans of the house":
        real = result("small-real")["real"] if name == "small" else result("tiny")["zero_shot"]
        measured = {"name": real["scans_accuracy"], "auroc": real["scans_auroc"]}
    elif place in kinds:
        groups = result(f"discovery-{name}-generated")["figures"]
        measured = only(groups, kind=kinds[place], grouping="hdbscan")["ari"]
    else:
        rooms = result(f"scenes-{name}")
        measured = ({"ranks": rooms["ranks"]} | rooms["figures"])[where]["merge tree"]
    return float(measured[keys.get(figure, "mean")])


def small_half_known(view: str, known_by: str) -> list[str]:
    ways = {"3 examples": "examples, embedding", "3 examples, D2": "examples, D2", "3 examples, FPFH": "examples, FPFH"}
    found = [only(result(name)["half_known"], view=view, way=ways.get(known_by, known_by)) for name in HELD_OUT]
    return [f"{percent(one['accuracy']['mean'], 1)}; {percent(one['auroc']['mean'], 1)}" for one in found]


def small_real(figure: str) -> list[str]:
    key = ("scans_" if "scans" in figure else "") + ("auroc" if "AUROC" in figure else "accuracy")
    found = [result("small-real")["real"], result("small-real-static")["real"], result("tiny")["zero_shot"]]
    return [percent(one[key], 1) for one in found]


class Table(NamedTuple):
    """A table: the page, the start of its head, the number of labels in a row, the figures for the labels."""

    page: str
    title: str
    labels: int
    figures: Callable[..., list[str]]
    columns: slice = slice(None)  # of the cells behind the labels; others are no results


CARD = "openshape_ood/registry/tiny/MODEL_CARD.md"
PUBLISHED = "known by | SR1 | SR2 | SN1 | SN2 | SN3 | published SR1 | published SR2"
TABLES = [
    Table(SMALL, "right one of 49 classes | small", 1, small_names),
    Table(SMALL, "right one of 49 classes | 2,076", 1, small_steps),
    Table(SMALL, "right one of 49 classes, 1,000 steps", 1, small_ablations),
    Table(SMALL, "left out | network", 2, small_folds),
    Table(SMALL, "objects | known by", 2, small_half_known),
    Table(SMALL, "real shapes", 1, small_real),
    Table("README.md", "left out of training | objects", 1, left_out_of_small),
    Table("docs/start/encoders.md", "use | small | tiny", 1, packaged_encoders),
    Table("docs/results/3dos.md", "tiny | known by | accuracy", 2, real_objects),
    Table("benchmarks/README.md", "switch | from | to", 3, switches),
    Table("docs/results/3dos.md", "known by | method | SR1 AUROC", 2, methods),
    Table("docs/results/3dos.md", "generated, tiny | known by", 2, seeds),
    Table("docs/results/3dos.md", "generated | known by | AUROC, tiny", 2, left_out),
    Table(CARD, "shapes | known by", 2, seeds_of_card),
    Table("docs/results/decisions.md", "novel classes | grouping", 2, discovered),
    Table("docs/results/over-time.md", "shared variance | rank", 1, map_validity),
    Table("docs/results/over-time.md", "things | count", 1, map_rooms),
    Table("docs/results/over-time.md", "unchanged rooms, re-scanned", 2, changes_made_up),
    Table("docs/results/over-time.md", "changes, count", 1, changes_found),
    Table("docs/results/over-time.md", "voxel difference, m", 1, voxel_difference),
    Table("docs/results/over-time.md", "questions until 90", 1, map_labels),
    Table("docs/results/3dos.md", " | SR1 | SR2 | SN", 1, compared),
    Table("docs/results/decisions.md", "point AUROC, %", 1, planted),
    Table("docs/results/decisions.md", "decrease of novelty", 1, cut_out),
    Table("docs/results/guarantees.md", "method | calibration shapes", 2, false_alarms),
    Table("docs/results/guarantees.md", "drift | delay, none novel", 1, delayed),
    Table("docs/results/guarantees.md", "novel objects | cut", 2, contaminated),
    Table("docs/results/guarantees.md", "drift of a batch", 1, batch_alarms),
    Table("docs/results/guarantees.md", "drift | known shapes labeled", 2, repaired),
    Table("docs/results/guarantees.md", "shapes | known, novel examples", 2, two_rates),
    Table("docs/results/guarantees.md", "promise | calibration shapes", 2, marks_simulated),
    Table("docs/results/guarantees.md", "data | threshold", 2, marks_cost),
    Table("docs/results/scenes.md", " | proposals | recall at IoU 0.5 ", 1, found_objects),
    Table("docs/results/scenes.md", " | foreign object found", 1, foreign_objects),
    Table("docs/results/scenes.md", "new rooms; with color; small house", 1, points_of_rooms),
    Table("docs/results/views.md", "IoU over 258, 128", 1, views),
    Table("docs/results/views.md", "IoU of a target", 1, relations),
    Table("docs/results/views.md", " | severity 0.5, points", 1, withheld),
    Table("docs/results/surfaces.md", "flat roads, five data seeds", 1, roads),
    Table("docs/results/surfaces.md", "uneven roads, five data seeds", 1, uneven_roads),
    Table("docs/results/surfaces.md", "generated textures", 1, textures),
    Table("docs/results/surfaces.md", "random scores", 1, no_skill),
    Table("docs/results/speed.md", " | batch | transformer", 2, speed),
    Table(CARD, "benchmark | known by", 2, card_benchmarks),
    Table(CARD, "never trained, 6 categories", 1, card_never_trained),
    Table(CARD, "real shapes, by name", 1, card_real),
    Table(CARD, "file | true class | predicted class", 1, card_files),
    Table("docs/results/speed.md", "encoder | file", 1, cost, slice(-2, None)),
    Table(
        "docs/results/baselines.md", "known by | SR1 | SR2 | SN1 | SN2 | SN3", 1, trained("baselines-generated", "tiny")
    ),
    Table("docs/results/baselines.md", PUBLISHED, 1, trained("baselines-generated", "DGCNN (trained)"), slice(5)),
    Table(
        "docs/results/baselines.md",
        f"{PUBLISHED} #2",
        1,
        trained("baselines-generated", "PointNet++ (trained)"),
        slice(5),
    ),
    Table(
        "docs/results/baselines.md",
        "known by | SR2 | published SR2",
        1,
        trained("baselines-copies-generated", "DGCNN (trained + copies)"),
        slice(1),
    ),
    Table("docs/results/baselines.md", "DGCNN (trained), SR1", 1, heads),
]


# tables with numbers that no benchmark measured, and what else holds them
REGISTRY = "sizes and published figures of the registry (tests/registry)"
PARITY = "errors that the tests of parity named above the table print, and hold below a bound"
ELSEWHERE = {
    ("README.md", "name | network"): REGISTRY,
    ("benchmarks/README.md", " | --protocol openshape (default)"): "settings",
    ("docs/results/baselines.md", "--network | network"): "parameters, counted by tests/benchmarks/test_baselines.py",
    ("docs/results/baselines.md", "network | float32"): PARITY,
    ("docs/reference/command-line.md", "exit code"): "codes",
    ("docs/results/encoders.md", "name | embedding"): REGISTRY,
    ("docs/concepts/guarantees.md", "request | promise"): "computed by tests/decisions/test_risk.py",
    ("docs/concepts/thresholds.md", " | Python | command line"): "an order",
    ("docs/results/parity.md", " | 10,000 points"): PARITY,
    ("docs/results/parity.md", " | float32"): PARITY,
    ("docs/results/parity.md", " | largest error"): PARITY,
    ("docs/results/parity.md", " | largest difference"): PARITY,
    ("docs/tasks/points.md", "checkpoint | voxel"): REGISTRY,
    ("docs/results/speed.md", " | 2 cores"): "computed on the page",
    ("openshape_ood/registry/completion/MODEL_CARD.md", " | "): "sizes",
}


def table_of(spec: Table) -> Rows:
    tables = tables_on(spec.page)
    titles = [title for title in tables if title == spec.title] or [t for t in tables if t.startswith(spec.title)]
    assert len(titles) == 1, f"{spec.page}: {len(titles)} tables begin with {spec.title!r}"
    return tables[titles[0]]


def with_labels(rows: Rows, labels: int) -> Iterator[tuple[list[str], list[str]]]:
    """Labels and figures of each row; an empty label is the one above."""
    above = [""] * labels
    for row in rows:
        above = [own or last for own, last in zip(row[:labels], above, strict=True)]
        yield above, row[labels:]


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: f"{spec.page}: {spec.title.strip()}")
def test_the_figures_of_a_table_are_those_of_its_results(spec: Table) -> None:
    rows = list(with_labels(table_of(spec), spec.labels))
    assert rows
    for labels, figures in rows:
        assert figures[spec.columns] == spec.figures(*labels), labels


def test_every_table_with_figures_is_compared_or_says_where_they_are_from() -> None:
    for page in PAGES:
        name = page_name(page)
        compared = {id(table_of(spec)) for spec in TABLES if spec.page == name}
        elsewhere = tuple(title for place, title in ELSEWHERE if place == name)
        loose = [
            title
            for title, rows in tables_on(name).items()
            if holds_figures(rows) and id(rows) not in compared and not title.startswith(elsewhere)
        ]
        assert loose == [], name


def test_every_table_from_elsewhere_is_there() -> None:
    for page, title in ELSEWHERE:
        assert any(holds_figures(rows) for name, rows in tables_on(page).items() if name.startswith(title)), title


# figures in sentences: words of the page with the figures of the result in them


class Sentence(NamedTuple):
    page: str
    words: Callable[[], str]


def both(values: Iterable[str]) -> str:
    return " and ".join(values)


def sentence_of_the_stand_in() -> str:
    of = [result(f"views-completion-rooms{more}")["stand_in"] for more in ("", "-fewer")]
    pixels, game = (both(share(one[key]) for one in of) for key in ("pixel average precision", "pointing game"))
    return f"has a pixel average precision of {pixels}, and a pointing accuracy of {game}"


def sentence_of_completion() -> str:
    many, few = (result(f"views-completion-rooms{more}")["names"] for more in ("", "-fewer"))

    def figures(of: Any, key: str, write: Callable[[float], str] = share) -> str:
        return both(write(of[kind][key]["mean"]) for kind in ("known", "never trained"))

    seen, masks = "network - the same, dilated", "network - true mask, dilated"
    hidden = figures(many, "hidden cells found", lambda value: f"{percent(value)} %")
    return (
        f"The IoU of the network is {figures(many, seen)} higher than that of the best baseline from visible points. "
        f"In rooms with fewer objects it is {figures(few, seen)} higher. The difference to dilated true "
        f"masks is {figures(few, masks)} in rooms with fewer objects, and {figures(many, masks)} in rooms with 8 to 13 "
        "objects. Most errors come from the affinities, not from the completion: see the row with clean masks. "
        f"The network finds {hidden} of the hidden cells."
    )


def sentence_of_foreign_voxels() -> str:
    of = result("views-completion-rooms")["foreign"]
    return f"The AUROC over the voxels of objects is {span(of['network'], lambda value: share(value, 3))}."


def sentence_of_the_map() -> str:
    of = result("explain-tiny")["figures"]["all"]
    foreign, host = (percent(of[key]["mean"]) for key in ("above_foreign", "above_host"))
    return f"exceeded by {foreign} % of the foreign points, but also by {host} % of the other points"


def sentence_of_copies() -> str:
    rows = [
        only(result(of)["rows"], benchmark="sr2", model=model, known_by="MLS", data="generated")
        for of, model in (
            ("baselines-copies-generated", "DGCNN (trained + copies)"),
            ("baselines-generated", "DGCNN (trained)"),
        )
    ]
    copied, plain = (percent(row["accuracy"]) for row in rows)
    return (
        f"the largest logit gives the right class for {copied} % of the scans of known classes, without copies for "
        f"{plain} %"
    )


def ends(values: Iterable[float], digits: int = 0) -> str:
    """ "82 to 85 %", of fractions."""
    listed = sorted(values)
    return f"{percent(listed[0], digits)} to {percent(listed[-1], digits)} %"


def sentence_of_a_fixed_set() -> str:
    fixed = ends(row["alarms"] for row in alarms()["fixed_ranks"])
    return f"calibration shapes only, without earlier objects. It raises an alarm in {fixed} of the streams."


def sentence_of_many_novel() -> str:
    def alarm(cut: float | None) -> str:
        rows = [row for row in alarms()["contaminated"] if (row["cut"], row["novel"]) == (cut, 0.6)]
        return ends((row["alarms"] for row in rows), 1)

    return (
        f"With 60 % novel objects and all three methods, the automatic cut alarms in {alarm(None)} of the streams. A "
        f"cut of 0.05 alarms in {alarm(0.05)}, and a cut of 0.3 in {alarm(0.3)}."
    )


def sentence_of_delays() -> str:
    def kept(n: int) -> tuple[int, int]:
        rows = [row for row in alarms()["delays"] if row["n"] == n and row["oracle_alike"] is not None]
        return sum((row["times_oracle_alike"] or 99) <= 3 for row in rows), len(rows)

    (met, settings), few, many = kept(200), kept(50), kept(2000)
    return (
        f"The oracle finds the drift in {settings} settings: {met} of {settings} meet the target. With 50 calibration "
        f"shapes {few[0]} of {few[1]} meet it, with 2,000 shapes {many[0]} of {many[1]}."
    )


def sentence_of_labels() -> str:
    rows = result("guarantees-repair")["budget"]
    enough, kept = ends(row["enough"] for row in rows), ends((row["kept"] for row in rows), 1)
    return (
        f"If 30 % of 30 labeled shapes are novel, {enough} of the draws have the required 19 known shapes. These draws "
        f"keep {kept} of the known shapes."
    )


SENTENCES = [
    Sentence("docs/results/guarantees.md", sentence_of_a_fixed_set),
    Sentence("docs/results/guarantees.md", sentence_of_many_novel),
    Sentence("docs/results/guarantees.md", sentence_of_delays),
    Sentence("docs/results/guarantees.md", sentence_of_labels),
    Sentence("docs/results/baselines.md", sentence_of_copies),
    Sentence("docs/results/views.md", sentence_of_the_stand_in),
    Sentence("docs/results/views.md", sentence_of_completion),
    Sentence("docs/results/views.md", sentence_of_foreign_voxels),
    Sentence("docs/results/decisions.md", sentence_of_the_map),
    Sentence("docs/results/over-time.md", sentence_of_false_changes),
    Sentence("docs/results/over-time.md", sentence_of_registration),
    Sentence("docs/results/over-time.md", sentence_of_house_changes),
    Sentence("docs/results/over-time.md", sentence_of_the_cost_of_a_map),
    Sentence("docs/results/over-time.md", sentence_of_a_map_at_the_limit_of_a_tenth),
    Sentence("docs/results/over-time.md", sentence_of_another_setting_of_a_map),
    Sentence("docs/results/over-time.md", sentence_of_the_missed_objects_of_a_map),
]


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence.words.__name__)
def test_the_figures_of_a_sentence_are_those_of_its_result(sentence: Sentence) -> None:
    text = (ROOT / sentence.page).read_text(encoding="utf-8")
    assert sentence.words() in " ".join(MARKUP.sub("", text).split())


def test_every_result_says_its_version_of_torch() -> None:
    for path in sorted(RESULTS.glob("*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        if environments := report.get("environments"):
            assert all(one["installed"]["torch"] for one in environments), path.name
            continue
        assert re.match(r"\d+\.\d+", report["versions"]["torch"]), path.name
