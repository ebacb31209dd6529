"""The further encoders against their published modules, through the real loader.

As in `test_parity`: `golden_encoders.json` holds the norm and the first 8 values of some embeddings; where the
environment variable OPENSHAPE_OOD_PARITY names a folder with `encoders_golden.npz`, slow tests compare whole arrays.
Its entries: "geometry/<case>/picked" and "members"; "<encoder>/<case>/<what>" for `embedding`, and what leads to it, in
float32, and with "64" behind in float64; `seed`, 0 where there is none, of weights and clouds.
`python tests/encoders/test_parity_encoders.py` prints all relative errors.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from golden import FOLDER, needs
from golden import arrays as golden_arrays
from published_encoders import CASES, clouds, text_rows, write_checkpoint

from openshape_ood import ShapeEncoder
from openshape_ood.encoders.grouping.plain import farthest_point_sampling, gather, nearest_points
from openshape_ood.encoders.grouping.pointnet2 import sample_outside_core
from openshape_ood.encoders.pointbert.network import Adapters
from openshape_ood.encoders.uni3d.network import Uni3D

GOLDEN = json.loads(Path(__file__).with_name("golden_encoders.json").read_text())["cases"]
LIMIT, LIMIT64 = 5e-6, 1e-12  # relative, of a row
UNI3D = ("uni3d-ti", "uni3d-s", "uni3d-b", "uni3d-g-depth2")
NAMES = (*UNI3D, "tamm", "openshape-shapenet")
FAST = [("uni3d-ti", "core_2048"), ("tamm", "grey_2048"), ("openshape-shapenet", "grey_2048")]
SOURCE = '{ file = "model.pt" }'

slow = pytest.mark.slow
with_pack = needs("encoders_golden.npz")


def load(name: str, seed: int = 0) -> ShapeEncoder:
    """A row with made-up weights; "-depth2": with two blocks, in a registry of one's own."""
    name, _, depth = name.partition("-depth")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "checkpoint .* not confirmed", UserWarning)
        path = write_checkpoint(name, Path(folder, "model.pt"), seed, int(depth) if depth else None)
        if not depth:
            return ShapeEncoder.from_pretrained(name, checkpoint=path, device="cpu")
        registry = Path(folder, "mine.toml")
        row = f'like = "{name}"\nlicence = "none"\nsource = {SOURCE}\nsizes = {{ depth = {depth} }}'
        registry.write_text(f"[shallow]\n{row}\n", encoding="utf-8")
        return ShapeEncoder.from_pretrained("shallow", checkpoint=path, registry=registry, device="cpu")


def found(network: Any, points: torch.Tensor) -> dict[str, np.ndarray]:
    """Everything that a pack may hold of clouds (b, n, 6), by its name there."""
    with torch.inference_mode():
        embedding = network(points).numpy()
        if isinstance(network, Uni3D):
            return {"embedding": embedding, **stages(network, points)}
        if not isinstance(network.proj, Adapters):
            return {"embedding": embedding}
        network.proj, adapters = torch.nn.Identity(), network.proj
        body = network(points)
        network.proj = adapters
        arrays = {"body": body, "text": adapters.text(body), "image": adapters.image(body)}
        logits = embedding @ text_rows(15, embedding.shape[1], seed_of_the_pack()).T
        return {key: value.numpy() for key, value in arrays.items()} | {"logits": logits}


def in_float64(network: Uni3D) -> Uni3D:
    """As published, with batch-norm; after sampling and grouping everything in float64."""
    network.folded = None
    return network.double()


def stages(network: Any, points: torch.Tensor) -> dict[str, np.ndarray]:
    """Of the first cloud: 8 patches, 5 tokens before the first block, 4 after some."""
    tokens: dict[str, np.ndarray] = {}
    blocks = network.visual["blocks"]

    def keep(name: str, count: int) -> Any:
        return lambda _module, given, out=None: tokens.update(
            {name: (given[0] if out is None else out)[0, :count].numpy()}
        )

    hooks = [blocks[0].register_forward_pre_hook(keep("input", 5))]
    hooks += [blocks[i].register_forward_hook(keep(f"after_block_{i}", 4)) for i in (0, 5) if i < len(blocks) - 1]
    centers, members = network.group(points, network.sample(points))
    features = network.abstract(points, centers, members)
    _, others = network.transform(centers[:1], features[:1], True)
    for hook in hooks:
        hook.remove()
    return {**tokens, "patches": features[0, :8].numpy(), f"after_block_{len(blocks) - 1}": others[0, :3].numpy()}


def relative(values: np.ndarray, golden: np.ndarray) -> float:
    """The largest relative error of a row."""
    difference = np.linalg.norm(values - golden, axis=-1)
    return float((difference / np.linalg.norm(golden, axis=-1)).max())


def pack() -> dict[str, np.ndarray]:
    return golden_arrays("encoders_golden.npz") if FOLDER else {}


def seed_of_the_pack() -> int:
    return int(pack().get("seed", 0))


def measure(name: str) -> Iterator[tuple[str, float, float]]:
    """What of the pack, its relative error, and what it may be."""
    seed = seed_of_the_pack()
    network = load(name, seed).network
    for exact in (False, True) if name in UNI3D else (False,):
        network = in_float64(network) if exact else network
        for case in CASES:
            own = {key.rpartition("/")[2]: value for key, value in pack().items() if key.startswith(f"{name}/{case}/")}
            own = {key: value for key, value in own.items() if not exact or key.endswith("64")}
            if not own:
                continue
            count = max(len(value) for key, value in own.items() if key.startswith(("embedding", "logits")))
            points = torch.from_numpy(clouds(case, seed)[:count])
            arrays = found(network, points.double() if exact else points)
            for key, golden in own.items():
                values = arrays[key.removesuffix("64")]
                golden = golden[-len(values) :]  # tokens after the last block, without the class token
                what = f"{case}/{key}" + ", in float64" * exact
                yield what, relative(values, golden), LIMIT64 if exact else LIMIT


@slow
@with_pack
@pytest.mark.parametrize("name", NAMES)
def test_parity_encoders(name: str) -> None:
    for what, error, limit in measure(name):
        print(f"{name} {what} {error:.1e}")
        assert error <= limit, f"{name} {what}: relative error {error:.1e}"


@slow
@with_pack
@pytest.mark.parametrize("case", CASES)
def test_parity_encoders_grouping(case: str) -> None:
    xyz = torch.from_numpy(clouds(case, seed_of_the_pack()))[..., :3]
    picked = sample_outside_core(xyz, 512, farthest_point_sampling)
    np.testing.assert_array_equal(picked, pack()[f"geometry/{case}/picked"])
    if (members := pack().get(f"geometry/{case}/members")) is not None:
        np.testing.assert_array_equal(nearest_points(xyz, gather(xyz, picked), 64), members)


@pytest.mark.parametrize("name, case", FAST)
def test_figures_of_the_encoders(name: str, case: str) -> None:
    encoder = load(name)
    golden = GOLDEN[f"{name}/{case}"]
    with torch.inference_mode():
        embedding = encoder.network(torch.from_numpy(clouds(case)[:1])).numpy()[0]
    assert np.linalg.norm(embedding) == pytest.approx(golden["norm"], rel=LIMIT)
    assert relative(embedding[None, :8], np.array([golden["first"]])) <= 4 * LIMIT  # of few numbers


def main() -> None:
    for name in NAMES:
        for what, error, _ in measure(name):
            print(f"{name}  {what:40}  {error:.1e}", flush=True)


if __name__ == "__main__":
    main()
