"""compare_scenes: two scans of one place and known classes in; what moved, is gone, or is new out."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_choice, check_positive
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.protocols import Encoder, NamesEncoder, check_encoders
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.scene_changes.calibration import CONTROLS, ChangeCalibration, discoveries
from openshape_ood.scene_changes.candidates import Candidate, candidates
from openshape_ood.scene_changes.matching import WIDER, differences, moved, overlap, replaced, usual_distance
from openshape_ood.scene_changes.registration import Registration, Surface, check_rotation, measured, register
from openshape_ood.scene_changes.result import CANNOT_TELL, UNCHANGED, ObjectChange, SceneChanges
from openshape_ood.scene_changes.space import VOXEL, Space, seen_space
from openshape_ood.scenes import Scene, SceneResult, find_objects, score_scene
from openshape_ood.scenes.boxes import Box
from openshape_ood.scenes.objects import scan_pipeline
from openshape_ood.scenes.proposals import Proposals
from openshape_ood.scenes.scene import as_scene
from openshape_ood.scenes.validation import ScanWarning
from openshape_ood.views import View
from openshape_ood.views.geometry import checked_matrix
from openshape_ood.views.geometry import moved as placed

STAYED = 0.5  # of the seen part of an object has points in the other scan
SEEN = 0.4  # of an object: with less it is undecided
INSIDE = 0.7  # of the points of an object in the box of one that has changed: it stands in its place
LISTED = 0.5  # p-value beyond which an apparent change is not listed as undecided
LARGER, EXTENT = 20.0, 200.0  # ratio of extents from which the units differ; largest extent in meters
SCALED = 3.0  # ratio of extents that an error of the alignment names

Given = Any  # Scene, points or a sequence of Views


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two scans in one frame, their spaces and candidates, before any name or p-value."""

    scans: tuple[Scene, Scene]
    found: tuple[Proposals, Proposals]
    surfaces: tuple[Surface, Surface]
    registration: Registration
    spaces: tuple[Space, ...] = ()
    candidates: tuple[list[Candidate], ...] = ()

    @property
    def strength(self) -> float:
        """Of the strongest apparent change; 0 without any."""
        return max((one.strength for own in self.candidates for one in own if one.whole), default=0.0)


def compare_scenes(
    before: Scene | Sequence[View],
    after: Scene | Sequence[View],
    known: Sequence[str] | Mapping[str, Any] | KnownClasses | NoveltyPipeline,
    *,
    encoder: Encoder | None = None,
    text: NamesEncoder | None = None,
    model: str | None = None,
    method: Any = None,
    threshold: Threshold | None = None,
    aligned: bool = False,
    pose: Any = None,
    cameras: tuple[Any, Any] | None = None,
    fdr: float = 0.1,
    control: str = "maximum",
    calibration: ChangeCalibration | None = None,
    voxel: float = VOXEL,
    runs: int = 1,
    known_up: str | None = None,
    device: Any = None,
    seed: int = 0,
    num_samples: int = 1,
    batch_size: int = 32,
) -> SceneChanges:
    """Changes between two scans of one place: objects moved, removed, added or replaced, each with a p-value.

    The second scan is brought into the frame of the first. Space that a scan has seen empty is told from space it has
    not seen: an object is removed only if its place was seen empty afterwards, and added only if its place was seen
    empty before; else it cannot be decided. A change needs points whose place was seen empty in the other scan, not
    only a proposal without a counterpart.

    Parameters
    ----------
    before, after : Scene, points as it takes them, or sequence of View
        Meters, z up. Views bring their camera poses.
    known, encoder, text, model, method, threshold, known_up, device, seed, num_samples, batch_size
        As in `score_scene`.
    aligned : bool
        True for scans in one frame, which may be up to 0.5 m and 10° off. Default: any turn about z and any shift.
    pose : (4, 4), optional
        Frame of `after` to frame of `before`, taken as it is.
    cameras : pair of (v, 3), optional
        Camera positions of each scan in its frame, meters. Free space is then found by rays from them; default: by
        columns over floor and table tops that were seen.
    fdr : float
        Expected fraction of false changes among those reported. Default: 0.1.
    control : {"maximum", "by"}
        How p-values of all changes are put together, see `discoveries`.
    calibration : ChangeCalibration, optional
        Of re-scans of an unchanged place, see `calibrate_changes`. Default: of generated rooms.
    voxel : float
        Meters, of the voxels of space. Default: 0.05.
    runs : int
        As in `find_objects`. Default: 1, for changes are found by points, and proposals only part them.

    Returns
    -------
    SceneChanges
        In the frame of `before`.

    Raises
    ------
    InputError
        For scans that do not fit each other, that fit in several ways, without a floor, of another unit, and for values
        that cannot be used.

    Examples
    --------
    >>> from openshape_ood.synthetic.rooms.rescans import room_pair
    >>> pair = room_pair(2, removed=1, objects=8)
    >>> found = compare_scenes(pair.before, pair.after, ["chair", "table"], model="tiny", aligned=True)
    >>> [one.kind for one in found]
    ['removed']
    """
    if not 0 < check_positive(fdr, "fdr") < 1:
        raise InputError(f"fdr is {fdr!r}. Expected a number between 0 and 1. Give 0.1 or so")
    check_choice(control, "control", CONTROLS)
    if threshold is not None:
        check_threshold(threshold)
    check_encoders(encoder, text)
    pair = compare(before, after, aligned=aligned, pose=pose, cameras=cameras, voxel=voxel, runs=runs)
    if calibration is None:
        calibration = ChangeCalibration.packaged(pair.spaces[0].by)
    elif calibration.by != pair.spaces[0].by:
        raise InputError(
            f"the calibration is of {calibration.by}, and free space was found by {pair.spaces[0].by}. Expected the "
            "same. Calibrate with cameras if they are given, and without if not"
        )
    how: dict[str, Any] = {"encoder": encoder, "text": text, "model": model, "method": method, "device": device}
    how |= {"seed": seed, "num_samples": num_samples, "batch_size": batch_size, "threshold": threshold}
    pipeline = scan_pipeline(known, known_up, how)
    first, second = scored(pair, pipeline)
    return compared(pair, first, second, calibration, fdr, control)


