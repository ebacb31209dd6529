"""`python -m benchmarks changes`: changes between two scans of a room.

Parts: the packaged calibration; re-scans of unchanged rooms, where a change is a false alarm; objects added, removed,
moved and replaced; registration of scans with any rotation and shift, and of different rooms.

>>> place = np.array([1.0, 2.0, 0.5])
>>> near(place, place + 0.1, 0.5), near(place, place + 1, 0.5)
(True, False)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import label

from benchmarks import options
from benchmarks.intervals import bootstrap
from benchmarks.questions import harness
from benchmarks.scene_data.house import house_pair
from openshape_ood import NoveltyPipeline
from openshape_ood.errors import InputError
from openshape_ood.scene_changes import ChangeCalibration, SceneChanges
from openshape_ood.scene_changes import calibration as packaged
from openshape_ood.scene_changes.calibration import CONTROLS, discoveries
from openshape_ood.scene_changes.compare import Comparison, compare, compared, judged, scored
from openshape_ood.scene_changes.matching import differences, usual_distance
from openshape_ood.scene_changes.registration import Surface, register
from openshape_ood.scenes import find_objects
from openshape_ood.synthetic.rooms.rescans import Planted, RoomPair, room_pair

KNOWN = ("chair", "table", "sofa", "bed", "bookshelf", "cabinet")
CALIBRATION, UNCHANGED, CHANGED, TURNED = 100_000, 440_000, 450_000, 310_000  # first seeds
RATE = 0.1
PLACE = 0.5  # meters; a match is within this distance of the object's center, or within half its longest side
SEEN = 100  # least points of a visible object
LARGE, MIDDLE = 1.0, 0.4  # longest side in meters of large and of middle-sized objects
BASELINE = (0.05, 0.1, 0.2, 0.5)  # least area in square meters of a component of the voxel difference
CLOSE = (0.03, 1.0)  # largest error in meters and degrees of a right registration
DRAWS = 2000
MOST_MOVED = 3
PLANS: tuple[dict[str, int], ...] = (
    {"added": 1, "removed": 1},
    {"moved": 1, "added": 1},
    {"moved": 1, "removed": 1, "added": 1},
    {"removed": 2, "moved": 2},
    {"added": 2, "removed": 1, "replaced": 1},
)
BYS = ("columns", "rays")  # free space from columns above the floor, or from rays of the cameras
FAULTS = ("kind", "part", "elsewhere")  # faults of a reported change, see `matched`


def pairs(first: int, count: int, done: Collection[int] = (), **how: Any) -> Iterator[tuple[int, RoomPair | None]]:
    """Yield seed and pair of `count` rooms that have space for the changes; the pair is None for seeds in `done`.

    first: first seed; done: seeds that were measured before; how: arguments of `room_pair`.
    """
    made, seed = 0, first
    while made < count:
        if seed in done:
            yield seed, None
            made += 1
        else:
            try:
                pair = room_pair(seed, **how)
            except InputError:
                pair = None
            if pair is not None:
                yield seed, pair
                made += 1
        seed += 1


def both(pair: RoomPair, bys: Sequence[str] = BYS) -> dict[str, Comparison]:
    """Compare the two scans with each kind of free space: by columns, by rays from the cameras."""
    comparison = compare(pair.before, pair.after, aligned=True)
    pose = comparison.registration.pose
    eyes = pair.viewpoints[0], pair.viewpoints[1] @ pose[:3, :3].T + pose[:3, 3]
    return {by: comparison if by == "columns" else judged(comparison, eyes) for by in bys}


def resumed(path: Path, measure: Callable[[int, RoomPair], dict[str, Any]], seeds: Any) -> list[dict[str, Any]]:
    """One record per pair, each stored as a line of a file, so that a stopped run can be resumed.

    measure: seed and pair -> record; seeds: set of measured seeds -> seeds and pairs, as from `pairs`.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    done = {record["seed"]: record for record in map(json.loads, lines)}
    records = []
    for seed, pair in seeds(set(done)):
        if pair is not None:
            done[seed] = {"seed": seed, **measure(seed, pair)}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[seed]) + "\n")
            print(f"room {seed}: {done[seed]}", flush=True)
        records.append(done[seed])
    return records


