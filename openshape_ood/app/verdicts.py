"""Verdicts on the shapes of a session, and the threshold they are based on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from openshape_ood.app.session import Session, Shape
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.novelty.up_axis import UpAxis
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scenes import SceneResult

MODEL, SCAN = ORIGINS = ("whole model", "scan")
BY_TEXT = (
    "Each patch of the shape is compared with the class names only, which is imprecise. For a comparison with patches "
    "of examples, add two or more examples, at least one of every class."
)
BY_PATCHES = (
    "Each patch of the shape is compared with the patches of {}: gray patches resemble them, dark red patches do not."
)
BY_OBJECT = (
    "Each object is scored as a shape. Floor, walls and points outside of objects are gray; the ceiling is hidden. "
    "Click an object in the list to select it. You can add the selected object as an example."
)


@dataclass(frozen=True, eq=False)
class Basis:
    """Origin of the threshold of a verdict.

    kind: source of the threshold: "generated" shapes, calibration "files" or a saved "threshold"; "" if there is no
    threshold. missing: reason why there is no threshold. uncovered: known classes without a calibration shape.
    """

    kind: Literal["generated", "files", "threshold", ""] = ""
    threshold: Threshold | None = None
    missing: str = ""
    uncovered: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Verdict:
    """Result for the shapes on the page, or for the objects of a room.

    session: session with the shapes. result: result for all b shapes, with a threshold if possible. compared:
    explanation of the colors. shown: index of the displayed shape; `shape`, `novelty`, `nearest`, `p_value` and
    `answer` refer to it. origin: one of `ORIGINS`. up: axis chosen by the visitor. axis: axis found for the choice
    "auto", else None. remarks: remarks for the visitor.
    """

    session: Session
    result: NoveltyResult
    compared: str
    basis: Basis
    shown: int = 0
    origin: str = MODEL
    up: str = "file"
    axis: UpAxis | None = None
    remarks: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        return self.session.shapes[self.shown]

    @property
    def novelty(self) -> float:
        return float(self.result.novelty[self.shown])

    @property
    def nearest(self) -> str:
        return str(self.result.nearest[self.shown])

    @property
    def threshold(self) -> Threshold | None:
        return self.result.threshold

    @property
    def is_toy(self) -> bool:
        """True for the packaged toy encoder."""
        return self.result.provenance.identity.checkpoint == "tiny"

    @property
    def p_values(self) -> np.ndarray | None:
        """p-values of all shapes; None if there is no threshold, or the threshold has no calibration scores."""
        return self.result.p_values if self.threshold is not None and self.threshold.n else None

    @property
    def p_value(self) -> float | None:
        return None if self.p_values is None else float(self.p_values[self.shown])

    @property
    def answers(self) -> Sequence[str | None]:
        """ "known", "novel" or "unsure" for all shapes; None without a threshold."""
        return [None] * len(self.result) if self.threshold is None else self.result.verdicts

    @property
    def answer(self) -> str | None:
        return self.answers[self.shown]

    def _settings(self) -> dict[str, Any]:
        examples = {name: len(shapes) for name, shapes in self.session.known().items()}
        return {"examples": examples, "calibrated_on": self.basis.kind or None}

    def ranked(self) -> list[tuple[str, float]]:
        """Classes with cosine similarity, most similar first."""
        similarity = self.result.similarity[self.shown]
        order = np.argsort(-similarity, kind="stable")
        return [(str(self.result.classes[i]), float(similarity[i])) for i in order]

    def order(self) -> list[int]:
        """Indices of the shapes, most novel first."""
        return [int(i) for i in np.argsort(-self.result.novelty, kind="stable")]


@dataclass(frozen=True, eq=False)
class ShapeVerdict(Verdict):
    """Verdict on shapes. map: novelty map of the displayed shape."""

    map: NoveltyMap = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.shape.name

    def as_json(self) -> dict[str, Any]:
        """All values on the page, as JSON types."""
        record, shown, patches = self.result.as_json(), self.map, self.map.patches
        pairs = zip(record.pop("shapes"), self.session.shapes, strict=True)
        rows = [{**row, "shape": shape.name} for row, shape in pairs]
        several = {"shapes": [rows[i] for i in self.order()]} if len(rows) > 1 else {}
        return {
            **record,
            **self._settings(),
            **several,
            "failures": {failure.source: failure.error for failure in self.session.failures},
            **rows[self.shown],
            "points": len(self.shape.cloud),
            "novelty_map": {
                "by": shown.provenance.method,
                "compared": self.compared,
                "colors": [float(bound) for bound in shown.bounds()],
                "patch_centers": patches.centers.round(6).tolist() if patches else [],
                "patch_novelty": patches.novelty.astype(float).round(6).tolist() if patches else [],
                "patch_nearest": patches.nearest.tolist() if patches else [],
            },
        }


@dataclass(frozen=True, eq=False)
class ScanVerdict(Verdict):
    """Verdict on a scan. scene: result of the scan. The shapes of the session are its objects, most novel first."""

    scene: SceneResult = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.scene.scene.name

    @property
    def map(self) -> NoveltyMap:
        return self.scene.map

    def as_json(self) -> dict[str, Any]:
        """All values on the page, and the names of the labels in the PLY file, as JSON types."""
        labels = {str(label): name for label, name in self.scene.painted()[1].items()}
        return {**self.scene.as_json(), **self._settings(), "remarks": self.remarks, "labels": labels}