def calibrate_changes(
    pairs: Sequence[tuple[Given, Given]],
    *,
    cameras: Sequence[tuple[Any, Any]] | None = None,
    aligned: bool = False,
    voxel: float = VOXEL,
    runs: int = 1,
) -> ChangeCalibration:
    """The calibration of p-values by re-scans of your own, between which nothing changed.

    Parameters
    ----------
    pairs : sequence of pairs of Scene
        19 or more for a p-value of 0.05, 9 for 0.1. Scan as later: camera, paths, density.
    cameras : sequence of pairs of (v, 3), optional
        Camera positions of each pair.
    aligned, voxel, runs
        As in `compare_scenes`.

    Returns
    -------
    ChangeCalibration
        Its limit for moved objects is that of generated rooms.

    Raises
    ------
    InputError
        For no pairs, and as `compare_scenes` does.
    """
    if not len(pairs):
        raise InputError("there are no pairs of scans. Expected one at least, better 19. Scan an unchanged place twice")
    of = list(cameras) if cameras is not None else [None] * len(pairs)
    if len(of) != len(pairs):
        raise InputError(f"there are {len(of)} pairs of cameras and {len(pairs)} of scans. Expected one for each")
    strengths = []
    for (before, after), own in zip(pairs, of, strict=True):
        strengths.append(compare(before, after, aligned=aligned, cameras=own, voxel=voxel, runs=runs).strength)
    by = "columns" if cameras is None and not _is_views(pairs[0][0]) else "rays"
    packaged = ChangeCalibration.packaged("columns")
    return ChangeCalibration(tuple(strengths), packaged.differences, by, f"{len(pairs)} pairs of scans")


def compare(
    before: Given,
    after: Given,
    *,
    aligned: bool = False,
    pose: Any = None,
    cameras: tuple[Any, Any] | None = None,
    voxel: float = VOXEL,
    runs: int = 1,
) -> Comparison:
    """The part of `compare_scenes` that needs no encoder."""
    if not 0.01 <= check_positive(voxel, "voxel") <= 0.5:
        raise InputError(f"voxel is {voxel!r}. Expected meters from 0.01 to 0.5. Give 0.05 or so")
    given = _given(before, "before"), _given(after, "after")
    _check_units(given[0][0], given[1][0])
    _warn_of_same(given[0][0], given[1][0])
    if cameras is not None:
        given = tuple(  # type: ignore[assignment]
            (scan, _positions(own, scan.name), None) for (scan, _, _), own in zip(given, cameras, strict=True)
        )
    if (given[0][1] is None) != (given[1][1] is None):
        raise InputError("one of the scans has cameras. Expected both or neither. Give views or cameras for both")
    found = tuple(find_objects(scan, runs=runs) for scan, _, _ in given)
    surfaces = tuple(Surface.of(scan, own) for (scan, _, _), own in zip(given, found, strict=True))
    registration = _registered(surfaces, aligned, pose)
    scans = given[0][0], replace(given[1][0], points=placed(given[1][0].points, registration.pose))
    pair = Comparison(scans, (found[0], found[1]), (surfaces[0], surfaces[1].moved(registration.pose)), registration)
    first, second = given[0][1], given[1][1]
    eyes = None if first is None or second is None else (first, placed(second, registration.pose))
    return judged(pair, eyes, (given[0][2], given[1][2]), voxel)


