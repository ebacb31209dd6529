"""Figures of labelled points, accumulated scan by scan: IoU of classes, novelty of hidden classes, objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.scene_data.metrics import class_iou, confusion, mean_iou
from benchmarks.scene_data.scannet import ClassTable, Labelled

DROPPED = 12  # low bits of a float32: novelty is rounded to 1 in 2,000, which bounds the histogram
CELLS = 1 << (32 - DROPPED)
KEPT = 0.95  # fraction of known points that the threshold keeps


class NoveltyCounts:
    """Histograms of novelty, for each group of known classes and for the hidden classes."""

    def __init__(self, groups: Sequence[str]) -> None:
        self.groups = tuple(groups)
        self.counts = np.zeros((len(self.groups) + 1, CELLS), dtype=np.uint32)

    def add(self, novelty: np.ndarray, group: np.ndarray) -> None:
        """Add values (n,); group (n,): index of the group, -1 for hidden classes."""
        cells = novelty_cells(novelty)
        for i in range(-1, len(self.groups)):
            self.counts[i] += np.bincount(cells[group == i], minlength=CELLS).astype(np.uint32)

    def figures(self) -> dict[str, Any]:
        """AUROC, FPR95 as in `ood_metrics`, and the fraction of each group called novel at that threshold.

        In AUROC a tie counts one half. Figures without points are NaN.
        """
        filled = self.counts.any(axis=0)
        *groups, hidden = self.counts[:, filled].astype(np.int64)
        known = np.sum(groups, axis=0)
        total, novel = int(known.sum()), int(hidden.sum())
        result: dict[str, Any] = {"known": total, "hidden": novel, "auroc": np.nan, "fpr95": np.nan}
        if not total:
            return result | {"false_alarms": dict.fromkeys(self.groups, np.nan)}
        accepted = np.cumsum(known) / total
        if novel:
            result["auroc"] = float((hidden * (np.cumsum(known) - known / 2)).sum() / total / novel)
            curve = np.concatenate([[0], accepted]), np.concatenate([[0], np.cumsum(hidden) / novel])
            result["fpr95"] = float(np.interp(KEPT, *curve))
        beyond = np.arange(len(known)) > np.searchsorted(accepted, KEPT)
        each = zip(self.groups, groups, strict=True)
        return result | {
            "false_alarms": {n: float(of[beyond].sum() / of.sum()) if of.any() else np.nan for n, of in each}
        }


def novelty_cells(novelty: np.ndarray) -> np.ndarray:
    """Histogram cell (n,) of each value; cells are in the order of the values."""
    bits = (np.asarray(novelty, dtype=np.float32) + np.float32(0)).view(np.uint32)
    return (np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)) >> DROPPED).astype(np.int64)


class Tally:
    """Accumulated figures; `splits`: masks (k,) of hidden classes."""

    def __init__(self, table: ClassTable, splits: Sequence[np.ndarray]) -> None:
        self.table, self.splits = table, list(splits)
        self.voxels, self.vertices = (np.zeros((len(table), len(table)), dtype=np.int64) for _ in range(2))
        self.groups = dict(table.groups) or {"all": np.ones(len(table), dtype=bool)}
        self.points, self.objects = ([NoveltyCounts(tuple(self.groups)) for _ in splits] for _ in range(2))
        self.group_of = np.argmax(list(self.groups.values()), axis=0)
        self.scans: list[dict[str, Any]] = []
        self.object_rows: list[dict[str, Any]] = []

    def add(self, scan: Labelled, inverse: np.ndarray, nearest: np.ndarray, novelty: Sequence[np.ndarray]) -> None:
        """Add a scan: voxel (n,) of each point, predicted class (v,) of each voxel, novelty (v,) for each split."""
        row: dict[str, Any] = {"scan": scan.scene.name, "points": len(inverse), "voxels": len(nearest)}
        self.scans.append(row | {"outside": {str(raw): n for raw, n in scan.outside.items()}, "miou": None})
        if not scan.has_labels or scan.scene.labels is None:
            return
        truth, called = scan.scene.labels - 1, nearest[inverse]
        first = np.unique(inverse, return_index=True)[1]  # a voxel has the label of its first point
        vertices = confusion(truth, called, len(self.table) - 1)
        self.voxels += confusion(truth[first], nearest, len(self.table) - 1)
        self.vertices += vertices
        self.scans[-1] |= {"labeled": int((truth >= 0).sum()), "miou": mean_iou(class_iou(vertices))[0]}
        labeled = truth >= 0
        for hidden, values, counts in zip(self.splits, novelty, self.points, strict=True):
            counts.add(values[inverse][labeled], self._groups(truth[labeled], hidden))
        if scan.scene.instances is not None:
            self._add_objects(scan.scene.name, truth, scan.scene.instances, called, [one[inverse] for one in novelty])

    def _groups(self, truth: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        return np.where(hidden[truth], -1, self.group_of[truth])

    def _add_objects(
        self, scan: str, truth: np.ndarray, instances: np.ndarray, called: np.ndarray, novelty: Sequence[np.ndarray]
    ) -> None:
        """Add the objects of a scan; an object has the points of one instance and one class."""
        labeled = np.flatnonzero((truth >= 0) & (instances > 0))
        pairs, index = np.unique(np.stack([instances[labeled], truth[labeled]]), axis=1, return_inverse=True)
        counts = np.bincount(index.ravel())
        means = [np.bincount(index.ravel(), values[labeled]) / counts for values in novelty]
        parts = np.split(labeled[np.argsort(index.ravel(), kind="stable")], np.cumsum(counts)[:-1])
        for i, (instance, label) in enumerate(pairs.T.tolist()):
            most = int(np.bincount(called[parts[i]]).argmax())
            row = {"scan": scan, "instance": instance, "class": self.table.names[label]}
            row |= {"group": self.table.group_of(label), "points": int(counts[i]), "called": self.table.names[most]}
            row |= {"right": most == label, "share": float((called[parts[i]] == label).mean())}
            self.object_rows.append(row | {f"novelty {s}": float(mean[i]) for s, mean in enumerate(means)})
        for hidden, mean, table in zip(self.splits, means, self.objects, strict=True):
            table.add(mean, self._groups(pairs[1], hidden))

    def figures(self) -> dict[str, Any]:
        """IoU of voxels and vertices in both conventions, absent classes, open-set figures, accuracy of objects."""
        iou = {"voxels": class_iou(self.voxels), "vertices": class_iou(self.vertices)}
        groups = {"all": np.ones(len(self.table), dtype=bool), **self.table.groups}
        conventions = {"absent left out": np.nan, "absent as 0": 0.0}
        means = {
            where: {how: {n: mean_iou(each, m, as_) for n, m in groups.items()} for how, as_ in conventions.items()}
            for where, each in iou.items()
        }
        true = self.vertices.sum(axis=1)
        classes = [
            {"name": name, "group": self.table.group_of(i), "labeled": int(true[i])}
            | {where: float(of[i]) for where, of in iou.items()}
            for i, name in enumerate(self.table.names)
        ]
        absent = [one["name"] for one in classes if not one["labeled"]]
        only = [one["name"] for one in classes if not one["labeled"] and one["vertices"] == 0]
        split, names = zip(self.splits, self.points, self.objects, strict=True), np.array(self.table.names)
        open_set = [{"hidden": names[h].tolist(), "points": p.figures(), "objects": o.figures()} for h, p, o in split]
        rights = {"all": [row["right"] for row in self.object_rows]} | {
            name: [row["right"] for row in self.object_rows if row["group"] == name] for name in self.table.groups
        }
        objects = {name: (float(np.mean(of)) if of else np.nan, len(of)) for name, of in rights.items()}
        closed = {"miou": means, "classes": classes, "absent": absent, "only_called": only}
        return closed | {"open_set": open_set, "objects": objects}
