"""The network against the reference implementation, through the real loader.

`golden.json` holds a small figure of every embedding: its norm and first 8 values. Where the environment
variable OPENSHAPE_OOD_PARITY names a folder with the whole arrays (`golden.npz`), the slow tests compare
them too. `python -m tests.test_parity` prints all relative errors.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from published import CASES, PUBLISHED, clouds, write_checkpoint

from openshape_ood import ShapeEncoder

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
FOLDER = os.environ.get("OPENSHAPE_OOD_PARITY")
LIMIT = 1e-5

Error = Callable[[str, str, np.ndarray], float]


def load(name: str) -> ShapeEncoder:
    with tempfile.TemporaryDirectory() as folder:
        return ShapeEncoder.from_pretrained(name, checkpoint=write_checkpoint(name, Path(folder, "model.pt")))


def embed(encoder: ShapeEncoder, case: str) -> np.ndarray:
    with torch.inference_mode():
        return encoder.network(torch.from_numpy(clouds(case)).to(encoder.device)).cpu().numpy()


def figure_error(name: str, case: str, embeddings: np.ndarray) -> float:
    """The largest relative error of the figures of a case."""
    errors = []
    for golden, embedding in zip(GOLDEN[f"{name}/{case}"], embeddings.astype(np.float64), strict=True):
        errors.append(abs(np.linalg.norm(embedding) - golden["norm"]) / golden["norm"])
        first = np.array(golden["first"])
        errors.append(np.linalg.norm(embedding[: len(first)] - first) / np.linalg.norm(first))
    return max(errors)


def whole_error(name: str, case: str, embeddings: np.ndarray) -> float:
    with np.load(Path(FOLDER or "", "golden.npz")) as arrays:
        golden = arrays[f"{name}/{case}"]
    return float(np.linalg.norm(embeddings - golden) / np.linalg.norm(golden))


def measure(name: str, error: Error) -> Iterator[tuple[str, float]]:
    encoder = load(name)
    for case in CASES:
        yield case, error(name, case, embed(encoder, case))


def check(name: str, error: Error) -> None:
    for case, found in measure(name, error):
        print(f"{name} {case} {found:.1e}")
        assert found <= LIMIT, f"{name} {case}: relative error {found:.1e}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_figures(name: str) -> None:
    check(name, figure_error)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="OPENSHAPE_OOD_PARITY names no folder with golden.npz")
@pytest.mark.parametrize("name", PUBLISHED)
def test_whole_arrays(name: str) -> None:
    check(name, whole_error)


def main() -> None:
    for name in PUBLISHED:
        for case, found in measure(name, whole_error if FOLDER else figure_error):
            print(f"{name}  {case:10}  {found:.2e}", flush=True)


if __name__ == "__main__":
    main()