def judged(pair: Comparison, cameras: Any = None, of: Any = (None, None), voxel: float = VOXEL) -> Comparison:
    """With spaces and candidates. cameras: positions (v, 3) of each scan in the frame of the first; of: the camera (n,)
    of each point."""
    scans = pair.scans
    ends = [(scan.points.min(axis=0), scan.points.max(axis=0)) for scan in scans]
    bounds = np.stack([np.minimum(ends[0][0], ends[1][0]), np.maximum(ends[0][1], ends[1][1])])
    reach = voxel + max(scan.spacing() for scan in scans) + 2 * pair.registration.residual
    first, second = (
        seen_space(scans[i], pair.found[i], pair.surfaces[i], bounds, cameras and cameras[i], of[i], voxel, reach)
        for i in (0, 1)
    )
    sides = [candidates(scan, own, other) for scan, own, other in zip(scans, pair.found, (second, first), strict=True)]
    gone = [_changed_points(scan, own) for scan, own in zip(scans, sides, strict=True)]
    for i, other in enumerate((second, first)):
        if gone[1 - i].any():
            sides[i] = candidates(scans[i], pair.found[i], other, gone[1 - i])
    return replace(pair, spaces=(first, second), candidates=tuple(sides))


def _changed_points(scan: Scene, found: Sequence[Candidate]) -> np.ndarray:
    """True (n,) for points of objects that changed."""
    changed = np.zeros(len(scan), dtype=bool)
    for one in found:
        if one.whole:
            changed[one.rows] = True
    return changed


def scored(pair: Comparison, pipeline: NoveltyPipeline) -> tuple[SceneResult, SceneResult]:
    """Name, novelty and verdict of every candidate; row i of `.result` is candidate i."""
    results = []
    for scan, found, own in zip(pair.scans, pair.found, pair.candidates, strict=True):
        rows = tuple(one.rows for one in own)
        steady = [1.0 if one.proposal < 0 or found.stability is None else found.stability[one.proposal] for one in own]
        proposals = replace(
            found, rows=rows, score=np.array([one.strength for one in own]), stability=np.array(steady), found=len(rows)
        )
        results.append(score_scene(scan, pipeline, proposals=proposals))
    return results[0], results[1]


def _given(given: Given, what: str) -> tuple[Scene, np.ndarray | None, np.ndarray | None]:
    """A scan, the camera positions, and the camera of each point."""
    if not _is_views(given):
        return replace(as_scene(given), name=getattr(given, "name", what)), None, None
    scenes = [view.scene() for view in given]
    color = None if any(one.color is None for one in scenes) else np.concatenate([one.color for one in scenes])
    scan = Scene(np.concatenate([one.points for one in scenes]), color, name=what)
    of = np.repeat(np.arange(len(scenes)), [len(one) for one in scenes])
    return scan, np.stack([view.pose[:3, 3] for view in given]), of


def _is_views(given: Any) -> bool:
    return isinstance(given, Sequence) and bool(given) and all(isinstance(one, View) for one in given)


def _positions(given: Any, name: str) -> np.ndarray:
    found = array(given, f"cameras of {name}", "vx").astype(np.float64)
    if found.shape[1:] != (3,):
        raise InputError(f"cameras of {name} have shape {found.shape}. Expected positions (v, 3) in meters")
    return found


def _check_units(before: Scene, after: Scene) -> None:
    sides = [float(np.ptp(scan.points, axis=0).max()) for scan in (before, after)]
    for scan, side, other in ((before, sides[0], sides[1]), (after, sides[1], sides[0])):
        if side > EXTENT or side > LARGER * other:
            raise InputError(
                f"{scan.name} is {side:,.0f} m across, the other scan {other:,.1f} m. Expected two scans of one place "
                "in meters. If these are millimeters, divide them by 1000 (on the command line: --unit mm)"
            )


def _warn_of_same(before: Scene, after: Scene) -> None:
    if before.points.shape == after.points.shape and np.array_equal(before.points, after.points):
        warnings.warn(
            f"{before.name} and {after.name} have the same points, so nothing can have changed. Expected two scans "
            "from different times. Check the files",
            ScanWarning,
            stacklevel=4,
        )


