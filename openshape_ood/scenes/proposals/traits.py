"""Traits of candidates, and a small network that predicts whether a candidate is a whole object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from openshape_ood.scenes.proposals.candidates import Candidate, Parsed
from openshape_ood.scenes.proposals.choice import members

FREE, FLOOR, WALL = range(3)
VOXELS_AT_ONCE = 1 << 20  # voxels per block for counting contacts
TRAITS = (
    *("area", "longer", "shorter", "height", "bottom", "top", "bond", "outer", "growth"),
    *("touches_free", "touches_floor", "touches_wall", "fill", "flatness", "slimness", "open", "thickness", "level"),
)


def traits(candidates: Sequence[Candidate], parsed: Parsed) -> np.ndarray:
    """Traits (c, 18) of c candidates, in the order of `TRAITS`; sizes as logarithms."""
    touches, inside = _contacts(candidates, parsed)
    return np.array([_own(one, parsed, touches[i], inside[i]) for i, one in enumerate(candidates)]).reshape(
        -1, len(TRAITS)
    )


def _contacts(candidates: Sequence[Candidate], parsed: Parsed) -> tuple[np.ndarray, np.ndarray]:
    """Edge counts of c candidates.

    (c, 3): edges to other voxels on no plane, to floor, to walls and ceiling. (c,): edges inside the candidate.
    """
    kinds = [FLOOR if plane.kind == "floor" else WALL for plane in parsed.planes]
    kind = np.where(parsed.owner < 0, FREE, np.array([*kinds, FREE])[parsed.owner])
    edges, count = parsed.edges, len(parsed.piece)
    links = np.ones(len(edges.first), dtype=np.int64)
    adjacency = csr_array((links, (edges.first, edges.second)), shape=(count, count))
    near, inside = np.zeros((len(candidates), 3), dtype=np.int64), np.zeros(len(candidates), dtype=np.int64)
    ends = np.cumsum([len(one.rows) for one in candidates], dtype=np.int64) // VOXELS_AT_ONCE
    for some in np.split(np.arange(len(candidates)), np.flatnonzero(np.diff(ends)) + 1):
        table = members([candidates[i].rows for i in some], count)
        ahead, back = table @ adjacency, table @ adjacency.T
        inside[some] = np.asarray(ahead.multiply(table).sum(axis=1)).reshape(-1)
        near[some] = (ahead + back) @ np.eye(3, dtype=np.int64)[kind]
    near[:, FREE] -= 2 * inside
    return near, inside


def _own(one: Candidate, parsed: Parsed, touches: np.ndarray, inside: int) -> list[float]:
    rows = np.sort(one.rows)  # the last digits of sums depend on the order
    places, spacing, count = parsed.grid.places[rows], parsed.grid.spacing, len(rows)
    floors = [plane.offset for plane in parsed.planes if plane.kind == "floor"]
    ground = floors[0] if floors else parsed.grid.places[:, 2].min()
    spread = places - places.mean(axis=0)
    level = spread[:, :2]
    across = np.sort(np.ptp(level @ np.linalg.eigh(level.T @ level)[1], axis=0))
    height = np.ptp(places[:, 2])
    bottom, top = np.interp([0.02 * (count - 1), 0.98 * (count - 1)], np.arange(count), np.sort(places[:, 2] - ground))
    thick, middle, long = np.sqrt(np.maximum(np.linalg.eigvalsh(spread.T @ spread / count), 1e-9))
    box = 2 * (across[0] * across[1] + (across[0] + across[1]) * height) + 1e-6
    area = count * spacing**2
    sizes = np.log([area, across[1] + 0.01, across[0] + 0.01, height + 0.01])
    ties = [one.bond, one.outer, float(np.log(max(one.next, count) / count))]
    faces = [area / box, thick / long, middle / long, touches[FREE] / max(1, inside), thick]
    steep = float(np.abs(parsed.direction[rows, 2]).mean())
    return [*sizes, bottom, top, *ties, *(touches / np.sqrt(count)), *faces, steep]


@cache
def _network() -> list[np.ndarray]:
    """Mean and scale (18,) of the traits, then weights and biases of two layers."""
    table = json.loads(Path(__file__).with_name("traits.json").read_text(encoding="utf-8"))
    return [np.array(table[name]) for name in ("mean", "scale", "first", "first_bias", "second", "second_bias")]


def likely_overlap(candidates: Sequence[Candidate], parsed: Parsed) -> np.ndarray:
    """Expected overlap (c,) of candidates with a whole object, learned from generated rooms."""
    mean, scale, first, first_bias, second, second_bias = _network()
    # clipped, because the network cannot extrapolate beyond its training data
    given = ((traits(candidates, parsed) - mean) / scale).clip(-4, 4)
    return np.round((np.maximum(given @ first + first_bias, 0) @ second + second_bias).reshape(-1), 6)
