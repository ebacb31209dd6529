"""The trained baselines against their published modules: logits, features and scores.

Where the environment variable OPENSHAPE_OOD_PARITY names a folder with `baseline_golden.npz` and `make_baselines.py`.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch
from golden import FOLDER, arrays, needs

from benchmarks.baselines.networks import Classifier, Sizes
from benchmarks.baselines.scores import SCORES, Fitted, Head

LIMITS = {"dgcnn": 3e-3, "pn2": 5e-6, "pn2_torch": 5e-6}  # relative, of a row, in float32
LIMIT64 = 1e-12
HEADS = {"dgcnn": ("CE", "cosine", "subcenter_arcface"), "pn2": ("CE", "cosine", "subcenter_arcface")}
CASES = [(kind, head) for kind in LIMITS for head in HEADS.get(kind, ("CE",))]
GOLDEN = "baseline_golden.npz"
pytestmark = needs(GOLDEN)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What makes the weights and clouds of the golden file."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("make_baselines")


def network(made: Any, kind: str, head: str) -> Classifier:
    classes = made.CLASSES[kind]
    built = Classifier(Sizes(kind, head, classes))
    built.load_state_dict(made.state_dict(kind, head, classes, int(arrays(GOLDEN)["seed"])))
    return built.eval().requires_grad_(False)


def relative(values: np.ndarray, right: np.ndarray) -> float:
    difference = np.linalg.norm(values - right, axis=1)
    return float((difference / np.linalg.norm(right, axis=1)).max())


@pytest.mark.slow
@pytest.mark.parametrize("kind, head", CASES)
def test_features_and_logits_are_the_published(made: Any, kind: str, head: str) -> None:
    built = network(made, kind, head)
    for exact in (False, True):
        built = built.double() if exact else built
        for case, which in made.CLOUDS[int(arrays(GOLDEN)["seed"])].items():
            clouds = torch.from_numpy(made.clouds(*which)).to(torch.float64 if exact else torch.float32)
            encoded = built.enco(clouds)
            features = built.penultimate(encoded)
            found = {"penultimate": features, "logits": built.head(features)}
            ending, limit = ("64", LIMIT64) if exact else ("", LIMITS[kind])
            keys = {f"{kind}/{case}/encoder{ending}": encoded}
            keys |= {f"{kind}/{head}/{case}/{name}{ending}": value for name, value in found.items()}
            for key, value in keys.items():
                error = relative(value.numpy(), arrays(GOLDEN)[key])
                print(f"{key} {error:.1e}")
                assert error <= limit, f"{key}: relative error {error:.1e}"


PUBLISHED: dict[str, Any] = {  # from novelty here to the number there
    "entropy": lambda novelty: 1 / novelty,
    "l2_nearest": lambda novelty: 1 / novelty,
    "l2_prototype": lambda novelty: 1 / novelty,
    "cosine_nearest": lambda novelty: 0.5 - 0.5 * novelty,
    "cosine_prototype": lambda novelty: 0.5 - 0.5 * novelty,
}


@pytest.mark.parametrize("kind, head", [case for case in CASES if case[0] != "pn2_torch"])
def test_scores_are_the_published(made: Any, kind: str, head: str) -> None:
    sets = made.sets(made.CLASSES[kind], int(arrays(GOLDEN)["seed"]))
    (examples, labels), (held_out, _), (features, _) = (sets[name] for name in ("bank", "calibration", "test"))
    fitted = Fitted.of(Head.of(network(made, kind, head)), examples, labels, held_out)
    right = {key.rpartition("/")[2]: v for key, v in arrays(GOLDEN).items() if key.startswith(f"{kind}/{head}/scores/")}
    found = {name: PUBLISHED.get(name, np.negative)(novelty) for name, novelty in fitted.novelty(features).items()}
    found |= {"logits": fitted.head.logits(features), "react_threshold": np.array(fitted.clip)}
    assert found.keys() == right.keys() == {*SCORES, "logits", "react_threshold"}
    for name, value in found.items():
        np.testing.assert_allclose(value, right[name], rtol=LIMIT64, atol=1e-14, err_msg=name)