def _registered(surfaces: Sequence[Surface], aligned: bool, pose: Any) -> Registration:
    """The second scan in the frame of the first. An error names the ratio of extents if it explains the misfit."""
    try:
        if pose is not None:
            given = check_rotation(checked_matrix(pose, "pose", (4, 4)))
            return measured(surfaces[0], surfaces[1], given)
        return register(surfaces[0], surfaces[1], np.eye(4) if aligned else None)
    except InputError as error:
        extents = [float(np.ptp(one.places, axis=0).max()) for one in surfaces]
        ratio = max(extents) / max(min(extents), 1e-9)
        if ratio < SCALED:
            raise
        larger, smaller = surfaces if extents[0] > extents[1] else surfaces[::-1]
        raise InputError(
            f"{larger.name} is about {ratio:.0f} times as large as {smaller.name}, and they do not fit. Expected two "
            "scans of one place in meters. Check the units; on the command line, give --unit"
        ) from error


def compared(
    pair: Comparison,
    first: SceneResult,
    second: SceneResult,
    calibration: ChangeCalibration,
    fdr: float,
    control: str,
) -> SceneChanges:
    """What became of every object, from the candidates of both scans and what the pipeline says of them."""
    sides = [_Side(own, result) for own, result in zip(pair.candidates, (first, second), strict=True)]
    gone, new = sides[0].changed, sides[1].changed
    table = np.empty((0, 0))
    if gone and new:
        every = np.concatenate([side.vectors(range(len(side.found))) for side in sides])
        boxes, later = sides[0].boxes(gone), sides[1].boxes(new)
        table = differences(sides[0].vectors(gone), sides[1].vectors(new), boxes, later, usual_distance(every))
    pairs = [("moved", gone[i], new[j]) for i, j in moved(table, calibration.limit)]
    left = [i for i in gone if i not in {a for _, a, _ in pairs}], [j for j in new if j not in {b for _, _, b in pairs}]
    together = replaced(sides[0].boxes(left[0]), sides[1].boxes(left[1]))
    pairs += [("replaced", left[0][i], left[1][j]) for i, j in together]
    pairs += _hidden(sides, ({a for _, a, _ in pairs}, {b for _, _, b in pairs}), calibration.limit)
    taken = {a for _, a, _ in pairs}, {b for _, _, b in pairs}
    entries: list[tuple[str, int | None, int | None]] = list(pairs)
    entries += [("removed", i, None) for i in gone if i not in taken[0]]
    entries += [("added", None, j) for j in new if j not in taken[1]]
    made = [_change(kind, a, b, sides, calibration) for kind, a, b in entries]
    made = [one for one in made if one.p_value <= LISTED]
    reported = discoveries([one.p_value for one in made], fdr, control)
    objects = [
        one if good else replace(one, kind=CANNOT_TELL, guess=one.kind, reason=_too_weak(one, fdr, control))
        for one, good in zip(made, reported, strict=True)
    ]
    objects += _others(sides, taken)
    objects.sort(key=lambda one: (not one.reported, one.kind == UNCHANGED, one.p_value, -one.strength))
    numbered = tuple(replace(one, number=i) for i, one in enumerate(objects, 1))
    return SceneChanges(first, second, numbered, pair.registration, pair.spaces, calibration, fdr, control)


def _hidden(sides: Sequence[_Side], taken: Sequence[set[int]], limit: float) -> list[tuple[str, int, int]]:
    """Changed objects, and objects of the other scan that stand inside their boxes.

    The place of the second object was hidden by the first, so that it was not seen empty; but the first filled it. The
    second is the same object, moved a little, or replaces it. `taken`: of each scan, in pairs already; it grows.
    """
    pairs = list[tuple[str, int, int]]()
    for late, (side, other) in enumerate((sides, sides[::-1])):
        rest = [
            j
            for j, one in enumerate(other.found)
            if not one.whole and one.proposal >= 0 and one.occupied < STAYED and j not in taken[1 - late]
        ]
        for i in (i for i in side.changed if i not in taken[late]):
            inside = [j for j in rest if _inside(other, j, side.objects[i].box) >= INSIDE]
            if not inside:
                continue
            j = max(inside, key=lambda j: len(other.found[j].rows))
            rest.remove(j)
            taken[late].add(i)
            taken[1 - late].add(j)
            vectors, boxes = (side.vectors([i]), other.vectors([j])), (side.boxes([i]), other.boxes([j]))
            usual = usual_distance(np.concatenate([own.vectors(range(len(own.found))) for own in sides]))
            same = float(differences(*vectors, *boxes, usual)[0, 0]) <= limit
            pairs.append(("moved" if same else "replaced", *((j, i) if late else (i, j))))
    return pairs


