"""Rows of results: a completion network on views of the published data, what it is given and asked, and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.semabs.reader import Datum
from benchmarks.semabs.summary import NYU, SYNONYMS
from benchmarks.semabs.texts import Texts
from openshape_ood.encoders.devices import exact
from openshape_ood.errors import InputError
from openshape_ood.views.completion import RELATIONS, Completer
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.geometry import BOUNDS, in_bounds, in_picture, moved, unproject

GAIN = 50.0  # of relevancies less their mean
PIECE = 1 << 18
CUTOFFS = tuple(round(-2.5 + 0.1 * i, 1) for i in range(25))  # -2.5 to -0.1
SIDES, NYU_SIDES = (32, 64), (60,)  # of voxels


@dataclass(frozen=True, eq=False)
class Seen:
    """Points (n, 3) of the pixels in bounds, their colors (n, 3) in [0, 1], and what each has (n,) of every label."""

    points: np.ndarray
    colors: np.ndarray
    maps: dict[str, np.ndarray]

    def numbers(self, network: CompletionNetwork, names: Sequence[str]) -> list[np.ndarray] | None:
        """Network input of the points (n, f) for each name; None for a name without relevancy."""
        if network.sizes.head.startswith("text"):
            return [self.colors]
        return [self.maps[name][:, None] for name in names] if all(name in self.maps for name in names) else None


def result_rows(
    datum: Datum, completer: Completer, split: str, num_points: int = 80_000, seed: int = 0, texts: Texts | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a view: one a class or description, whichever the network's head is for, and cut-off.

    texts: embeddings of names, for networks that compare with text; raises `InputError` without.
    """
    network, device = completer.network, completer.device
    seen = visible(datum, num_points, seed)
    hidden = left_out(datum, network.sizes.head)
    for about, names, labels in asked(datum, network.sizes.head, split):
        numbers = seen.numbers(network, names)
        if numbers is None:
            continue  # nothing is known of where it might be
        with torch.inference_mode(), exact(device):
            parts = volume(network, seen.points, numbers, device)
            query, found = told(network, about, names, texts, device), []
            for start in range(0, len(datum.queries), PIECE):
                piece = torch.tensor(datum.queries[start : start + PIECE], device=device)[None]
                found.append(network.decode(parts, piece, query)[0].cpu().numpy())
        logits = np.concatenate(found)
        figures = all_scores(logits, labels, hidden, datum.queries, sides=NYU_SIDES if split == NYU else SIDES)
        for i, cutoff in enumerate(CUTOFFS):
            row = {"scene_id": datum.scene_id, "split": split, "cutoff": cutoff, **about}
            yield row | {name: float(values[i]) for name, values in figures.items()}


def asked(datum: Datum, head: str, split: str) -> Iterator[tuple[dict[str, str], tuple[str, ...], np.ndarray]]:
    """Rows of the table: description, names whose relevancies it needs, and mask of the right queries (n,).

    The split of synonyms replaces names by synonyms; a thing of any class with this synonym is then right.
    """
    other = SYNONYMS if split.endswith("synonyms") else {}
    if head in ("name", "text"):
        classes = datum.classes[datum.objects]
        for label in sorted({other.get(name, name) for name in datum.visible.tolist()}):
            same = {label, *(name for name, synonym in other.items() if synonym == label)}
            yield {"label": label}, (label,), np.isin(classes, list(same))
        return
    for (target, relation, reference), number in zip(
        datum.descriptions.tolist(), datum.target_ids.tolist(), strict=True
    ):
        if relation not in RELATIONS:
            continue
        target, reference = other.get(target, target), other.get(reference, reference)
        about = {"target_obj_name": target, "spatial_relation_name": relation, "reference_obj_name": reference}
        names = (f"{target} {relation} a {reference}",) if head == "sentence" else (target, reference)
        yield about, names, datum.objects == number


def visible(datum: Datum, num_points: int, seed: Any) -> Seen:
    """Visible points of the view in its bounds, at most so many; seed: as `numpy.random.default_rng` takes it."""
    places = moved(unproject(datum.depth, datum.intrinsics), datum.pose)
    kept = np.flatnonzero((datum.depth.reshape(-1) > 0) & in_bounds(places, datum.bounds))
    if not len(kept):
        raise InputError(f"{datum.scene_id}: no pixel lies in the bounds {datum.bounds.tolist()}")
    if len(kept) > num_points:
        kept = np.sort(np.random.default_rng(seed).choice(kept, num_points, replace=False))
    centered = torch.from_numpy((datum.relevancies - datum.mean) * np.float32(GAIN))
    maps = {}
    for name, one in zip(datum.labels.tolist(), centered, strict=True):
        large = torch.nn.functional.interpolate(one[None, None], datum.depth.shape, mode="bilinear")
        maps[name] = large.reshape(-1)[torch.from_numpy(kept)].numpy()
    return Seen(places[kept], datum.rgb.reshape(-1, 3)[kept] / np.float32(255), maps)


