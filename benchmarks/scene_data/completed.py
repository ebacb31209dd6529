"""Completion of rooms from one view: IoU of each name and each relation, AUROC of each foreign object.

A figure is an array (t,). Baselines have one value per threshold and variant, of which the best one is reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_dilation, generate_binary_structure

from benchmarks.training.completion_affinities import stand_in
from benchmarks.training.completion_samples import GRID, NEVER, SIZES, Sample, drawn_view, sample_of
from benchmarks.training.completion_triples import Triple, hidden_triples, visible_triples
from benchmarks.training.train_completion import at_centers, relation_logits, volumes
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.synthetic.rooms import FURNITURE
from openshape_ood.synthetic.views import RoomView, room_view
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion.complete import Completer, complete
from openshape_ood.views.completion.network import RELATIONS

THRESHOLDS = np.linspace(0.05, 0.9, 18)  # of affinities; the largest affinity is 1
CUTOFFS = np.linspace(-4, 4, 33)  # of logits
SHARES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)  # quantiles of an untrained network's logits
STRUCTURES = [generate_binary_structure(3, connectivity) for connectivity in (1, 2, 3)]
SIDE = SIZES.side
MOST = {"one": 2, "several": 2, "hidden": 2}  # triples per room


@dataclass(frozen=True, eq=False)
class Row:
    """Figures (t,) of a name or a triple in one room (its seed)."""

    room: int
    what: str
    kind: str
    figures: dict[str, np.ndarray]
    cells: int = 0


@dataclass(frozen=True, eq=False)
class Seen:
    """A room in one view: visible names, hidden targets with a relation to a visible name, affinities of all names."""

    seed: int
    made: RoomView
    sample: Sample
    names: list[str]
    hidden: list[Triple]
    affinities: Affinities
    bfloat16: bool = False

    @classmethod
    def of(cls, seed: int, bfloat16: bool = False, things: tuple[int, int] = (8, 13)) -> Seen:
        made = drawn_view(seed, FURNITURE, things)
        sample, rng = sample_of(made, seed), np.random.RandomState([seed, 21])
        names, hidden = sample.visible(), hidden_triples(sample, rng)
        hidden = [hidden[i] for i in rng.permutation(len(hidden))[: MOST["hidden"]]]
        extra = sorted({one.target for one in hidden})
        every = (*names, *extra) or ("nothing",)
        return cls(seed, made, sample, names, hidden, Affinities(stand_in(sample, every, rng), every), bfloat16)


def iou(predicted: np.ndarray, true: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """IoU (...) of cells (..., c), over the counted ones (c,)."""
    both, either = (predicted & true & counted).sum(-1), ((predicted | true) & counted).sum(-1)
    return both / np.maximum(either, 1)


def highest(sample: Sample, values: np.ndarray) -> np.ndarray:
    """Largest of the pixels' values (h, w) in each cell (c,); -inf in cells without a visible point."""
    places = torch.from_numpy(sample.points())
    inside = GRID.inside(places).numpy()
    largest = np.full(SIDE**3, -np.inf)
    np.maximum.at(largest, GRID.cells(places[inside]).numpy(), values.reshape(-1)[inside])
    return largest