def _inside(side: _Side, j: int, box: Box) -> float:
    """Fraction of an object's points in a box."""
    points = side.result.scene.points[side.found[j].rows]
    corners = box.corners()
    return float(((points >= corners.min(axis=0) - WIDER) & (points <= corners.max(axis=0) + WIDER)).all(axis=1).mean())


class _Side:
    """Candidates of a scan with what the pipeline says of each."""

    def __init__(self, found: list[Candidate], result: SceneResult) -> None:
        self.found = found
        self.result = result
        self.objects = sorted(result.objects, key=lambda one: one.proposal)
        self.changed = [i for i, one in enumerate(found) if one.whole]

    def boxes(self, rows: Sequence[int]) -> list[Any]:
        return [self.objects[i].box for i in rows]

    def vectors(self, rows: Sequence[int]) -> np.ndarray:
        vectors = np.asarray(getattr(self.result.result.embeddings, "vectors", ()), dtype=np.float64)[list(rows)]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _change(
    kind: str, a: int | None, b: int | None, sides: Sequence[_Side], calibration: ChangeCalibration
) -> ObjectChange:
    """A moved or replaced object is as strong as the better seen of its two places."""
    own = [None if i is None else side.found[i] for i, side in zip((a, b), sides, strict=True)]
    strength = max(one.strength for one in own if one is not None)
    objects = [None if i is None else side.objects[i] for i, side in zip((a, b), sides, strict=True)]
    reason = {
        "removed": "its place was seen empty afterwards",
        "added": "its place was seen empty before",
        "moved": "the same shape and size is at another place",
        "replaced": "another object is in its place",
    }[kind]
    ends = [one for one in own if one is not None]
    return ObjectChange(
        0,
        kind,
        objects[0],
        objects[1],
        strength,
        calibration.p_value(strength),
        free=float(np.mean([one.free for one in ends])),
        occupied=float(np.mean([one.occupied for one in ends])),
        unseen=float(np.mean([one.unseen for one in ends])),
        reason=reason,
    )


def _too_weak(one: ObjectChange, fdr: float, control: str) -> str:
    rule = "" if control == "maximum" else " by Benjamini and Yekutieli"
    why = f"p = {one.p_value:.2g} does not reach {fdr:g}{rule}"
    return f"maybe {one.kind}, but {why}: re-scans of unchanged places differ as much"


def _others(sides: Sequence[_Side], taken: Sequence[Collection[int]]) -> list[ObjectChange]:
    """Objects that are unchanged or undecided."""
    made = list[ObjectChange]()
    rest = [
        [i for i, one in enumerate(side.found) if not one.whole and i not in own]
        for side, own in zip(sides, taken, strict=True)
    ]
    partners = _partners(sides, rest)
    for late, (side, rows) in enumerate(zip(sides, rest, strict=True)):
        for i in rows:
            one, thing = side.found[i], side.objects[i]
            when = "before" if late else "afterwards"
            seen = one.free + one.occupied
            kind, reason = CANNOT_TELL, f"{one.free:.0%} of its place was seen empty {when}, {one.occupied:.0%} taken"
            if seen < SEEN:
                reason = f"{1 - seen:.0%} of its place was not seen {when}"
            elif one.occupied >= STAYED * seen:
                kind, reason = UNCHANGED, f"{one.occupied:.0%} of it has points at its place {when}"
            partner = partners.get((late, i))
            if kind == UNCHANGED and late:
                continue  # it stands among the objects of the first scan, maybe split or merged
            other = None if late or partner is None else sides[1].objects[partner]
            before, after = (None, thing) if late else (thing, other)
            shares = one.free, one.occupied, one.unseen
            made.append(ObjectChange(0, kind, before, after, one.strength, 1.0, *shares, reason))
    return made


def _partners(sides: Sequence[_Side], rest: Sequence[Sequence[int]]) -> dict[tuple[int, int], int]:
    """(0, i) -> j and (1, j) -> i for objects of both scans whose boxes overlap most, one to one."""
    found = sorted(
        ((overlap(sides[0].objects[i].box, sides[1].objects[j].box), i, j) for i in rest[0] for j in rest[1]),
        key=lambda entry: -entry[0],
    )
    partners: dict[tuple[int, int], int] = {}
    for share, i, j in found:
        if share >= 0.5 and (0, i) not in partners and (1, j) not in partners:
            partners[0, i], partners[1, j] = j, i
    return partners
