"""Paths of shapes in a table, as data scientists keep them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer

from openshape_ood import ShapeEmbedder
from openshape_ood.errors import CloudError
from openshape_ood.synthetic import sample


def test_a_column_of_paths_is_embedded_in_every_form(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{name}.npy") for name in ("chair", "lamp")]
    for path, name in zip(paths, ("chair", "lamp"), strict=True):
        np.save(path, sample(name, 400, seed=0))
    frame, embedder = pd.DataFrame({"path": paths, "weight": [1.0, 2.0]}), ShapeEmbedder("tiny", up="y")
    expected = embedder.transform(paths)
    for given in (frame[["path"]], frame["path"], frame[["path"]].to_numpy(), np.array(paths)[:, None]):
        assert (embedder.transform(given) == expected).all()
    both = ColumnTransformer([("shape", embedder, ["path"]), ("weight", "passthrough", ["weight"])])
    assert (both.fit_transform(frame)[:, :-1] == expected).all()
    with pytest.raises(CloudError, match=r"an array \(2, 2\)"):
        embedder.transform(frame)
