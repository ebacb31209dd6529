"""The networks against the reference implementation, through the real loader.

`golden.json` holds a small figure of every embedding: its norm and first 8 values. Where the environment variable
OPENSHAPE_OOD_PARITY names a folder with packs of whole arrays, the slow tests compare those too. A pack is an .npz
file; its entry `seed`, 0 where it has none, says which seed its inputs and weights were made with.

`golden.npz`: "<checkpoint>/<case>" (b, d) for the three OpenShape encoders and the cases of `published.CASES`.
`python tests/encoders/test_parity.py` prints all relative errors.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from published import CASES, PUBLISHED, clouds, made_up, write_checkpoint

from openshape_ood import ShapeEncoder

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
FOLDER = os.environ.get("OPENSHAPE_OOD_PARITY")
LIMIT = 1e-5

Error = Callable[[str, str, np.ndarray], float]


def load(name: str, seed: int) -> ShapeEncoder:
    with tempfile.TemporaryDirectory() as folder:
        path = write_checkpoint(name, Path(folder, "model.pt"), partial(made_up, seed=seed))
        return ShapeEncoder.from_pretrained(name, checkpoint=path)


def embed(encoder: ShapeEncoder, case: str, seed: int) -> np.ndarray:
    with torch.inference_mode():
        return encoder.network(torch.from_numpy(clouds(case, seed)).to(encoder.device)).cpu().numpy()


def figure_error(name: str, case: str, embeddings: np.ndarray) -> float:
    """The largest relative error of the figures of a case."""
    errors = []
    for golden, embedding in zip(GOLDEN[f"{name}/{case}"], embeddings.astype(np.float64), strict=True):
        errors.append(abs(np.linalg.norm(embedding) - golden["norm"]) / golden["norm"])
        first = np.array(golden["first"])
        errors.append(np.linalg.norm(embedding[: len(first)] - first) / np.linalg.norm(first))
    return max(errors)


def pack(entry: str) -> np.ndarray | None:
    with np.load(Path(FOLDER or "", "golden.npz")) as arrays:
        return arrays.get(entry)


def whole_error(name: str, case: str, embeddings: np.ndarray) -> float:
    golden = pack(f"{name}/{case}")
    assert golden is not None
    return float(np.linalg.norm(embeddings - golden) / np.linalg.norm(golden))


def measure(name: str, error: Error, seed: int = 0) -> Iterator[tuple[str, float]]:
    encoder = load(name, seed)
    for case in CASES:
        yield case, error(name, case, embed(encoder, case, seed))


def seed_of_the_pack() -> int:
    seed = pack("seed")
    return 0 if seed is None else int(seed)


def check(name: str, error: Error, seed: int = 0) -> None:
    for case, found in measure(name, error, seed):
        print(f"{name} {case} {found:.1e}")
        assert found <= LIMIT, f"{name} {case}: relative error {found:.1e}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_figures(name: str) -> None:
    check(name, figure_error)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="OPENSHAPE_OOD_PARITY names no folder with golden.npz")
@pytest.mark.parametrize("name", PUBLISHED)
def test_parity_openshape(name: str) -> None:
    check(name, whole_error, seed_of_the_pack())


def main() -> None:
    error, seed = (whole_error, seed_of_the_pack()) if FOLDER else (figure_error, 0)
    for name in PUBLISHED:
        for case, found in measure(name, error, seed):
            print(f"{name}  {case:10}  {found:.2e}", flush=True)


if __name__ == "__main__":
    main()
