"""ShapeEmbedder: from shapes to embeddings, as the first step of a scikit-learn pipeline.

>>> from sklearn.pipeline import make_pipeline
>>> from openshape_ood.sklearn_api.detector import NoveltyDetector
>>> from openshape_ood.synthetic import sample
>>> clouds = [sample(name, 1024, seed=seed) for name in ("chair", "lamp") for seed in range(4)]
>>> detector = make_pipeline(ShapeEmbedder("tiny"), NoveltyDetector()).fit(clouds, ["chair"] * 4 + ["lamp"] * 4)
>>> detector.predict([sample("chair", 1024, seed=9), sample("car", 1024, seed=9)])
array([ 1, -1])
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import CloudError, InputError
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import Row
from openshape_ood.shapes.points import check_up

if TYPE_CHECKING:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

# encoders cached per process, shared by all embedders
KEPT = 2

_loading = Lock()


class ShapeEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Transformer from shapes to embeddings (b, d), with the checkpoint `model`.

    Shapes can be a list of clouds (n, 3|6), paths or trimesh objects; an array, series or data frame with one column of
    paths; or a stack of clouds (b, n, 3|6). Put a single shape into a list, because the rows of a single cloud would
    count as samples.

    Several files are read in child processes, with limits of time and memory. An unusable file raises an error with its
    name. `n_jobs` of scikit-learn is safe, because it starts new processes (loky). Do not fork with `multiprocessing`
    after `transform`: the forked process hangs if torch uses two or more threads.

    Nothing is learned from data. Each process loads the encoder on first use; a pickle does not contain it. A search
    over parameters of a detector embeds the shapes again for each value, unless the pipeline has a cache:
    `make_pipeline(..., memory="folder")`.

    Parameters
    ----------
    model, checkpoint, registry, device
        As in `ShapeEncoder.from_pretrained`.
    up : str
        Gravity axis of the shapes: "y", "z" or "x" with an optional "-", or "file".
    batch_size, seed, num_samples : int
        As in `ShapeEncoder.encode`. A shape has the same embedding in any fold or batch.
    """

    def __init__(
        self,
        model: str = "vitb32",
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        registry: str | os.PathLike[str] | None = None,
        device: Any = None,
        up: str = "file",
        batch_size: int = 32,
        seed: int = 0,
        num_samples: int = 1,
    ) -> None:
        self.model = model
        self.checkpoint = checkpoint
        self.registry = registry
        self.device = device
        self.up = up
        self.batch_size = batch_size
        self.seed = seed
        self.num_samples = num_samples

    def fit(self, X: Any = None, y: Any = None) -> ShapeEmbedder:  # noqa: N803
        """Check model and gravity axis. Nothing is learned or loaded.

        Raises `UnknownNameError` for an unknown model or axis, `InputError` for one axis per shape.
        """
        find_checkpoint(self.model, self.registry)
        if not isinstance(self.up, str):
            raise InputError(
                f"up is {self.up!r}. Expected one axis for all shapes, because folds regroup shapes. Give one axis."
            )
        if self.up != "file":
            check_up(self.up)
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Unit embeddings (b, d) float32 of b shapes. Errors are as in `ShapeEncoder.encode` and `from_pretrained`."""
        self.fit()
        return self.encoder.encode(
            _listed(X), up=self.up, batch_size=self.batch_size, seed=self.seed, num_samples=self.num_samples
        )

    @property
    def encoder(self) -> ShapeEncoder:
        """The encoder, loaded on first use in this process."""
        with _loading:
            row = find_checkpoint(self.model, self.registry)
            table = None if self.registry is None else os.fspath(self.registry)
            return _encoder(row, _file(self.checkpoint), table, self.device)

    @property
    def identity(self) -> Identity:
        """Encoder of the embeddings. Set `detector.identity = embedder.identity` to save it with the detector."""
        return self.encoder.identity

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return find_checkpoint(self.model, self.registry).sizes.embedding_dim


@lru_cache(maxsize=KEPT)
def _encoder(row: Row, checkpoint: tuple[Path, float] | None, registry: str | None, device: Any) -> ShapeEncoder:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

    path = None if checkpoint is None else checkpoint[0]
    return ShapeEncoder.from_pretrained(row.name, checkpoint=path, registry=registry, device=device)


def _file(path: str | os.PathLike[str] | None) -> tuple[Path, float] | None:
    """Path and modification time, so that a replaced file is loaded again."""
    if path is None:
        return None
    given = Path(path).expanduser()
    return given, given.stat().st_mtime if given.exists() else 0.0


def _listed(shapes: Any) -> Any:
    """Shapes as a list, or as a stack of clouds. Raises `CloudError` for a single shape that is not in a list."""
    if getattr(shapes, "ndim", 1) == 2 and shapes.shape[1] == 1:  # a column, as `ColumnTransformer` passes it
        shapes = np.asarray(shapes, dtype=object)[:, 0]
    one = isinstance(shapes, str | os.PathLike | Mapping) or not hasattr(shapes, "__len__") or not len(shapes)
    if one or getattr(shapes, "ndim", 1) not in (1, 3):
        what = f"an array {tuple(shapes.shape)}" if hasattr(shapes, "shape") else f"{type(shapes).__name__}"
        raise CloudError(
            f"the shapes are {what}. Expected one or more clouds (n, 3|6), paths or meshes in a list, or a stack "
            "of clouds (b, n, 3|6). For a single shape, give [shape]."
        )
    # an array or column of paths, or any other one-dimensional container
    return shapes if getattr(shapes, "ndim", 1) == 3 else list(shapes)