def left_out(datum: Datum, head: str) -> np.ndarray:
    """Mask (n,) of ignored queries: out of bounds and, for classes, outside the camera's picture."""
    outside = ~in_bounds(datum.queries, datum.bounds)
    if head not in ("name", "text"):
        return outside
    queries = datum.queries.astype(np.float64)
    return outside | ~in_picture(queries, datum.intrinsics, datum.pose, datum.depth.shape)


def volume(network: CompletionNetwork, points: np.ndarray, numbers: list[np.ndarray], device: torch.device) -> Tensor:
    """Input of `decode`: the volumes of target and reference, concatenated, or the volume of one name."""
    places = torch.from_numpy(points).float().to(device)[None]
    return torch.cat([network.volume(places, torch.from_numpy(one).float().to(device)[None]) for one in numbers], 1)


def told(
    network: CompletionNetwork, about: dict[str, str], names: Sequence[str], texts: Texts | None, device: torch.device
) -> Tensor | None:
    """Vectors for `decode`: of relations, of text, or None. Raises `InputError` for text without embeddings."""
    head, vectors = network.sizes.head, None
    if head.startswith("text"):
        if texts is None:
            raise InputError(f"networks of head {head!r} compare with text: give embeddings of the names, --text FILE")
        vectors = [texts(name)[None].to(device) for name in names]
        if vectors[0].shape[1] != network.sizes.text:
            raise InputError(
                f"embeddings of text are {vectors[0].shape[1]} wide; the network takes {network.sizes.text}"
            )
        if head == "text":
            return vectors[0]
    if not network.sizes.relates:
        return None
    return network.relation_query([about["spatial_relation_name"]], (vectors[0], vectors[1]) if vectors else None)


def scores(predicted: np.ndarray, labels: np.ndarray, ignored: np.ndarray) -> dict[str, np.ndarray]:
    """Figures (t,) of bools (t, m) against labels (m,), m places.

    iou, precision and recall are NaN where their denominator is 0; false_negative and false_positive are shares of what
    is not ignored (m,), NaN where all is.
    """
    counted = ~ignored
    found, true = predicted & counted, labels & counted
    both = (found & true).sum(-1)
    every, positive, true_positive = counted.sum(-1), found.sum(-1), true.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "iou": both / (found | true).sum(-1),
            "precision": both / positive,
            "recall": both / true_positive,
            "false_negative": (true_positive - both) / every,
            "false_positive": (positive - both) / every,
        }


def voxel_index(points: np.ndarray, side: int) -> np.ndarray:
    """The voxel (..., ) of points (..., 3), x slowest; by side - 1, as the published tables are made."""
    low, scale = BOUNDS[0].astype(points.dtype), ((side - 1) / np.ptp(BOUNDS, axis=0)).astype(points.dtype)
    cells = np.clip(((points - low) * scale).astype(np.int64), 0, side - 1)
    return (cells[..., 0] * side + cells[..., 1]) * side + cells[..., 2]


def voxelized(values: np.ndarray, index: np.ndarray, side: int, least: Any = False) -> np.ndarray:
    """The largest value (m,) in each voxel (side³,), of bools whether any is true; `least` where there is none."""
    found = np.full(side**3, least, dtype=values.dtype)
    np.maximum.at(found, index, values)
    return found


def voxels(logits: np.ndarray, labels: np.ndarray, ignored: np.ndarray, points: np.ndarray, side: int) -> Any:
    """Logits, labels and what is ignored of points (m, 3), each (m,), as those of voxels (side³,).

    Voxels without points, or with one that is ignored, are ignored.
    """
    index = voxel_index(points, side)
    top, hidden = voxelized(logits, index, side, -np.inf), voxelized(ignored, index, side)
    return top, voxelized(labels, index, side), hidden | (np.bincount(index, minlength=side**3) == 0)


def all_scores(
    logits: np.ndarray,
    labels: np.ndarray,
    ignored: np.ndarray,
    points: np.ndarray,
    cutoffs: Sequence[float] = CUTOFFS,
    sides: Sequence[int] = SIDES,
) -> dict[str, np.ndarray]:
    """Every figure of result rows by its column, at each cut-off (t,), as those of `voxels` are given."""
    of = {"point": (logits, labels, ignored)}
    of |= {f"voxel{side}x{side}x{side}": voxels(logits, labels, ignored, points, side) for side in sides}
    found: dict[str, np.ndarray] = {}
    for what, (values, true, left) in of.items():
        own = scores(values > np.array(cutoffs, dtype=values.dtype)[:, None], true, left)
        found |= {f"{what}_{name}": value for name, value in own.items()}
    return found
