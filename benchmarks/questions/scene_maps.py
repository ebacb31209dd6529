"""`python -m benchmarks map`: a scene map with unknown objects.

Parts: unknown objects found in walks through rooms; the guarantee under dependent looks; number of labels until most
names are right, with and without the map's questions; time, memory and file size of many looks; a picture.

>>> called_new(0.9, looks=4, objects=200, calibration=99, seed=0)["Fisher"] > 0.1
True
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.intervals import bootstrap
from benchmarks.questions import harness
from benchmarks.questions.map_rooms import KNOWN, Walk, matched, shown, walk
from benchmarks.report.pictures.maps import draw_growth
from openshape_ood import KnownClasses, NoveltyPipeline, SceneMap, Threshold
from openshape_ood.encoders.protocols import Embeddings
from openshape_ood.scene_map.evidence import COMBINATIONS
from openshape_ood.scene_map.looks import looks_at
from openshape_ood.synthetic import sample

SIZE = (180, 240)  # height and width in pixels
VIEWS = 30
EXAMPLE_ROOMS = 4
EXAMPLE_SEED, CALIBRATION_SEED, TEST_SEED = 10_000, 20_000, 450_000  # first seed of the rooms of each kind
LEAST = 225  # least points of a look that is evidence, equal to 100 points at 120 x 160 pixels
ALPHA = 0.05
OBJECTS = 78  # known objects in the simulated calibration set of mean embeddings
DRAWS = 2000
DEPENDENCE = (0.0, 0.5, 0.9, 0.99)  # correlation between the looks at one object
HOUSE_KNOWN = {"chair": 8, "table": 4, "lamp": 4, "sofa": 2, "bed": 2, "bookshelf": 2}
HOUSE_UNKNOWN = {"toilet": 8, "guitar": 6, "car": 5, "piano": 4, "bathtub": 3, "plant": 3, "airplane": 2, "fan": 1}
RIGHT = 0.9  # fraction of objects with the right name, at which the questions end


# rooms


def example_pipeline(encoder: str, method: str) -> NoveltyPipeline:
    """Pipeline whose known classes are looks at objects in example rooms; its threshold is from generated scans."""
    by_name = NoveltyPipeline.prepare(list(KNOWN), model=encoder, up="z")
    rows, labels = list[np.ndarray](), list[str]()
    for i in range(EXAMPLE_ROOMS):
        made = walk(EXAMPLE_SEED + i, 9, 0, VIEWS // 2, SIZE)
        for view in made.views:
            looks = looks_at(view, None, by_name, LEAST, 3)
            vectors = getattr(looks.result.embeddings, "vectors", ())
            for j in np.flatnonzero(looks.whole).tolist():
                place = shown(looks.crops[j], made.items)
                if place is not None:
                    rows.append(vectors[j])
                    labels.append(made.items[place].category)
    known = KnownClasses.from_embeddings(np.stack(rows), labels, by_name.provenance.identity)
    return NoveltyPipeline.prepare(known, encoder=by_name.encoders.shape, method=method, up="z")


def mapped(made: Walk, pipeline: NoveltyPipeline, **how: Any) -> SceneMap:
    """Map of all views of a walk."""
    scene_map = SceneMap.prepare(pipeline, least=LEAST, max_jump=None, **how)
    for i, view in enumerate(made.views):
        scene_map.add(view, time=float(i))
    return scene_map


def calibrated(pipeline: NoveltyPipeline, rooms: int, least_seen: int) -> tuple[NoveltyPipeline, Threshold]:
    """The pipeline with a threshold for single looks, and a threshold for mean embeddings of objects.

    Both are calibrated on known objects of other rooms. The threshold for single looks uses one look per object.
    """
    means, rows, groups = list[float](), list[np.ndarray](), list[str]()
    for i in range(rooms):
        made = walk(CALIBRATION_SEED + i, 9, 0, VIEWS, SIZE)
        for place, one in matched(list(mapped(made, pipeline)), made.items).items():
            if one.whole and one.seen >= least_seen:
                means.append(one.verdict.novelty)
                rows += list(one.embeddings)
                groups += [f"{i}/{place}"] * len(one.embeddings)
    result = pipeline(Embeddings(np.stack(rows), pipeline.provenance.identity))
    threshold = Threshold.from_novelty(result, 1 - ALPHA, groups=groups, source="looks at objects of other rooms")
    objects = Threshold.from_novelty(means, 1 - ALPHA, provenance=threshold.provenance, source="objects of other rooms")
    return replace(pipeline, threshold=threshold), objects


def measure_rooms(seeds: int, encoder: str, method: str, calibration_rooms: int, least_seen: int) -> dict[str, Any]:
    """Fractions of unknown and known objects called new: by the final verdict, by combined looks, by single looks."""
    pipeline, objects = calibrated(example_pipeline(encoder, method), calibration_rooms, least_seen)
    things, spurious, looks = list[dict[str, Any]](), list[int](), {True: list[bool](), False: list[bool]()}
    for seed in range(seeds):
        made = walk(TEST_SEED + seed, 6, 3, VIEWS, SIZE)
        scene_map = mapped(made, pipeline, objects=objects, least_seen=least_seen)
        by_item = matched(list(scene_map), made.items)
        for place, item in enumerate(made.items):
            one = by_item.get(place)
            record = {"seed": seed, "category": item.category, "unknown": bool(item.foreign), "found": one is not None}
            verdict = None if one is None else one.verdict
            record |= {"looks": 0 if one is None else one.evidence.looks}
            record |= {"verdict": verdict and verdict.verdict, "p_value": verdict and verdict.p_value}
            combined = 1.0 if one is None else one.evidence.p_value("median")
            record |= {"combined": "new" if combined <= ALPHA else "not"}
            record |= {"guess": verdict and verdict.guess, "seen": 0 if one is None else one.seen}
            wide = one is not None and one.seen >= least_seen and one.whole and one.verdict.p_value <= 2 * ALPHA
            record |= {"coverage 0.9": "new" if wide else "not"}
            things.append(record)
            if one is not None:
                beyond = one.evidence.beyond(ALPHA)
                looks[bool(item.foreign)] += [True] * beyond + [False] * (one.evidence.looks - beyond)
        chosen = {one.number for one in by_item.values()}
        spurious.append(sum(one.verdict.verdict == "new" and one.number not in chosen for one in scene_map))
        print(f"room {seed}: {scene_map!r}", flush=True)

    def share(unknown: bool, key: str) -> dict[str, float]:
        return bootstrap([one[key] == "new" for one in things if one["unknown"] == unknown], DRAWS)

    rows = []
    for unknown in (True, False):
        row = {"things": "unknown" if unknown else "known", "count": sum(one["unknown"] == unknown for one in things)}
        row["found"] = sum(one["found"] for one in things if one["unknown"] == unknown)
        row |= {"verdict new": share(unknown, "verdict"), "combined looks new": share(unknown, "combined")}
        row |= {"guess new": share(unknown, "guess"), "new at coverage 0.9": share(unknown, "coverage 0.9")}
        row["unsure"] = float(np.mean([one["verdict"] == "unsure" for one in things if one["unknown"] == unknown]))
        rows.append(row | {"single looks new": bootstrap(looks[unknown], DRAWS)})
    calibration = {"looks": pipeline.threshold.n if pipeline.threshold else 0, "objects": objects.n}
    record = {"rows": rows, "things": things, "calibration": calibration, "views": VIEWS, "encoder": encoder}
    record |= {"method": method, "least seen": least_seen}
    return record | {"further objects with the verdict new": spurious}


# the guarantee


def called_new(dependence: float, looks: int, objects: int, calibration: int, seed: int) -> dict[str, float]:
    """Fraction of known objects that each rule calls new; `dependence` is the correlation of an object's looks."""
    rng = np.random.default_rng([seed, 8, looks])

    def seen(count: int) -> np.ndarray:
        shared, single = rng.normal(size=(count, 1)), rng.normal(size=(count, looks))
        return np.sqrt(dependence) * shared + np.sqrt(1 - dependence) * single

    novelty = seen(objects)
    held = np.sort(rng.normal(size=calibration))
    p = (1 + calibration - np.searchsorted(held, novelty, side="left")) / (calibration + 1)
    from scipy.stats import chi2

    ordered = np.sort(p, axis=1)
    k = int(np.ceil(0.5 * looks))
    e = 0.2 * p**-0.8
    rules = {
        "median": looks / k * ordered[:, k - 1] <= ALPHA,
        "mean": min(looks, 2) * p.mean(axis=1) <= ALPHA,
        "e": e.mean(axis=1) >= 1 / ALPHA,
        "product of e-values": e.prod(axis=1) >= 1 / ALPHA,
        "Fisher": chi2.sf(-2 * np.log(p).sum(axis=1), 2 * looks) <= ALPHA,
        "smallest p": ordered[:, 0] <= ALPHA,
        "among objects": Threshold.from_novelty(seen(OBJECTS).mean(axis=1), 1 - ALPHA).is_novel(novelty.mean(axis=1)),
    }
    ones = np.ones(looks)
    for name, combined in COMBINATIONS.items():  # check the vectorized rules against the package
        alone = np.array([combined(row, ones) for row in p[:20]]) <= ALPHA + 1e-12
        if (alone != rules[name][:20]).any():
            raise AssertionError(f"the rule {name} differs from the package's")
    return {name: float(new.mean()) for name, new in rules.items()}


