"""Evaluation of completion networks on views of the published data: inputs, queries, figures."""

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

GAIN = 50.0  # factor of centered relevancies
PIECE = 1 << 18
CUTOFFS = tuple(round(-2.5 + 0.1 * i, 1) for i in range(25))  # -2.5 to -0.1
SIDES, NYU_SIDES = (32, 64), (60,)  # voxels per side


@dataclass(frozen=True, eq=False)
class Seen:
    """Points (n, 3) of the pixels in bounds, their colors (n, 3) in [0, 1], and relevancy (n,) of every label."""

    points: np.ndarray
    colors: np.ndarray
    maps: dict[str, np.ndarray]

    def numbers(self, network: CompletionNetwork, names: Sequence[str]) -> list[np.ndarray] | None:
        """Features of the points (n, f) for each name; None if a name has no relevancy."""
        if network.sizes.head.startswith("text"):
            return [self.colors]
        return [self.maps[name][:, None] for name in names] if all(name in self.maps for name in names) else None


def result_rows(
    datum: Datum, completer: Completer, split: str, num_points: int = 80_000, seed: int = 0, texts: Texts | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a view: one per cut-off and class, or per cut-off and description, as the head requires.

    Raises `InputError` if the network has a text head and `texts` is None.
    """
    network, device = completer.network, completer.device
    seen = visible(datum, num_points, seed)
    hidden = left_out(datum, network.sizes.head)
    for about, names, labels in questions(datum, network.sizes.head, split):
        numbers = seen.numbers(network, names)
        if numbers is None:
            continue  # no relevancy of this name
        with torch.inference_mode(), exact(device):
            parts = volume(network, seen.points, numbers, device)
            query, pieces = query_vectors(network, about, names, texts, device), []
            for start in range(0, len(datum.queries), PIECE):
                piece = torch.tensor(datum.queries[start : start + PIECE], device=device)[None]
                pieces.append(network.decode(parts, piece, query)[0].cpu().numpy())
        logits = np.concatenate(pieces)
        figures = all_scores(logits, labels, hidden, datum.queries, sides=NYU_SIDES if split == NYU else SIDES)
        for i, cutoff in enumerate(CUTOFFS):
            row = {"scene_id": datum.scene_id, "split": split, "cutoff": cutoff, **about}
            yield row | {name: float(values[i]) for name, values in figures.items()}


def questions(datum: Datum, head: str, split: str) -> Iterator[tuple[dict[str, str], tuple[str, ...], np.ndarray]]:
    """Yield each class or description of a view, the names whose relevancies it needs, and its true queries (n,) bool.

    In the split of synonyms, names are replaced by synonyms; every class with the synonym is then right.
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
    """At most `num_points` visible points of the view in its bounds; seed: as for `numpy.random.default_rng`."""
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
    """Mask (n,) of ignored queries: out of bounds and, for class heads, outside the image."""
    outside = ~in_bounds(datum.queries, datum.bounds)
    if head not in ("name", "text"):
        return outside
    queries = datum.queries.astype(np.float64)
    return outside | ~in_picture(queries, datum.intrinsics, datum.pose, datum.depth.shape)


def volume(network: CompletionNetwork, points: np.ndarray, numbers: list[np.ndarray], device: torch.device) -> Tensor:
    """Input of `decode`: the volumes of target and reference, concatenated, or the volume of one name."""
    places = torch.from_numpy(points).float().to(device)[None]
    return torch.cat([network.volume(places, torch.from_numpy(one).float().to(device)[None]) for one in numbers], 1)


def query_vectors(
    network: CompletionNetwork, about: dict[str, str], names: Sequence[str], texts: Texts | None, device: torch.device
) -> Tensor | None:
    """Query of `decode`: vectors of a relation or of text, or None. Raises `InputError` if `texts` is missing."""
    head, vectors = network.sizes.head, None
    if head.startswith("text"):
        if texts is None:
            raise InputError(f"networks with head {head!r} need embeddings of the names; give them with --text FILE")
        vectors = [texts(name)[None].to(device) for name in names]
        if vectors[0].shape[1] != network.sizes.text:
            raise InputError(
                f"embeddings of text have {vectors[0].shape[1]} numbers; the network expects {network.sizes.text}"
            )
        if head == "text":
            return vectors[0]
    if not network.sizes.relates:
        return None
    return network.relation_query([about["spatial_relation_name"]], (vectors[0], vectors[1]) if vectors else None)


def scores(predicted: np.ndarray, labels: np.ndarray, ignored: np.ndarray) -> dict[str, np.ndarray]:
    """Figures (t,) of predictions (t, m) against labels (m,), m places, without ignored ones (m,).

    false_negative and false_positive are fractions of the counted places. A figure with denominator 0 is NaN.
    """
    counted = ~ignored
    positives, true = predicted & counted, labels & counted
    both = (positives & true).sum(-1)
    every, positive, true_positive = counted.sum(-1), positives.sum(-1), true.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "iou": both / (positives | true).sum(-1),
            "precision": both / positive,
            "recall": both / true_positive,
            "false_negative": (true_positive - both) / every,
            "false_positive": (positive - both) / every,
        }


def voxel_index(points: np.ndarray, side: int) -> np.ndarray:
    """Flat voxel index (...) of points (..., 3), x slowest; scaled by side - 1, as in the published tables."""
    low, scale = BOUNDS[0].astype(points.dtype), ((side - 1) / np.ptp(BOUNDS, axis=0)).astype(points.dtype)
    cells = np.clip(((points - low) * scale).astype(np.int64), 0, side - 1)
    return (cells[..., 0] * side + cells[..., 1]) * side + cells[..., 2]


def voxelized(values: np.ndarray, index: np.ndarray, side: int, least: Any = False) -> np.ndarray:
    """Largest value of each voxel (side³,), for bools "any"; `least` for voxels without values."""
    largest = np.full(side**3, least, dtype=values.dtype)
    np.maximum.at(largest, index, values)
    return largest


def voxels(logits: np.ndarray, labels: np.ndarray, ignored: np.ndarray, points: np.ndarray, side: int) -> Any:
    """Logits, labels and ignored mask of voxels (side³,), from those of points (m,).

    Voxels without points, or with an ignored point, are ignored.
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
    """Column -> figures (t,) at each cut-off, for points and for voxels of each side."""
    of = {"point": (logits, labels, ignored)}
    of |= {f"voxel{side}x{side}x{side}": voxels(logits, labels, ignored, points, side) for side in sides}
    columns: dict[str, np.ndarray] = {}
    for what, (values, true, left) in of.items():
        figures = scores(values > np.array(cutoffs, dtype=values.dtype)[:, None], true, left)
        columns |= {f"{what}_{name}": value for name, value in figures.items()}
    return columns