def dilated(cells: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Cells (t, c) dilated by one over faces, edges or corners, each with and without the free cells: (6 t, c)."""
    solid = cells.reshape(-1, SIDE, SIDE, SIDE)
    grown = np.concatenate([binary_dilation(solid, one[None]).reshape(cells.shape) for one in STRUCTURES])
    return np.concatenate([grown, grown & ~free])


@torch.no_grad()
def volumes_of(seen: Seen, completer: Completer, affinities: Affinities, names: Sequence[str]) -> torch.Tensor:
    """Output volumes of the network (k, f, s, s, s) for k names."""
    points = seen.sample.points()
    kept = np.isfinite(points).all(axis=1)
    values = np.stack([affinities[name].reshape(-1)[kept] for name in names])
    return volumes(completer.network, torch.from_numpy(points[kept]), torch.from_numpy(values), seen.bfloat16)


@torch.no_grad()
def named(seen: Seen, completer: Completer, untrained: Completer) -> list[Row]:
    """Rows of every visible name in a room."""
    sample, names = seen.sample, seen.names
    if not names:
        return []
    masks = Affinities.from_masks(np.stack([sample.mask(name) for name in names]), names)
    cutoff = completer.network.sizes.threshold
    logits, clean, raw = (
        at_centers(by.network, volumes_of(seen, by, of, names))[..., 0].numpy()
        for by, of in ((completer, seen.affinities), (completer, masks), (untrained, seen.affinities))
    )
    visible = np.isfinite(highest(sample, np.zeros(sample.shown.shape)))
    rows = []
    for i, name in enumerate(names):
        true, counted = sample.cells(name), sample.in_view
        points = highest(sample, seen.affinities[name]) > THRESHOLDS[:, None]
        exact = highest(sample, masks[name])[None] > 0.5
        predicted = {
            "visible points": points,
            "the same, dilated": dilated(points, sample.free),
            "true mask": exact,
            "true mask, dilated": dilated(exact, sample.free),
            "network": logits[i : i + 1] > cutoff,
            "network, clean masks": clean[i : i + 1] > cutoff,
            "network, another name's": logits[i - 1 : i or None] > cutoff if len(names) > 1 else logits[:0] > 0,
            "network, untrained": raw[i] > np.quantile(raw[i][counted], SHARES)[:, None],
        }
        figures = {key: iou(cells, true, counted) for key, cells in predicted.items()}
        for key, part in (("seen cells found", visible), ("hidden cells found", ~visible)):
            cells = true & counted & part
            figures[key] = (predicted["network"] & cells).sum(1) / cells.sum() if cells.any() else np.empty(0)
        kind = "never trained" if name in NEVER else "known"
        rows.append(Row(seen.seed, name, kind, figures, int((true & counted).sum())))
    return rows


@torch.no_grad()
def related(seen: Seen, completer: Completer, relater: Completer) -> list[Row]:
    """Rows of some relations in a room, with visible and with hidden targets."""
    sample, rng = seen.sample, np.random.RandomState([seen.seed, 22])
    visible = visible_triples(sample)
    chosen = list(seen.hidden)
    for kind in ("one", "several"):
        same = [one for one in visible if one.kind == kind]
        chosen += [same[i] for i in rng.permutation(len(same))[: MOST[kind]]]
    if not chosen:
        return []
    names = sorted({name for one in chosen for name in (one.target, one.reference)})
    both = volumes_of(seen, relater, seen.affinities, names)
    alone = at_centers(completer.network, volumes_of(seen, completer, seen.affinities, names))[..., 0].numpy()
    rows = []
    for one in chosen:
        others = [relation for relation in RELATIONS if relation != one.relation]
        relations = [one.relation, others[rng.randint(len(others))]]
        pair = [names.index(one.target), names.index(one.reference)]
        joined = both[pair].flatten(0, 1).expand(2, -1, -1, -1, -1)
        right, wrong = relation_logits(relater.network, joined, relations).numpy() > relater.network.sizes.threshold
        ignored = alone[pair[0]] > CUTOFFS[:, None]
        predicted = {"relation": right[None], "another relation": wrong[None], "relation ignored": ignored}
        figures = {key: iou(cells, one.cells, sample.in_view) for key, cells in predicted.items()}
        rows.append(Row(seen.seed, one.relation, one.kind, figures, int(one.cells.sum())))
    return rows


def foreign(seed: int, kind: str, completer: Completer) -> Row | None:
    """AUROC of one object whose name is withheld: its voxels against those of all other objects of the room.

    None if the object is not visible, or is the only visible one.
    """
    made = room_view(seed, categories=[one for one in FURNITURE if one != kind], foreign=[kind], objects=9)
    sample, rng = sample_of(made, seed), np.random.RandomState([seed, 23])
    names = [name for name in sample.visible() if name != kind]
    if not names or kind not in sample.visible():
        return None
    maps = stand_in(sample, names, rng)
    field = complete(made.view, names, affinities=Affinities(maps, tuple(names)), model=completer)
    judged = field.unexplained(names, SIDE)
    novelty = np.full(SIDE**3, np.nan)
    novelty[np.ravel_multi_index(tuple(judged.elements.rows.T.astype(int)), (SIDE,) * 3)] = judged.novelty
    affinity = 1 - np.max([highest(sample, values) for values in maps], axis=0)
    novel, others = sample.cells(kind), np.any([sample.cells(name) for name in names], axis=0)
    novel, others = novel & ~others, others & ~novel
    figures = {}
    seen = np.isfinite(affinity)
    ways = {"network": novelty, "network, seen": np.where(seen, novelty, np.nan), "affinity alone, seen": affinity}
    for key, values in ways.items():
        mine, rest = (values[cells & np.isfinite(values)] for cells in (novel, others))
        figures[key] = np.array([ood_metrics(rest, mine)["auroc"]]) if len(mine) and len(rest) else np.empty(0)
    return Row(seed, kind, "foreign", figures, int(novel.sum()))
