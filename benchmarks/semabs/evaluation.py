"""Rows of results: a completion network on views of the published data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.semabs.metrics import CUTOFFS, all_scores
from benchmarks.semabs.reader import Datum
from benchmarks.semabs.summary import SYNONYMS
from openshape_ood.devices import exact
from openshape_ood.errors import InputError
from openshape_ood.views.completion import RELATIONS, Completer
from openshape_ood.views.geometry import moved, project, unproject

GAIN = 50.0  # of relevancies less their mean
PIECE = 1 << 18


def result_rows(
    datum: Datum, completer: Completer, split: str, num_points: int = 80_000, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """The rows of a view: one a class or description, and cut-off.

    The network's head says whether classes or descriptions are asked for. In the split of synonyms, names are replaced
    by theirs, and a thing is right that has any class of which its name is a synonym.
    """
    head = completer.network.sizes.head
    if head not in ("name", "relation", "sentence"):
        raise InputError(
            f"networks of head {head!r} need text embeddings, which the data has for their own labels only"
        )
    points, maps = _input(datum, num_points, seed)
    inside = ((datum.queries >= datum.bounds[0]) & (datum.queries <= datum.bounds[1])).all(axis=1)
    hidden = ~inside | ~_in_view(datum) if head == "name" else ~inside
    for about, names, labels in _asked(datum, head, split):
        if any(name not in maps for name in names):
            continue  # nothing is known of where it might be
        logits = _logits(completer, points, [maps[name] for name in names], datum.queries, about)
        for cutoff in CUTOFFS:
            own = all_scores(logits[None], labels[None], hidden[None], datum.queries[None], cutoff)
            row = {"scene_id": datum.scene_id, "split": split, "cutoff": cutoff, **about}
            yield row | {name: float(value[0]) for name, value in own.items()}


def _asked(datum: Datum, head: str, split: str) -> Iterator[tuple[dict[str, str], tuple[str, ...], np.ndarray]]:
    """What a row is about, the names whose relevancies it needs, and which queries are right (n,)."""
    other = SYNONYMS if split.endswith("synonyms") else {}
    if head == "name":
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


def _input(datum: Datum, num_points: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Points (n, 3) of the pixels in bounds, at most so many, and what each has of every label."""
    places = moved(unproject(datum.depth, datum.intrinsics), datum.pose)
    with np.errstate(invalid="ignore"):
        fine = (datum.depth.reshape(-1) > 0) & ((places >= datum.bounds[0]) & (places <= datum.bounds[1])).all(axis=1)
    kept = np.flatnonzero(fine)
    if not len(kept):
        raise InputError(f"{datum.scene_id}: no pixel lies in the bounds {datum.bounds.tolist()}")
    if len(kept) > num_points:
        kept = np.sort(np.random.default_rng(seed).choice(kept, num_points, replace=False))
    centered = torch.from_numpy((datum.relevancies - datum.mean) * np.float32(GAIN))
    maps = {}
    for name, one in zip(datum.labels.tolist(), centered, strict=True):
        large = torch.nn.functional.interpolate(one[None, None], datum.depth.shape, mode="bilinear")
        maps[name] = large.reshape(-1)[torch.from_numpy(kept)].numpy()
    return places[kept], maps


def _in_view(datum: Datum) -> np.ndarray:
    at, ahead = project(datum.queries.astype(np.float64), datum.intrinsics, datum.pose)
    h, w = datum.depth.shape
    with np.errstate(invalid="ignore"):
        return (ahead > 0) & ((at >= 0) & (at < [w, h])).all(axis=1)


def _logits(
    completer: Completer, points: np.ndarray, numbers: list[np.ndarray], queries: np.ndarray, about: dict[str, str]
) -> np.ndarray:
    network, device = completer.network, completer.device
    places = torch.from_numpy(points).float().to(device)[None]
    with torch.inference_mode(), exact(device):
        parts = [network.volume(places, torch.from_numpy(one).to(device)[None, :, None]) for one in numbers]
        query = network.relation_query([about["spatial_relation_name"]]) if network.sizes.relates else None
        found = []
        for start in range(0, len(queries), PIECE):
            piece = torch.tensor(queries[start : start + PIECE], device=device)[None]
            found.append(network.decode(torch.cat(parts, 1), piece, query)[0].cpu().numpy())
    return np.concatenate(found)