def measure_calibration(count: int, out: Path) -> dict[str, Any]:
    """Strengths of unchanged pairs, and appearance differences of moved objects; also writes the packaged file."""

    def unchanged(seed: int, pair: RoomPair) -> dict[str, Any]:
        return {by: round(comparison.strength, 5) for by, comparison in both(pair).items()}

    def moved(seed: int, pair: RoomPair) -> dict[str, Any]:
        return dict(zip(("same", "other"), _moved_differences(pair), strict=True))

    files = [out / f"changes-calibration-{name}.jsonl" for name in ("unchanged", "moved")]
    still = resumed(files[0], unchanged, lambda done: pairs(CALIBRATION, count, done))
    away = max(1, count // 3)
    moves = resumed(files[1], moved, lambda done: pairs(CALIBRATION + 50_000, away, done, moved=MOST_MOVED))
    same, other = ([value for record in moves for value in record[name]] for name in ("same", "other"))
    strengths = {by: [record[by] for record in still] for by in BYS}
    source = "unchanged pairs of generated rooms"
    made = {by: ChangeCalibration(tuple(values), tuple(other), by, source) for by, values in strengths.items()}
    content = json.dumps({by: one.as_json() for by, one in made.items()}) + "\n"
    Path(packaged.__file__).with_name(packaged.PACKAGED).write_text(content, encoding="utf-8")
    limit = made["columns"].limit
    rows = [{"by": by, "pairs": count, "largest at .1": float(np.quantile(v, 0.9))} for by, v in strengths.items()]
    record = {"rows": rows, "limit": limit, "same": len(same), "other": len(other)}
    return record | {"same within the limit": bootstrap([value <= limit for value in same] or [False], DRAWS)}


@cache
def _pipeline() -> NoveltyPipeline:
    return NoveltyPipeline.prepare(list(KNOWN), model="tiny", up="z")


def _moved_differences(pair: RoomPair) -> tuple[list[float], list[float]]:
    """Appearance differences between objects found in both scans: of the same object, and of different objects."""
    comparison = compare(pair.before, pair.after, aligned=True)
    results = scored(comparison, _pipeline())
    instances, boxes, vectors, every = list[Any](), list[Any](), list[Any](), list[np.ndarray]()
    for scan, candidates, result in zip((pair.before, pair.after), comparison.candidates, results, strict=True):
        ordered = sorted(result.objects, key=lambda one: one.proposal)
        listed = [one for one in ordered if candidates[one.proposal].whole]
        boxes.append([one.box for one in listed])
        assert scan.instances is not None  # generated rooms have instances
        instances.append([int(np.bincount(scan.instances[one.rows]).argmax()) for one in listed])
        table = np.asarray(getattr(result.result.embeddings, "vectors", ()), dtype=np.float64)
        every.append(table / np.linalg.norm(table, axis=1, keepdims=True))
        vectors.append(every[-1][[one.proposal for one in listed]])
    if not boxes[0] or not boxes[1]:
        return [], []
    usual = usual_distance(np.concatenate(every))
    table = differences(vectors[0], vectors[1], boxes[0], boxes[1], usual)
    same_pairs = {(one.before.instance, one.after.instance) for one in pair.changes if one.before and one.after}
    same, other = list[float](), list[float]()
    for i, a in enumerate(instances[0]):
        for j, b in enumerate(instances[1]):
            (same if (a, b) in same_pairs else other).append(float(table[i, j]))
    return same, other


# unchanged rooms


def measure_unchanged(count: int, out: Path) -> dict[str, Any]:
    """Fraction of unchanged pairs with any reported change.

    One row for each kind of free space and each rule, and rows for the voxel difference.
    """
    calibrations = {by: ChangeCalibration.packaged(by) for by in BYS}

    def unchanged(seed: int, pair: RoomPair) -> dict[str, Any]:
        comparisons = both(pair)
        apparent = {
            by: [round(one.strength, 5) for candidates in comparison.candidates for one in candidates if one.whole]
            for by, comparison in comparisons.items()
        }
        largest = max((area for area, _ in voxel_difference(comparisons["rays"])), default=0.0)
        return {"apparent": apparent, "largest difference": round(largest, 4)}

    records = resumed(out / "changes-unchanged.jsonl", unchanged, lambda done: pairs(UNCHANGED, count, done))
    rows: list[dict[str, Any]] = []
    for by, calibration in calibrations.items():
        values = [[calibration.p_value(strength) for strength in one["apparent"][by]] for one in records]
        for control in CONTROLS:
            any_ = [bool(discoveries(p, RATE, control).any()) for p in values]
            rows.append({"rule": control, "by": by, "pairs": count, "any": bootstrap(any_, DRAWS)})
    for size in BASELINE:
        any_ = [one["largest difference"] >= size for one in records]
        rows.append({"rule": f"voxel difference {size:g}", "by": "", "pairs": count, "any": bootstrap(any_, DRAWS)})
    return {"rows": rows, "rate": RATE, "calibration": calibrations["rays"].n, "things": records}


def voxel_difference(pair: Comparison) -> list[tuple[float, np.ndarray]]:
    """Baseline: connected components of voxels that have points of one scan, and no points of the other scan nearby.

    Returns area in square meters and center of each component.
    """
    parts = []
    for scan, other in zip(pair.scans, pair.spaces[::-1], strict=True):
        points = scan.points[other.distance(scan.points) > other.reach]
        if not len(points):
            continue
        cells = np.floor((points - points.min(axis=0)) / other.size).astype(int)
        grid = np.zeros(cells.max(axis=0) + 1, dtype=bool)
        grid[tuple(cells.T)] = True
        named, count = label(grid, np.ones((3, 3, 3)))
        of = named[tuple(cells.T)]
        areas = np.bincount(named[grid], minlength=count + 1) * other.size**2
        for i in range(1, count + 1):
            part = points[of == i]
            parts.append((float(areas[i]), (part.min(axis=0) + part.max(axis=0)) / 2))
    return parts


# changed rooms


def near(place: np.ndarray, other: np.ndarray, within: float) -> bool:
    return bool(np.linalg.norm(np.asarray(place) - other) <= within)


def measure_changed(count: int, out: Path) -> dict[str, Any]:
    """Planted changes found at the right place with the right kind, and false changes among the reported ones."""
    records = list[dict[str, Any]]()
    for turn in range(count):  # the plans alternate, so that a stopped run has rooms of each plan
        for i, plan in enumerate(PLANS):
            first = CHANGED + 1000 * i + 100 * turn
            path = out / "changes-changed.jsonl"
            records += resumed(path, _changed, lambda done, a=first, b=plan: pairs(a, 1, done, **b))
    return _summary(records)


def measure_house(count: int, out: Path, folder: Path | None) -> dict[str, Any]:
    """As `measure_changed`, in areas of the small house: a model is moved, one is removed, one is added."""
    if folder is None:
        raise InputError("--parts house needs the small house. Expected its folder. Give --real DIR")

    def seeds(done: Collection[int]) -> Iterator[tuple[int, RoomPair | None]]:
        return ((seed, None if seed in done else house_pair(folder, seed)) for seed in range(count))

    return _summary(resumed(out / "changes-house.jsonl", _changed, seeds))


def _changed(seed: int, pair: RoomPair) -> dict[str, Any]:
    found, record = both(pair), dict[str, Any]()
    for by, comparison in found.items():
        scores = scored(comparison, _pipeline())
        result = compared(comparison, *scores, ChangeCalibration.packaged(by), RATE, "maximum")
        things, faults = matched(pair, result)
        record[by] = {"things": things, "faults": faults}
    return record | {"plain": _plain(pair, found["rays"])}


def _summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    rows, reported = list[dict[str, Any]](), list[dict[str, Any]]()
    for by in BYS:
        groups = _groups([one for record in records for one in record[by]["things"]])
        rows += [
            {"by": by, "changes": name, "count": len(some), "right": bootstrap([one["right"] for one in some], DRAWS)}
            for name, some in groups.items()
            if some
        ]
        faults = [one for record in records for one in record[by]["faults"]]
        row: dict[str, Any] = {"by": by, "reported": len(faults), "calibration": ChangeCalibration.packaged(by).n}
        row["false"] = bootstrap([bool(one) for one in faults] or [False], DRAWS)
        row |= {name: bootstrap([one == name for one in faults] or [False], DRAWS) for name in FAULTS}
        reported.append(row)
    plain = [
        {
            "square meters": size,
            "found": bootstrap([x for one in records for x in one["plain"][f"{size:g}"]["found"]] or [False], DRAWS),
            "false": bootstrap([x for one in records for x in one["plain"][f"{size:g}"]["false"]] or [False], DRAWS),
        }
        for size in BASELINE
    ]
    shown = {"rows": rows, "reported": reported, "voxel difference": plain, "things": records}
    return shown | {"pairs": len(records), "rate": RATE}


def _plain(pair: RoomPair, comparison: Comparison) -> dict[str, Any]:
    """Result of the voxel difference for each least area.

    A change has one or two ends: its object before, and its object after. found: for each visible end, True if a
    component is near it. false: for each component, True if no change is near it.
    """
    ends = [(item, place_of(item)) for item in _ends(pair.changes)]
    parts = voxel_difference(comparison)
    made = {}
    for size in BASELINE:
        kept = [middle for area, middle in parts if area >= size]
        hit = [any(near(place, middle, within(item)) for middle in kept) for item, place in ends if _seen(pair, item)]
        false = [not any(near(place, middle, within(item)) for item, place in ends) for middle in kept]
        made[f"{size:g}"] = {"found": hit, "false": false}
    return made


def _groups(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    seen = [one for one in records if one["seen"]]
    groups = {"seen": seen, "all": records}
    for kind in ("added", "removed", "moved", "replaced"):
        groups[kind] = [one for one in seen if one["kind"] == kind]
    for name, low, high in (("large", LARGE, 99), ("middle", MIDDLE, LARGE), ("small", 0, MIDDLE)):
        groups[name] = [one for one in seen if low <= one["side"] < high]
    return groups


def _ends(changes: Sequence[Planted]) -> list[Any]:
    return [item for one in changes for item in (one.before, one.after) if item is not None]


def place_of(item: Any) -> np.ndarray:
    middle: np.ndarray = item.box.mean(axis=0)
    return middle


def within(item: Any) -> float:
    return max(PLACE, 0.5 * float(np.ptp(item.box, axis=0).max()))


def _seen(pair: RoomPair, item: Any) -> bool:
    """True if a scan has at least `SEEN` points of an object."""
    counts = [int((scan.instances == item.instance).sum()) for scan in (pair.before, pair.after)]
    return max(counts) >= SEEN


def matched(pair: RoomPair, result: SceneChanges) -> tuple[list[dict[str, Any]], list[str]]:
    """Outcome of each planted change, and the fault of each reported change.

    Faults: "" for the right kind at the right place; "kind" for a planted change of another kind; "part" for a further
    report at a planted change; "elsewhere" where nothing changed. A change with a fault is false.
    """
    records, used = list[dict[str, Any]](), dict[int, str]()
    for one in pair.changes:
        best = None
        for change in result:
            if change.number in used or not _fits(one, change):
                continue
            if best is None or (best.kind != one.kind and change.kind == one.kind):
                best = change
        item = one.after or one.before
        side = float(np.ptp(item.box, axis=0).max()) if item is not None else 0.0
        if best is not None:
            used[best.number] = "" if best.kind == one.kind else "kind"
        records.append(
            {
                "kind": one.kind,
                "category": item.category if item else "",
                "side": round(side, 2),
                "seen": all(_seen(pair, end) for end in (one.before, one.after) if end is not None),
                "as": best.kind if best is not None else None,
                "right": best is not None and best.kind == one.kind,
            }
        )
    ends = _ends(pair.changes)
    faults = []
    for change in result:
        places = [thing.box.center for thing in (change.before, change.after) if thing is not None]
        at_change = any(near(place_of(item), place, within(item)) for item in ends for place in places)
        faults.append(used.get(change.number, "part" if at_change else "elsewhere"))
    return records, faults


def _fits(planted: Planted, change: Any) -> bool:
    """True if planted and reported change have a common end, and all common ends are at the same place."""
    pairs_ = [(a, b) for a, b in ((planted.before, change.before), (planted.after, change.after)) if a and b]
    return bool(pairs_) and all(near(place_of(a), b.box.center, within(a)) for a, b in pairs_)


# registration


def measure_registration(count: int, out: Path) -> dict[str, Any]:
    """Fraction of right registrations after any rotation and shift, and of refused pairs of different rooms."""
    other = Surface.of(scan := room_pair(TURNED - 1).before, find_objects(scan, runs=1))

    def registered(seed: int, pair: RoomPair) -> dict[str, Any]:
        before, after = (Surface.of(one, find_objects(one, runs=1)) for one in (pair.before, pair.after))
        record: dict[str, Any] = {"right": False, "refused": True}
        try:
            registration = register(before, after)
            off = np.linalg.inv(pair.pose) @ registration.pose
            middle = pair.after.points.mean(axis=0)
            far = float(np.linalg.norm(off[:3, :3] @ middle + off[:3, 3] - middle))
            turn = float(np.degrees(np.arccos(np.clip((np.trace(off[:3, :3]) - 1) / 2, -1, 1))))
            record |= {
                "meters": round(far, 5),
                "degrees": round(turn, 4),
                "right": far <= CLOSE[0] and turn <= CLOSE[1],
            }
            record |= {"residual": round(registration.residual, 5), "overlap": round(registration.overlap, 3)}
        except InputError as error:
            record["why"] = str(error)
        try:
            wrong = register(other, after)
            record |= {"refused": False, "other": f"overlap {wrong.overlap:.2f}, residual {wrong.residual:.3f}"}
        except InputError:
            pass
        return record

    how: dict[str, Any] = {"added": 1, "removed": 1, "any_pose": True}
    path = out / "changes-registration.jsonl"
    records = resumed(path, registered, lambda done: pairs(TURNED, count, done, **how))
    rows = [
        {"question": "found again", "count": count, "fraction": bootstrap([one["right"] for one in records], DRAWS)},
        {"question": "another room refused", "count": count},
    ]
    rows[1]["fraction"] = bootstrap([one["refused"] for one in records], DRAWS)
    accepted = [one for one in records if "meters" in one]
    median = {k: float(np.median([one[k] for one in accepted])) for k in ("meters", "degrees")}
    return {"rows": rows, "things": records, "accepted": len(accepted), "median": median}


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "calibration": lambda args: measure_calibration(args.pairs, args.out),
    "unchanged": lambda args: measure_unchanged(args.pairs, args.out),
    "changed": lambda args: measure_changed(args.rooms, args.out),
    "house": lambda args: measure_house(args.house_pairs, args.out, args.real),
    "registration": lambda args: measure_registration(args.turns, args.out),
}


def run(args: argparse.Namespace) -> None:
    options.check(args, pairs=1, rooms=1, turns=1, house_pairs=1)
    harness.run_parts(args, "changes", PARTS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("changes", "changes between two scans: rooms, the small house, registration", "real")
    usual = ["unchanged", "changed", "registration"]
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=usual, help="default: " + " ".join(usual))
    parser.add_argument("--pairs", type=int, default=80, help="unchanged pairs of scans (default: %(default)s)")
    parser.add_argument("--rooms", type=int, default=8, help="rooms per set of changes (default: %(default)s)")
    parser.add_argument("--house-pairs", type=int, default=9, help="pairs of the small house (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=200, help="pairs of scans to register (default: %(default)s)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
