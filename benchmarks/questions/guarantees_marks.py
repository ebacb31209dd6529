"""Marks of maps: does risk control keep the requested rate of false marks, and how many planted parts are still found?

Simulated shapes are lines of places with noise; some have an undamaged bump. With n calibration shapes, the mean
fraction of false points on new shapes is measured, and the fraction of new shapes with a false region. Real maps are
those of `localize` on generated shapes with a planted part, of chair surfaces with a dent, and of damaged roads.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import options
from openshape_ood.decisions.risk import LossCurve, risk_threshold
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.novelty_map.marks import marks_threshold, summary

POOL, PLACES = 4000, 150  # simulated shapes, and places per shape
BUMPS = 0.15  # fraction of shapes with a bump
OBJECTS, SCANS = 1000, 10
TESTED = 100  # new shapes per draw
POINTS = {20: 1.0, 50: 0.5, 100: 1.0, 200: 1.0}  # number of calibration shapes -> largest fraction marked
REGIONS = (20, 50, 200)
RATE, REGION_RATE, GROUP_RATE = 0.01, 0.05, 0.1
FEWEST_PLACES = 5  # least size of a simulated region

KNOWN, HELD, NEW, PLANTED = 40, 70, 40, 20  # localize, per class: examples, calibration, tests; per pair: planted parts
GOOD, MORE, WHOLE, DAMAGED = 20, 200, 60, 60  # surfaces: training, calibration, undamaged tests, damaged tests
CHAIR, DENSE = 2, 10_000
RULES = ("today", "points, n = 20", "points, n = 50", "points, n = 100", "points, n = 200",
         "regions, n = 20", "regions, n = 50", "regions, n = 200")  # fmt: skip
COLUMNS = ("false points", "false region", "part marked", "found", "marks on the part")
HALF = 0.5  # a part is found if at least this fraction of its points is marked


@dataclass(frozen=True)
class Case:
    """Maps of one task: of calibration shapes, of new known shapes, and of damaged shapes with their truth."""

    name: str
    today: float
    min_size: float
    held: Sequence[NoveltyMap]
    known: Sequence[NoveltyMap]
    damaged: Sequence[tuple[NoveltyMap, np.ndarray]]


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The simulation, with `--draws` calibration sets per row, and the three tasks."""
    rng = np.random.default_rng([args.seed, 33])
    simulated = [*_points(args.draws, rng), *_regions(args.draws, rng), *_groups(max(2, args.draws // 5), rng)]
    return {"simulation": simulated, "cost": [row for case in cases(args.seed) for row in cost(case)]}


def simulated_shapes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Novelties (count, places): each shape has its own noise level, and some have a bump."""
    scale = rng.lognormal(0, 0.3, (count, 1))
    novelty = scale * rng.normal(size=(count, PLACES))
    bumped = np.flatnonzero(rng.random(count) < BUMPS)
    widths = rng.integers(5, PLACES // 3, len(bumped))
    for row, width in zip(bumped, widths, strict=True):
        start = rng.integers(0, PLACES - width)
        novelty[row, start : start + width] += rng.exponential(2.0)
    return novelty


def _points(draws: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    pool = simulated_shapes(POOL, rng)
    curves = [LossCurve.of(one) for one in pool]
    for n, largest in POINTS.items():
        row = {"promise": "points", "n": n, "rate": RATE, "largest": largest}
        try:
            risk_threshold(curves[:n], RATE, largest=largest)
        except InputError as error:
            yield row | {"refused": str(error)}
            continue
        losses, pooled = [], []
        for _ in range(draws):
            drawn = rng.permutation(POOL)[: n + TESTED]
            held, new = drawn[:n], pool[drawn[n:]]
            limit = risk_threshold([curves[i] for i in held], RATE, largest=largest)
            losses.append(np.minimum((new > limit).mean(axis=1), largest).mean())
            pooled.append((new > np.quantile(pool[held], 1 - RATE)).mean())
        yield row | _mean(losses) | {"pooled": float(np.mean(pooled))}


def _regions(draws: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    pool = simulated_shapes(POOL, rng)
    line = Elements("voxels", np.stack([np.arange(PLACES), np.zeros(PLACES), np.zeros(PLACES)], axis=1))
    peaks = np.array([summary(line, one, FEWEST_PLACES)[1] for one in pool])
    curves = [LossCurve(one, np.ones(1)) for one in peaks[:, None]]
    for n in REGIONS:
        losses, small = [], []
        for _ in range(draws):
            drawn = rng.permutation(POOL)[: n + TESTED]
            made = marks_threshold([curves[i] for i in drawn[:n]], peaks[drawn[:n]], "regions", REGION_RATE)
            assert made.marks is not None
            losses.append((peaks[drawn[n:]] > made.value).mean())
            small.append((made.marks.p_values(peaks[drawn[n:]]) <= REGION_RATE).mean())
        row = {"promise": "regions", "n": n, "rate": REGION_RATE, "largest": 1.0}
        yield row | _mean(losses) | {"p_values": float(np.mean(small))}


def _groups(draws: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Ten scans of each object, calibrated with groups of scans and, wrongly, as independent shapes."""
    each = np.repeat(simulated_shapes(OBJECTS, rng), SCANS, axis=0)
    pool = (each + 0.2 * rng.normal(size=each.shape)).reshape(OBJECTS, SCANS, PLACES)
    shares = [[LossCurve.of(one) for one in scans] for scans in pool]
    # the loss is 1 if any place is above the limit, so only the largest novelty counts
    steps = [[LossCurve(peak, np.ones(1)) for peak in scans.max(axis=1)[:, None]] for scans in pool]
    for promise, objects, rate, curves in (("regions", 4, REGION_RATE, steps), ("points", 10, GROUP_RATE, shares)):
        row: dict[str, Any] = {
            "promise": promise,
            "objects": objects,
            "n": objects * SCANS,
            "rate": rate,
            "largest": 1.0,
        }
        groups, losses, alone = np.repeat(np.arange(objects), SCANS), list[float](), list[float]()
        for _ in range(draws):
            drawn = rng.permutation(OBJECTS)[: objects + TESTED]
            held, new = [one for i in drawn[:objects] for one in curves[i]], pool[drawn[objects:]]
            new = new.max(axis=2) if promise == "regions" else new
            try:
                losses.append(float((new > risk_threshold(held, rate, groups=groups)).mean()))
            except InputError as error:
                row["refused"] = str(error)
            alone.append(float((new > risk_threshold(held, rate)).mean()))
        yield row | (_mean(losses) if losses else {}) | {"without_groups": float(np.mean(alone))}


def _mean(losses: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(losses)), "error": float(np.std(losses) / np.sqrt(len(losses)))}


def cases(seed: int) -> Iterator[Case]:
    """Yield the three tasks."""
    for of in (_planted, _dents, _roads):
        yield of(seed)


def _planted(seed: int) -> Case:
    from benchmarks.report.pictures.explained import KNOWN as NAMES
    from benchmarks.report.pictures.explained import PLANTED as PAIRS
    from openshape_ood import KnownClasses, ShapeEncoder
    from openshape_ood.novelty_map import localize_many
    from openshape_ood.synthetic import sample
    from openshape_ood.synthetic.planted import plant

    encoder, first = ShapeEncoder.from_pretrained("tiny"), 100_000 * seed

    def drawn(start: int, count: int) -> list[np.ndarray]:
        return [sample(name, 2048, first + start + i) for i in range(count) for name in NAMES]

    examples = {name: [sample(name, 2048, first + i) for i in range(KNOWN)] for name in NAMES}
    known = KnownClasses.from_examples(examples, encoder, up="y", patches="local")

    def maps(clouds: Sequence[np.ndarray]) -> list[NoveltyMap]:
        return list(localize_many(clouds, known, encoder=encoder, up="y"))

    shapes = [plant(*pair[:2], 2048, first + 10_000 + i, pair[2]) for pair in PAIRS for i in range(PLANTED)]
    damaged = list(zip(maps([one.cloud for one in shapes]), [one.foreign for one in shapes], strict=True))
    held, new = maps(drawn(1000, HELD)), maps(drawn(5000, NEW))
    assert held[0].threshold is not None
    return Case("planted parts, localize", held[0].threshold.value, 0.01, held, new, damaged)


def _dents(seed: int) -> Case:
    from openshape_ood.synthetic import generate, sample
    from openshape_ood.synthetic.dents import dented

    mesh, first = generate("chair", CHAIR), 100_000 * seed

    def cloud(i: int) -> np.ndarray:
        return sample(mesh, DENSE, first + i)

    def broken(i: int) -> tuple[np.ndarray, np.ndarray]:
        made = dented(mesh, DENSE, first + 50_000 + i)
        return made.cloud, made.truth

    return _surface("dents in a chair, nearest", cloud, broken)


def _roads(seed: int) -> Case:
    from openshape_ood.synthetic.roads import DAMAGES, road_scan

    first = 100_000 * seed

    def cloud(i: int) -> dict[str, np.ndarray]:
        road = road_scan(first + i)
        return {"points": road.points, "intensity": road.intensity}

    def broken(i: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        road = road_scan(first + 50_000 + i, DAMAGES[i % len(DAMAGES)])
        return {"points": road.points, "intensity": road.intensity}, road.truth > 0

    return _surface("damage of roads, height", cloud, broken)


def _surface(name: str, cloud: Callable[[int], Any], broken: Callable[[int], tuple[Any, np.ndarray]]) -> Case:
    from openshape_ood.surfaces import SurfaceModel

    model = SurfaceModel.fit([cloud(i) for i in range(GOOD)])
    held = [model.score(cloud(1000 + i)).map for i in tqdm(range(MORE), name)]
    known = [model.score(cloud(5000 + i)).map for i in range(WHOLE)]
    made = [broken(i) for i in range(DAMAGED)]
    damaged = [(model.score(one).map, truth) for one, truth in made]
    return Case(name, model.pixel_threshold.value, 10, held, known, damaged)


def cost(case: Case) -> list[dict[str, Any]]:
    """One row per rule: false marks on new known shapes, and parts found."""
    each = [summary(one.elements, one.novelty, case.min_size) for one in case.held]
    order = np.random.default_rng(0).permutation(len(each))  # shuffled, because the classes alternate
    curves, peaks = [each[i][0] for i in order], np.array([each[i][1] for i in order])
    tested = np.array([summary(one.elements, one.novelty, case.min_size)[1] for one in case.known])
    rows: list[dict[str, Any]] = []
    for rule in RULES:
        if rule == "today":
            made = Threshold(case.today)
        else:
            of, n = rule.split(", n = ")
            rate, largest = (RATE, POINTS[int(n)]) if of == "points" else (REGION_RATE, 1.0)
            if len(curves) < int(n):
                continue
            few = (curves[: int(n)], peaks[: int(n)], of, rate, case.min_size)
            try:
                made = marks_threshold(*few, largest=largest)
            except InputError as error:
                rows.append({"task": case.name, "rule": rule, "refused": str(error)})
                continue
        rows.append({"task": case.name, "rule": rule, "threshold": made.value, **figures(case, made, tested)})
    return rows


def figures(case: Case, made: Threshold, tested: np.ndarray) -> dict[str, float]:
    """The columns of one rule."""
    marked = [(replace(one, threshold=made).is_novel, truth & one.seen) for one, truth in case.damaged]
    shares = np.array([marks[truth].mean() for marks, truth in marked])
    on = [marks[truth].sum() / marks.sum() for marks, truth in marked if marks.any()]
    false = [replace(one, threshold=made).is_novel.sum() / one.seen.sum() for one in case.known]
    values = (np.mean(false), (tested > made.value).mean(), shares.mean(), (shares >= HALF).mean())
    return dict(zip(COLUMNS, map(float, (*values, np.mean(on) if on else 0.0)), strict=True))


def tables(report: Mapping[str, Any]) -> list[str]:
    """Two tables: rates in simulation, and parts found."""
    simulated = []
    for row in report["simulation"]:
        of = f"{row['promise']}, {row['objects']} objects x {SCANS} scans" if "objects" in row else row["promise"]
        cells = [of, str(row["n"]), f"{row['largest']:g}", f"{100 * row['rate']:g} %"]
        beside = {"pooled": "one quantile of all points", "p_values": "p <= .05", "without_groups": "without groups"}
        other = next((f"{name}: {100 * row[key]:.2f} %" for key, name in beside.items() if key in row), "")
        if "refused" in row:
            simulated.append([*cells, "refused", row["refused"].split(". ")[1], other])
            continue
        simulated.append([*cells, f"{100 * row['mean']:.2f} %", f"{100 * row['error']:.2f}", other])
    head = ("promise", "calibration shapes", "largest", "rate", "measured", "standard error", "beside")
    costs = [
        [row["task"], row["rule"], *(["refused", "", "", "", ""] if "refused" in row else _shares(row))]
        for row in report["cost"]
    ]
    return [options.grid(head, simulated), options.grid(("task", "threshold", *COLUMNS), costs)]


def _shares(row: Mapping[str, Any]) -> list[str]:
    return [f"{100 * row[name]:.2f} %" if name == "false points" else f"{100 * row[name]:.0f} %" for name in COLUMNS]


def draw(report: Mapping[str, Any], path: Path) -> list[Path]:
    """Draw the false rate by number of calibration shapes, and marks on a chair with and without a guitar."""
    from benchmarks.report.pictures.explained import CHAIR_SEED, DRAWN, example_shapes
    from openshape_ood import ShapeEncoder, plots
    from openshape_ood.novelty_map import calibrate_marks, localize, localize_many
    from openshape_ood.synthetic import sample
    from openshape_ood.synthetic.planted import plant

    encoder = ShapeEncoder.from_pretrained("tiny")
    known = example_shapes(encoder)
    held = [sample(name, 2048, 1000 + i) for i in range(HELD) for name in known.names]
    promised = calibrate_marks(localize_many(held, known, encoder=encoder, up="y"), false_points=RATE)
    new = [sample("chair", DRAWN, 5000 + i) for i in range(NEW)]
    beyond = [one.is_novel.mean() for one in localize_many(new, known, encoder=encoder, up="y")]
    plain = new[int(np.argmax(beyond))]
    planted = plant("chair", "guitar", DRAWN, CHAIR_SEED, 0.52, "parsons", "acoustic").cloud
    figure, axes = plots.panels(1, 5, size=(14, 3.8))
    _draw_promise(axes.flat[0], report["simulation"])
    panels = ((f"of {NEW} new chairs the most marked", plain), ("a guitar as its back", planted))
    rules = (("95 % of patches", None), ("1 % of points, promised", promised))
    for ax, ((what, cloud), (rule, made)) in zip(
        axes.flat[1:], [(shape, rule) for shape in panels for rule in rules], strict=True
    ):
        marked = localize(cloud, known, encoder=encoder, up="y", threshold=made).is_novel.astype(float)
        plots.cloud(cloud, "novelty", marked, ax=ax, low=0, high=1, legend=False)
        ax.set_title(f"{what}\n{rule}: {100 * marked.mean():.0f} % marked", fontsize=9)
    return [plots.save(figure, path, dpi=90)]


def _draw_promise(ax: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    chosen = [row for row in rows if row["promise"] == "points" and "objects" not in row and "mean" in row]
    n = [row["n"] for row in chosen]
    for key, label, style in (("mean", "risk control", "o-"), ("pooled", "one quantile of all points", "s--")):
        ax.plot(n, [100 * row[key] for row in chosen], style, label=label)
    ax.axhline(100 * RATE, color="black", lw=0.8, ls=":", label="requested")
    ax.set(xlabel="calibration shapes", ylabel="points marked falsely, %", ylim=(0, None), xticks=n)
    ax.legend(fontsize=7)
    ax.set_title("simulated known shapes", fontsize=9)
