"""Calibration on generated shapes of the known classes, for encoders trained on generated shapes.

The coverage of `decisions.calibration` then holds only for shapes from the same generator: scans or whole models. For
real objects, calibrate on your own known shapes. The package contains embeddings of the generated shapes, made by
`python -m benchmarks.training.calibration_set`. For `small`, it contains scans only, because of its size limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from openshape_ood.decisions.threshold import GENERATED, Threshold
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.protocols import Embeddings, Identity, Provenance
from openshape_ood.known import KnownClasses
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.registry import find_checkpoint
from openshape_ood.scoring import Method
from openshape_ood.storage import loaded_arrays, save_arrays

Generated = Literal["scans", "models"]
MODEL = "tiny"
# encoders trained on generated shapes, and the kinds of generated shapes with packaged embeddings
MODELS: dict[str, tuple[Generated, ...]] = {MODEL: ("scans", "models"), "small": ("scans",)}
FILE, KIND = "calibration.safetensors", "calibration set"


class Pipeline(Protocol):
    """The parts of a `NoveltyPipeline` that `generated_threshold` uses."""

    @property
    def known(self) -> KnownClasses: ...
    @property
    def method(self) -> Method: ...
    @property
    def encoders(self) -> Encoders: ...
    @property
    def num_samples(self) -> int: ...
    @property
    def provenance(self) -> Provenance: ...
    def __call__(self, shapes: Any, *, up: str | None = None) -> NoveltyResult: ...


def generated_threshold(pipeline: Pipeline, coverage: float = 0.95, generated: Generated = "scans") -> Threshold | None:
    """Threshold that keeps a fraction of generated shapes of the known classes. It holds for generated shapes only.

    The result is None if the encoder is not `tiny` or `small`, the two that were trained on generated shapes. It is
    also None if no known class is a generated category. If only some classes are, `source` lists them.

    Examples
    --------
    >>> from openshape_ood.novelty import NoveltyPipeline
    >>> pipeline = NoveltyPipeline.prepare(["chair", "couch"], model="tiny", generated=None)
    >>> generated_threshold(pipeline).n
    100
    """
    from openshape_ood.synthetic.calibration import resolve

    names, provenance = pipeline.known.names, pipeline.provenance
    covered = {name: category for name in names if (category := resolve(name))}
    if not trained_on_generated(provenance.identity) or not covered:
        return None
    categories = list(dict.fromkeys(covered.values()))
    if pipeline.method.rows == "patches" or pipeline.num_samples != 1:
        result = pipeline(shapes_of(categories, generated), up="y")
    else:
        rows = np.concatenate(
            [
                embedded(category, generated, pipeline.encoders, provenance.identity.checkpoint)
                for category in categories
            ]
        )
        result = pipeline(Embeddings(rows, provenance.identity))
    what = "whole models" if generated == "models" else "scans"
    others = [name for name in names if name not in covered]
    source = f"{GENERATED}{what} of {', '.join(covered)}{', none of ' if others else ''}{', '.join(others)}"
    return Threshold.from_novelty(result.novelty, coverage, provenance=replace(provenance, up="y"), source=source)


def trained_on_generated(identity: Identity) -> bool:
    """True for the encoders trained on generated shapes: the packaged `tiny` and `small`."""
    name = identity.checkpoint
    return name in MODELS and identity.sha256 == find_checkpoint(name).source.sha256


def shapes_of(categories: Sequence[str], generated: Generated) -> list[np.ndarray]:
    from openshape_ood.synthetic.calibration import calibration_models, calibration_scans

    return (calibration_models if generated == "models" else calibration_scans)(categories)


def embedded(category: str, generated: Generated, encoders: Any, model: str = MODEL) -> np.ndarray:
    """Embeddings (50, d) of the generated shapes of a category: from the package, else encoded and cached.

    `model` is the name of the encoder. It is loaded only if the package has no such embeddings.
    """
    packaged = _packaged(model)
    rows = packaged.get(f"{generated} {category}")
    if rows is None:
        rows = packaged[f"{generated} {category}"] = encoders.shape.encode(shapes_of([category], generated), up="y")
    return np.asarray(rows, dtype=np.float32)


@cache
def _packaged(model: str = MODEL) -> dict[str, np.ndarray]:
    """Packaged embeddings of a model. Empty if they were made with other weights."""
    row = find_checkpoint(model)
    path = Path(row.folder) / model / FILE
    if not path.is_file():
        return {}
    with loaded_arrays(path, KIND) as (header, arrays):
        return dict(arrays) if header["sha256"] == row.source.sha256 else {}


def write_packaged(path: Path, encoder: Any, categories: Sequence[str], model: str = MODEL) -> Path:
    """Embed the generated shapes of all categories, and save them as float16 for the package."""
    arrays = {
        f"{generated} {category}": encoder.encode(shapes_of([category], generated), up="y").astype(np.float16)
        for generated in MODELS[model]
        for category in categories
    }
    return save_arrays(path, arrays, {"sha256": encoder.identity.sha256}, KIND)