def measure_validity(objects: int = 1000, draws: int = 100, calibration: int = 300) -> dict[str, Any]:
    """Means over calibration sets with 2 to 30 looks, for each dependence."""
    rows = []
    for dependence in DEPENDENCE:
        each: dict[str, list[float]] = {}
        for seed in range(draws):
            looks = 2 + seed % 29
            for name, value in called_new(dependence, looks, objects, calibration, seed).items():
                each.setdefault(name, []).append(value)
        rows.append({"dependence": dependence, **{name: bootstrap(values, DRAWS) for name, values in each.items()}})
        print(", ".join(f"{name} {harness.spanned(value)}" for name, value in rows[-1].items()), flush=True)
    return {"rows": rows, "objects": objects, "draws": draws, "calibration": calibration}


# labels


def house(seed: int) -> tuple[SceneMap, dict[int, str]]:
    """Map of generated objects, with two looks at each, and number of each object -> true name."""
    scene_map, truth = SceneMap.prepare(list(KNOWN), model="tiny", max_jump=None), dict[int, str]()
    listed = [name for part in (HOUSE_KNOWN, HOUSE_UNKNOWN) for name, count in part.items() for _ in range(count)]
    rng = np.random.RandomState([seed, 10])
    for i, name in enumerate(rng.permutation(listed)):
        points = sample(str(name), 4000, 1000 * seed + i)[:, [0, 2, 1]] + [4 * (i % 8), 4 * (i // 8), 0]
        for part in (points[::2], points[1::2]):
            scene_map.add(part)
        truth[i + 1] = str(name)
    return scene_map, truth


def labels_needed(seed: int, order: str) -> int:
    """Number of labels until 90 % of the objects in a house have the right name."""
    scene_map, truth = house(seed)
    rng = np.random.RandomState([seed, 11])
    waiting = rng.permutation(list(truth)).tolist()

    def right() -> float:
        return float(np.mean([scene_map[number].verdict.name == name for number, name in truth.items()]))

    for given in range(len(truth) + 1):
        if right() >= RIGHT:
            return given
        questions = scene_map.ask(1) if order == "asked" else []
        if order == "among unknown":
            unknown = [number for number in waiting if scene_map[number].verdict.verdict != "known"]
            waiting = [*unknown, *(number for number in waiting if number not in unknown)]
        number = questions[0].object if questions else waiting.pop(0)
        waiting = [one for one in waiting if one != number]
        scene_map.name(number, truth[number])
    return len(truth)


def measure_labels(seeds: int) -> dict[str, Any]:
    orders = ("asked", "random", "among unknown")
    needed = {order: [labels_needed(seed, order) for seed in range(seeds)] for order in orders}
    ratio = [one / max(1, other) for one, other in zip(needed["asked"], needed["random"], strict=True)]
    rows = [{"order": order, "labels": bootstrap(values, DRAWS), "each": values} for order, values in needed.items()]
    return {"rows": rows, "ratio": bootstrap(ratio, DRAWS), "objects": sum({**HOUSE_KNOWN, **HOUSE_UNKNOWN}.values())}


# many looks


def measure_cost(looks: int, objects: int) -> dict[str, Any]:
    """CPU seconds of `add`; memory and file size after each tenth of the looks. Looks alternate over all objects."""
    import resource

    names = (*HOUSE_KNOWN, *HOUSE_UNKNOWN)
    shapes = [sample(names[i % len(names)], 2000, i)[:, [0, 2, 1]] for i in range(100)]
    side = int(np.ceil(np.sqrt(objects)))
    rng, seconds, marks = np.random.RandomState(12), np.empty(looks), list[dict[str, float]]()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "many.map"
        scene_map = SceneMap.prepare(list(KNOWN), model="tiny", max_jump=None, path=path)
        for i in range(looks):
            number = i % objects
            shift = [4 * (number % side), 4 * (number // side), 0]
            points = shapes[number % len(shapes)][rng.permutation(2000)[:1000]] + shift
            begun = time.process_time()  # of this process only
            scene_map.add(points, time=float(i))
            seconds[i] = time.process_time() - begun
            if (i + 1) % (looks // 10) == 0:
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                size = (path / "events.jsonl").stat().st_size
                marks.append({"looks": i + 1, "memory": pages * resource.getpagesize() / 2**20, "bytes": size})
                middle = np.median(seconds[: i + 1])
                print(f"{i + 1} looks: {len(scene_map)} objects, {marks[-1]}, {middle:.4f} s", flush=True)
        scene_map.save()
        snapshot = (path / "objects.safetensors").stat().st_size
        scene_map.close()
        begun = time.process_time()
        again = SceneMap.load(path)
        loading = time.process_time() - begun
        again.close()
    late = seconds[looks // 2 :]
    record = {"looks": looks, "objects": len(scene_map), "median": float(np.median(late)), "snapshot": snapshot}
    return record | {"p99": float(np.quantile(late, 0.99)), "load": loading, "marks": marks}


def draw(out: Path, seed: int = 20_003) -> dict[str, Any]:
    """Picture of the map of one walk after 2, 8 and all views. The known classes are given by name."""
    made = walk(seed, 6, 3, VIEWS, SIZE)
    scene_map = SceneMap.prepare(list(KNOWN), model="tiny", up="z", least=LEAST, max_jump=None)
    path = draw_growth(out / "map-growth.png", scene_map, made.views, (2, 8, VIEWS))
    return {"picture": path.name, "objects": len(scene_map)}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "rooms": lambda args: measure_rooms(args.rooms, args.encoder, args.method, args.calibration_rooms, args.least_seen),
    "validity": lambda args: measure_validity(),
    "labels": lambda args: measure_labels(args.houses),
    "cost": lambda args: measure_cost(args.looks, args.objects),
    "picture": lambda args: draw(args.out),
}


def run(args: argparse.Namespace) -> None:
    options.check(args, rooms=1, calibration_rooms=1, least_seen=1, houses=1, looks=10, objects=1)
    harness.run_parts(args, "map", PARTS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("map", "a map with unknowns: rooms, guarantee, labels, cost")
    usual = [part for part in PARTS if part != "picture"]
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=usual, help="default: all but picture")
    parser.add_argument("--rooms", type=int, default=10, help="part rooms: number of walks (default: %(default)s)")
    parser.add_argument("--encoder", default="tiny", help="part rooms: encoder (default: %(default)s)")
    parser.add_argument("--method", default="knn", help="part rooms: novelty method (default: %(default)s)")
    parser.add_argument("--calibration-rooms", type=int, default=12, help="part rooms: rooms with known objects only")
    parser.add_argument("--least-seen", type=int, default=1, help="part rooms: least number of looks at a new object")
    parser.add_argument("--houses", type=int, default=10, help="part labels: houses (default: %(default)s)")
    parser.add_argument("--looks", type=int, default=20_000, help="part cost: looks (default: %(default)s)")
    parser.add_argument("--objects", type=int, default=2000, help="part cost: objects (default: %(default)s)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
