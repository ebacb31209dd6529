"""The two protocols, switch by switch: how clouds become embeddings, and what embeddings are held against."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

import openshape_ood
from benchmarks.threedos.splits import Track
from openshape_ood.checks import check_choice
from openshape_ood.registry.rows import Row
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import check_cloud, prepare

Support = Literal["clean", "with corrupted copies", "with partial views"]
SEEDS = (1, 41, 13718)  # those of the 3DOS paper
# points of a support and of a test shape
SEMNOV_POINTS: dict[Track, tuple[int, int]] = {"synthetic to real": (1024, 2048), "synthetic": (1024, 1024)}
SEMNOV_POINTS["real"] = (2048, 2048)


@dataclass(frozen=True)
class Recipe:
    """Preparation of one cloud: axis `up` -> `to`, resampling, gray; part of the key of its embedding.

    fewer: as in the `CloudSpec` of the encoder.
    """

    points: int
    up: str
    to: str
    color: float
    fewer: str = "repeat"

    def prepare(self, cloud: np.ndarray, seed: int, name: str) -> np.ndarray:
        """A cloud (n, 3) as the encoder takes it: (points, 6) float32."""
        frame = CloudSpec(self.points, self.to, self.color, self.fewer)
        return prepare(check_cloud(cloud, name), frame, up=self.up, seed=seed, name=name)

    def record(self, row: Row, checkpoint_hash: str, seed: int, device: str) -> dict[str, Any]:
        """All that an embedding depends on besides the cloud: weights, sizes that are not in them, code, recipe."""
        network = {"architecture": row.architecture, "sizes": asdict(row.sizes), "code": code_hash()}
        return {"checkpoint": checkpoint_hash, **network, **asdict(self), "seed": seed, "device": device}


@cache
def code_hash() -> str:
    """sha256 of the source of what prepares and embeds clouds: an edit there makes kept embeddings stale."""
    folder = Path(openshape_ood.__file__).parent
    sources = [folder / "shapes" / "points.py", *sorted((folder / "encoders").rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def record_key(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Settings:
    """Every switch of a protocol.

    color: gray of clouds without color. exchange: whether data that is y up is brought to the encoder's own gravity
    axis. unit: cosines of unit vectors, or else Euclidean distances of raw features. templates: a list in
    templates.toml, "" for the bare name. support: what stands beside the clean support shapes.
    """

    protocol: str
    support_points: int
    test_points: int
    color: float
    exchange: bool
    unit: bool
    templates: str
    num_samples: int = 1
    support: Support = "clean"

    def recipe(self, part: str, row: Row) -> Recipe:
        """Preparation of a set's clouds for an encoder; all benchmark data is y up."""
        points = self.support_points if part == "support" else self.test_points
        return Recipe(points, "y", row.spec.up if self.exchange else "y", self.color, row.spec.fewer)


def openshape(row: Row, track: Track = "synthetic to real") -> Settings:
    """The encoder's own preprocessing, as its registry row has it; cosines; its templates."""
    points = row.spec
    exchange = points.up != "y"
    return Settings("openshape", points.count, points.count, points.color, exchange, True, row.text.templates)


def semnov(row: Row, track: Track = "synthetic to real") -> Settings:
    """The published reference run of a frozen OpenShape on 3DOS, github.com/HLWPOLITO/SemNov_AML_DAAI_23-24.

    It was of the synthetic to real benchmarks only, without names; elsewhere the points are those that 3DOS samples.
    """
    return Settings("semnov", *SEMNOV_POINTS[track], 0.0, False, False, "")


PROTOCOLS = {"openshape": openshape, "semnov": semnov}


def find_settings(protocol: str, row: Row, track: Track) -> Settings:
    """The switches of a protocol for an encoder."""
    check_choice(protocol, "protocol", tuple(PROTOCOLS))
    return PROTOCOLS[protocol](row, track)
