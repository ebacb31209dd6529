"""Stability of proposals under noise, rounding and rotation of a scan, for one run and for a vote of several runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import options
from benchmarks.scene_data import metrics
from benchmarks.scene_data.judging import counted
from openshape_ood.scenes import Scene, find_objects
from openshape_ood.scenes.proposals.choice import members
from openshape_ood.scenes.proposals.find import RUNS, Proposals
from openshape_ood.synthetic.rooms import Room

STABLE = 0.5  # least stability of the objects that count
IOU = (0.5, 0.75, 0.9)
WAYS = {"one run": 1, f"{RUNS} runs": RUNS}
FIGURES = {"proposals": ".1f", "recall25": ".2f", "recall50": ".2f", "precision25": ".2f"}


def again(scene: Scene, seed: int = 0) -> dict[str, Scene]:
    """A scan with noise, with rounded coordinates, and rotated about z."""
    noise = np.random.RandomState(seed).randn(*scene.points.shape)
    points = {
        "noise of 0.1 mm": scene.points + 1e-4 * noise,
        "noise of 1 mm": scene.points + 1e-3 * noise,
        "rounded to 1 mm": np.round(scene.points, 3),
        "turned by 10°": turned(scene.points, 10),
        "turned by 45°": turned(scene.points, 45),
    }
    return {how: replace(scene, points=changed) for how, changed in points.items()}


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Points (n, 3) rotated about z."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def returned(first: Proposals, other: Proposals) -> np.ndarray:
    """Largest IoU (p,) of each proposal with a proposal of another run on the same points."""
    if not len(first) or not len(other):
        return np.zeros(len(first))
    ones, others = members(first.rows, first.n), members(other.rows, first.n)
    both = (ones @ others.T).toarray()
    either = ones.sum(axis=1)[:, None] + others.sum(axis=1)[None] - both
    best: np.ndarray = (both / either).max(axis=1)
    return best


def measured(rooms: Sequence[Room], runs: int, progress: bool) -> dict[str, Any]:
    """Figures of proposals by `runs` runs, CPU seconds, and fraction of objects that are found again."""
    rows, back, seconds, stable = [], dict[str, list[np.ndarray]](), 0.0, list[np.ndarray]()
    for room in tqdm(rooms, desc=f"{runs} runs", unit="scan", disable=not progress):
        began = time.process_time()
        first = find_objects(room.scene, runs=runs)
        seconds += time.process_time() - began
        assert room.scene.instances is not None and first.stability is not None
        rows.append(metrics.proposal_figures(metrics.overlap_table(first.rows, room.scene.instances, counted(room))))
        stable.append(first.stability >= STABLE)
        for how, scene in again(room.scene).items():
            back.setdefault(how, []).append(returned(first, find_objects(scene, runs=runs)))
    kept = np.concatenate(stable)
    return {key: float(np.nanmean([row[key] for row in rows])) for key in FIGURES} | {
        "stable": float(kept.mean()),
        "seconds": seconds / len(rooms),
        "returned": {
            how: {f"{least:g}": float((np.concatenate(best)[kept] >= least).mean()) for least in IOU}
            for how, best in back.items()
        },
    }


def compared(sets: Mapping[str, Sequence[Room]], progress: bool) -> dict[str, dict[str, Any]]:
    """Figures of every set of rooms by one run and by a vote of several runs."""
    return {
        title: {way: measured(rooms, runs, progress) for way, runs in WAYS.items()} for title, rooms in sets.items()
    }


def tables(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    blocks = []
    for title, ways in figures.items():
        single = next(iter(ways.values()))["seconds"]
        lines = [
            (way, *(f"{row[key]:{form}}" for key, form in FIGURES.items()), *_cost(row, single))
            for way, row in ways.items()
        ]
        blocks.append(options.grid((title, "proposals", "R25", "R50", "P25", "stable", "s", "times"), lines))
        lines = [
            (how, *(f"{100 * share:.0f}" for row in ways.values() for share in row["returned"][how].values()))
            for how in next(iter(ways.values()))["returned"]
        ]
        head = [f"{way}, IoU {least:g}" for way in ways for least in IOU]
        blocks.append(options.grid((f"{title}: % found again", *head), lines))
    return blocks


def _cost(row: Mapping[str, Any], single: float) -> tuple[str, str, str]:
    return f"{row['stable']:.2f}", f"{row['seconds']:.1f}", f"{row['seconds'] / max(single, 1e-9):.1f}"
