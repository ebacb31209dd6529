"""The verdict on the shapes of a session, and what it rests on."""

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
    "Each patch of the shape is compared with the class names, which says little; with two or more examples, and at "
    "least one of every class, it would be compared with the patches of these."
)
BY_PATCHES = (
    "Each patch of the shape is compared with the patches of {}: gray is known among them, dark red is like none of "
    "them."
)
BY_OBJECT = (
    "Each object is judged as a shape. Floor, walls and what is left over are gray, a ceiling is not drawn. "
    "A click in the list chooses an object, which can be added as an example."
)


@dataclass(frozen=True, eq=False)
class Basis:
    """What a verdict rests on.

    kind: generated shapes, calibration files or a threshold of the visitor's; "" for nothing, and `missing` says why.
    uncovered: known classes of which there is no calibration shape.
    """

    kind: Literal["generated", "files", "threshold", ""] = ""
    threshold: Threshold | None = None
    missing: str = ""
    uncovered: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was found of the shapes on the page, or of the objects of a room.

    session: whose shapes these are; result: of all b, with a threshold where there is something to calibrate on;
    shown: the place of the one that the properties speak of; compared: what the colors compare with; origin: of
    `ORIGINS`; up: the axis that was chosen; axis: what was found where that is "auto"; remarks for the visitor.
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
        """Whether the encoder is the packaged one."""
        return self.result.provenance.identity.checkpoint == "tiny"

    @property
    def p_values(self) -> np.ndarray | None:
        """None without a threshold, or for one that has no scores."""
        return self.result.p_values if self.threshold is not None and self.threshold.n else None

    @property
    def p_value(self) -> float | None:
        return None if self.p_values is None else float(self.p_values[self.shown])

    @property
    def answers(self) -> Sequence[str | None]:
        """Of all shapes, "known", "novel" or "unsure"; None without a threshold."""
        return [None] * len(self.result) if self.threshold is None else self.result.verdicts

    @property
    def answer(self) -> str | None:
        return self.answers[self.shown]

    def _settings(self) -> dict[str, Any]:
        examples = {name: len(own) for name, own in self.session.known().items()}
        return {"examples": examples, "calibrated_on": self.basis.kind or None}

    def ranked(self) -> list[tuple[str, float]]:
        """Class and cosine similarity, the most similar first."""
        similarity = self.result.similarity[self.shown]
        order = np.argsort(-similarity, kind="stable")
        return [(str(self.result.classes[i]), float(similarity[i])) for i in order]

    def order(self) -> list[int]:
        """The places of the shapes, the most novel first."""
        return [int(i) for i in np.argsort(-self.result.novelty, kind="stable")]


@dataclass(frozen=True, eq=False)
class ShapeVerdict(Verdict):
    """map: where the shape that is shown is novel."""

    map: NoveltyMap = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.shape.name

    def as_json(self) -> dict[str, Any]:
        """Every figure on the page, for machines."""
        record, found, patches = self.result.as_json(), self.map, self.map.patches
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
                "by": found.provenance.method,
                "compared": self.compared,
                "colors": [float(bound) for bound in found.bounds()],
                "patch_centers": patches.centers.round(6).tolist() if patches else [],
                "patch_novelty": patches.novelty.astype(float).round(6).tolist() if patches else [],
                "patch_nearest": patches.nearest.tolist() if patches else [],
            },
        }


@dataclass(frozen=True, eq=False)
class ScanVerdict(Verdict):
    """scene: what was found in the room; the shapes of the session are its objects, the most novel first."""

    scene: SceneResult = field(kw_only=True)

    @property
    def name(self) -> str:
        return self.scene.scene.name

    @property
    def map(self) -> NoveltyMap:
        return self.scene.map

    def as_json(self) -> dict[str, Any]:
        """labels: what those of the PLY mean."""
        labels = {str(label): name for label, name in self.scene.painted()[1].items()}
        return {**self.scene.as_json(), **self._settings(), "remarks": self.remarks, "labels": labels}
