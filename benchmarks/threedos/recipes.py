"""Settings of the two protocols: preparation of clouds, features, templates."""

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
SEEDS = (1, 41, 13718)  # of the 3DOS paper
# points of a support shape and of a test shape
SEMNOV_POINTS: dict[Track, tuple[int, int]] = {"synthetic to real": (1024, 2048), "synthetic": (1024, 1024)}
SEMNOV_POINTS["real"] = (2048, 2048)


@dataclass(frozen=True)
class Recipe:
    """Preparation of a cloud: rotation from axis `up` to axis `to`, resampling, gray color. Part of the cache key.

    fewer: as in the encoder's `CloudSpec`.
    """

    points: int
    up: str
    to: str
    color: float
    fewer: str = "repeat"

    def prepare(self, cloud: np.ndarray, seed: int, name: str) -> np.ndarray:
        """Prepare a cloud (n, 3) for the encoder: (points, 6) float32."""
        frame = CloudSpec(self.points, self.to, self.color, self.fewer)
        return prepare(check_cloud(cloud, name), frame, up=self.up, seed=seed, name=name)

    def record(self, row: Row, checkpoint_hash: str, seed: int, device: str) -> dict[str, Any]:
        """Everything an embedding depends on except the cloud: weights, sizes, code, recipe, seed, device."""
        network = {"architecture": row.architecture, "sizes": asdict(row.sizes), "code": code_hash()}
        return {"checkpoint": checkpoint_hash, **network, **asdict(self), "seed": seed, "device": device}


@cache
def code_hash() -> str:
    """sha256 of the source code that prepares and embeds clouds. Changed code invalidates cached embeddings."""
    folder = Path(openshape_ood.__file__).parent
    sources = [folder / "shapes" / "points.py", *sorted((folder / "encoders").rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def record_key(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Settings:
    """Settings of a protocol.

    color: gray of clouds without color; exchange: True to rotate y-up data to the encoder's up axis; unit: True for
    cosines of unit vectors, False for Euclidean distances of raw features; templates: a list in templates.toml, "" for
    the bare name; support: copies added to the clean support shapes.
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
        """Recipe of a set's clouds, which are y up, for an encoder."""
        points = self.support_points if part == "support" else self.test_points
        return Recipe(points, "y", row.spec.up if self.exchange else "y", self.color, row.spec.fewer)


def openshape(row: Row, track: Track = "synthetic to real") -> Settings:
    """Preprocessing and templates of the encoder's registry row; cosines."""
    points = row.spec
    exchange = points.up != "y"
    return Settings("openshape", points.count, points.count, points.color, exchange, True, row.text.templates)


def semnov(row: Row, track: Track = "synthetic to real") -> Settings:
    """Settings of the published reference run of OpenShape on 3DOS, github.com/HLWPOLITO/SemNov_AML_DAAI_23-24.

    It had only synthetic-to-real benchmarks, and no names. Other tracks use the numbers of points of 3DOS.
    """
    return Settings("semnov", *SEMNOV_POINTS[track], 0.0, False, False, "")


PROTOCOLS = {"openshape": openshape, "semnov": semnov}


def find_settings(protocol: str, row: Row, track: Track) -> Settings:
    """Settings of a protocol for an encoder and a track."""
    check_choice(protocol, "protocol", tuple(PROTOCOLS))
    return PROTOCOLS[protocol](row, track)
