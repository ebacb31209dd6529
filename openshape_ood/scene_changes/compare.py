"""compare_scenes: changed objects between two scans of one place."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_choice, check_positive
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.protocols import Encoder, NamesEncoder, check_encoders
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.scene_changes.calibration import CONTROLS, ChangeCalibration
from openshape_ood.scene_changes.candidates import Candidate, candidates
from openshape_ood.scene_changes.outcomes import Comparison, compared
from openshape_ood.scene_changes.registration import Registration, Surface, check_rotation, measured, register
from openshape_ood.scene_changes.result import SceneChanges
from openshape_ood.scene_changes.space import VOXEL, seen_space
from openshape_ood.scenes import Scene, SceneResult, find_objects, score_scene
from openshape_ood.scenes.objects import scan_pipeline
from openshape_ood.scenes.scene import as_scene
from openshape_ood.scenes.validation import ScanWarning
from openshape_ood.views import View
from openshape_ood.views.geometry import checked_matrix
from openshape_ood.views.geometry import moved as placed

LARGER, EXTENT = 20.0, 200.0  # maximum ratio of the extents of two scans; maximum extent in meters
SCALED = 3.0  # if the alignment fails, the error message states a ratio of extents that is at least this large

Given = Any  # Scene, points or a sequence of Views


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

    The second scan is aligned to the first. Empty space and unseen space differ: an object counts as removed only if
    its place was seen empty afterwards, and as added only if its place was seen empty before. An object whose place was
    not seen is undecided. Evidence of a change: points at places that the other scan saw empty. A proposal without a
    counterpart is no evidence.

    Parameters
    ----------
    before, after : Scene, points (n, 3|6), or sequence of View
        Meters, z up. Views include their camera poses.
    known, encoder, text, model, method, threshold, known_up, device, seed, num_samples, batch_size
        As in `score_scene`.
    aligned : bool
        True if the scans share a frame, up to errors of 0.5 m and 10°. Default: the scans may differ by any turn about
        z and any shift.
    pose : (4, 4), optional
        From the frame of `after` to the frame of `before`. The pose is not refined.
    cameras : pair of (v, 3), optional
        Camera positions of each scan in its frame, in meters. Space along their rays to the points is free. Default:
        space above visible floor and table tops is free.
    fdr : float
        Maximum false discovery rate: expected fraction of false changes among the reported changes. Default: 0.1.
    control : {"maximum", "by"}
        Correction for several changes, see `discoveries`.
    calibration : ChangeCalibration, optional
        Re-scans of unchanged places, see `calibrate_changes`. Default: generated rooms.
    voxel : float
        Voxel side in meters. Default: 0.05.
    runs : int
        As in `find_objects`. Default: 1, because changes depend on points, and proposals only group them.

    Returns
    -------
    SceneChanges
        In the frame of `before`.

    Raises
    ------
    InputError
        For scans that do not fit together, fit in several ways, have no floor, or differ in unit. For invalid values.

    Warns
    -----
    ScanWarning
        If both scans have the same points.

    Examples
    --------
    >>> from openshape_ood.synthetic.rooms.rescans import room_pair
    >>> pair = room_pair(2, removed=1, objects=5)
    >>> found = compare_scenes(pair.before, pair.after, ["chair", "table"], model="tiny", aligned=True)
    >>> [one.kind for one in found]
    ['removed']
    """
    if not 0 < check_positive(fdr, "fdr") < 1:
        raise InputError(f"fdr is {fdr!r}. Expected a number between 0 and 1. Give 0.1 or so.")
    check_choice(control, "control", CONTROLS)
    if threshold is not None:
        check_threshold(threshold)
    check_encoders(encoder, text)
    pair = compare(before, after, aligned=aligned, pose=pose, cameras=cameras, voxel=voxel, runs=runs)
    if calibration is None:
        calibration = ChangeCalibration.packaged(pair.spaces[0].by)
    elif calibration.by != pair.spaces[0].by:
        raise InputError(
            f"the calibration has free space by {calibration.by}, but the scans by {pair.spaces[0].by}. Expected the "
            "same method. Give cameras for both or for neither."
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
    """Calibrate p-values by your own re-scans of unchanged places.

    Parameters
    ----------
    pairs : sequence of pairs of Scene
        Two scans of each unchanged place. p = 0.05 needs 19 pairs, p = 0.1 needs 9. Use the same camera, paths and
        density as for later scans.
    cameras : sequence of pairs of (v, 3), optional
        Camera positions of each pair.
    aligned, voxel, runs
        As in `compare_scenes`.

    Returns
    -------
    ChangeCalibration
        Its `differences`, the basis of the limit for moved objects, come from generated rooms.

    Raises
    ------
    InputError
        Without pairs, and for scans that `compare_scenes` refuses.
    """
    if not len(pairs):
        raise InputError(
            "there are no pairs of scans. Expected at least one, and 19 for p = 0.05. Scan an unchanged place twice."
        )
    positions = list(cameras) if cameras is not None else [None] * len(pairs)
    if len(positions) != len(pairs):
        raise InputError(
            f"there are {len(positions)} pairs of cameras and {len(pairs)} pairs of scans. Expected equal numbers. "
            "Give one pair of cameras for each pair of scans."
        )
    strengths = []
    for (before, after), eyes in zip(pairs, positions, strict=True):
        strengths.append(compare(before, after, aligned=aligned, cameras=eyes, voxel=voxel, runs=runs).strength)
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
    """Registration, spaces and candidates of two scans: the part of `compare_scenes` that needs no encoder."""
    if not 0.01 <= check_positive(voxel, "voxel") <= 0.5:
        raise InputError(f"voxel is {voxel!r}. Expected meters from 0.01 to 0.5. Give 0.05 or so.")
    given = _given(before, "before"), _given(after, "after")
    _check_units(given[0][0], given[1][0])
    _warn_of_same(given[0][0], given[1][0])
    if cameras is not None:
        given = tuple(  # type: ignore[assignment]
            (scan, _positions(eyes, scan.name), None) for (scan, _, _), eyes in zip(given, cameras, strict=True)
        )
    if (given[0][1] is None) != (given[1][1] is None):
        raise InputError("one of the scans has cameras. Expected both or neither. Give views or cameras for both.")
    proposals = find_objects(given[0][0], runs=runs), find_objects(given[1][0], runs=runs)
    surfaces = Surface.of(given[0][0], proposals[0]), Surface.of(given[1][0], proposals[1])
    registration = _registered(surfaces, aligned, pose)
    scans = given[0][0], replace(given[1][0], points=placed(given[1][0].points, registration.pose))
    pair = Comparison(scans, proposals, (surfaces[0], surfaces[1].moved(registration.pose)), registration)
    first, second = given[0][1], given[1][1]
    eyes = None if first is None or second is None else (first, placed(second, registration.pose))
    return judged(pair, eyes, (given[0][2], given[1][2]), voxel)


def judged(pair: Comparison, cameras: Any = None, of: Any = (None, None), voxel: float = VOXEL) -> Comparison:
    """Add spaces and candidates to a pair.

    cameras: positions (v, 3) for each scan, in the frame of the first; of: for each scan, camera index (n,) of each
    point.
    """
    scans = pair.scans
    ends = [(scan.points.min(axis=0), scan.points.max(axis=0)) for scan in scans]
    bounds = np.stack([np.minimum(ends[0][0], ends[1][0]), np.maximum(ends[0][1], ends[1][1])])
    reach = voxel + max(scan.spacing() for scan in scans) + 2 * pair.registration.residual
    first, second = (
        seen_space(scans[i], pair.found[i], pair.surfaces[i], bounds, cameras and cameras[i], of[i], voxel, reach)
        for i in (0, 1)
    )
    sides = [candidates(scans[i], pair.found[i], other) for i, other in enumerate((second, first))]
    gone = [_changed_points(scan, listed) for scan, listed in zip(scans, sides, strict=True)]
    for i, other in enumerate((second, first)):
        if gone[1 - i].any():
            sides[i] = candidates(scans[i], pair.found[i], other, gone[1 - i])
    return replace(pair, spaces=(first, second), candidates=tuple(sides))


def _changed_points(scan: Scene, candidates: Sequence[Candidate]) -> np.ndarray:
    """Mask (n,) of the points of changed objects."""
    changed = np.zeros(len(scan), dtype=bool)
    for one in candidates:
        if one.whole:
            changed[one.rows] = True
    return changed


def scored(pair: Comparison, pipeline: NoveltyPipeline) -> tuple[SceneResult, SceneResult]:
    """Scored candidates of both scans; row i of `.result` is candidate i."""
    results = []
    for scan, proposals, listed in zip(pair.scans, pair.found, pair.candidates, strict=True):
        rows = tuple(one.rows for one in listed)
        stable = [
            1.0 if one.proposal < 0 or proposals.stability is None else proposals.stability[one.proposal]
            for one in listed
        ]
        strength = np.array([one.strength for one in listed])
        changed = replace(proposals, rows=rows, score=strength, stability=np.array(stable), found=len(rows))
        results.append(score_scene(scan, pipeline, proposals=changed))
    return results[0], results[1]


def _given(given: Given, what: str) -> tuple[Scene, np.ndarray | None, np.ndarray | None]:
    """Scan, camera positions (v, 3), and camera index (n,) of each point; None if unknown."""
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
    positions = array(given, f"cameras of {name}", "vx").astype(np.float64)
    if positions.shape[1:] != (3,):
        raise InputError(
            f"cameras of {name} have shape {positions.shape}. Expected positions (v, 3) in meters. Give one row per "
            "camera."
        )
    return positions


def _check_units(before: Scene, after: Scene) -> None:
    sides = [float(np.ptp(scan.points, axis=0).max()) for scan in (before, after)]
    for scan, side, other in ((before, sides[0], sides[1]), (after, sides[1], sides[0])):
        if side > EXTENT or side > LARGER * other:
            raise InputError(
                f"{scan.name} is {side:,.0f} m across, the other scan {other:,.1f} m. Expected two scans of one place "
                "in meters. If these are millimeters, divide them by 1000 (on the command line: --unit mm)."
            )


def _warn_of_same(before: Scene, after: Scene) -> None:
    if before.points.shape == after.points.shape and np.array_equal(before.points, after.points):
        warnings.warn(
            f"{before.name} and {after.name} have the same points, so nothing can have changed. Expected two scans "
            "from different times. Check the files.",
            ScanWarning,
            stacklevel=4,
        )


def _registered(surfaces: Sequence[Surface], aligned: bool, pose: Any) -> Registration:
    """Registration of the second scan to the first. If it fails and the extents differ much, the error says so."""
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
            "scans of one place in meters. Check the units; on the command line, give --unit."
        ) from error
