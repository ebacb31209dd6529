"""The sparse networks against MinkowskiEngine's numbers.

Where the environment variable OPENSHAPE_OOD_PARITY names a folder with `seg_golden.npz` and `openscene_golden.npz`,
these are compared whole; `seed` in them, 0 where there is none, is that of weights and inputs. `pytest -s` prints all
differences; where spconv is installed, those of it, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import golden
import numpy as np
import pytest
import torch
from published_scenes import criterion_shapes, kernels, network, on_grid, probe, scan, unet_shapes

from openshape_ood.scenes.sparse.convolution import Convolution, convolve
from openshape_ood.scenes.sparse.on_spconv import SpconvGrid

pytestmark = golden.needs("seg_golden.npz")
LIMIT, LIMIT_TRAINING = 1e-5, 2e-5  # relative
Differences = Iterator[tuple[str, float, float]]


def pack(name: str = "seg") -> dict[str, np.ndarray]:
    return golden.arrays(f"{name}_golden.npz")


def seed(name: str = "seg") -> int:
    return golden.seed_of(f"{name}_golden.npz")


def apart(key: str, found: Any, name: str = "seg") -> float:
    """The length of the difference from the golden array by that of the golden array."""
    golden = pack(name)[key].astype(np.float64)
    values = np.asarray(found.detach() if isinstance(found, torch.Tensor) else found).astype(np.float64)
    assert values.shape == golden.shape, f"{key}: {values.shape}, expected {golden.shape}"
    return float(np.linalg.norm(values - golden) / max(np.linalg.norm(golden), 1e-12))


def sorted_rows(grid: Any, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells of a grid in units of the finest, sorted by scan, x, y, z; and that order."""
    cells = grid.cells.numpy() * np.array([1, stride, stride, stride])
    order = np.lexsort(cells.T[::-1])
    return cells[order], order


def of_operations() -> Differences:
    coords, features, kernel = kernels(seed())
    grid, x, back = on_grid(coords, features)
    k = {name: torch.from_numpy(one) for name, one in kernel.items()}
    yield "conv/3", apart("conv/3", convolve(x, k["3"], grid.neighbors(3))[back]), LIMIT
    down = convolve(x, k["down"], grid.down)
    cells, order = sorted_rows(grid.coarser, 2)
    assert (cells == pack()["conv/down_coords"]).all()
    yield "conv/down", apart("conv/down", down[order]), LIMIT
    again = convolve(down, k["3_on_stride_2"], grid.coarser.neighbors(3))
    yield "conv/3_on_stride_2", apart("conv/3_on_stride_2", again[order]), LIMIT
    yield "conv/up", apart("conv/up", convolve(down, k["up"], grid.up)[back]), LIMIT
    one = Convolution(4, 5, bias=True)
    one.load_state_dict({"kernel": k["1"], "bias": k["1_bias"]})
    yield "conv/1", apart("conv/1", one(x)[back]), LIMIT


def of_unet() -> Differences:
    coords, color = scan(seed())
    grid, x, back = on_grid(coords, color / 255 - 0.5)
    x.requires_grad_()
    made, levels = network("mini", seed()), {}
    for i in range(1, 5):
        made.get_submodule(f"block{i}").register_forward_hook(lambda _m, _x, out, i=i: levels.update({i: out}))
    features = made.features(x, grid)
    yield "unet/features", apart("unet/features", features[back]), LIMIT
    yield "unet/logits", apart("unet/logits", made.classify(features)[back]), LIMIT
    coarse = grid
    for i, level in levels.items():
        coarse, stride = coarse.coarser, 2**i
        cells, order = sorted_rows(coarse, stride)
        assert (cells == pack()[f"unet/stride_{stride}_coords"]).all()
        yield f"unet/stride_{stride}", apart(f"unet/stride_{stride}", level[order]), LIMIT
    (features[back] * torch.from_numpy(probe(*features.shape, seed()))).sum().backward()
    assert x.grad is not None
    yield "unet/grad_input", apart("unet/grad_input", x.grad[back]), LIMIT
    for key, one in made.named_parameters():
        if f"unet/grad/{key}" in pack():
            yield f"unet/grad/{key}", apart(f"unet/grad/{key}", one.grad), LIMIT


def of_training() -> Differences:
    coords, color = scan(seed())
    grid, x, back = on_grid(coords, color / 255 - 0.5)
    made = network("mini", seed()).train()
    features = made.features(x, grid)
    yield "unet/training_features", apart("unet/training_features", features[back][:100]), LIMIT_TRAINING
    own = dict(made.named_buffers())
    for key in (key for key in pack() if key.startswith("unet/training_running_")):
        what, _, norm = key.removeprefix("unet/training_").partition("/")
        found = own.get(f"{norm}.{what}", own.get(f"{norm}.bn.{what}"))
        assert found is not None, key
        yield key, apart(key, found), LIMIT_TRAINING


def on_spconv(coords: np.ndarray, features: np.ndarray) -> tuple[SpconvGrid, torch.Tensor, torch.Tensor]:
    grid, x, back = on_grid(coords, features)
    return SpconvGrid.of(grid), x, back


def of_spconv() -> Differences:
    """What does not tell in which order spconv has coarser voxels."""
    coords, features, kernel = kernels(seed())
    grid, x, back = on_spconv(coords, features)
    k = {name: torch.from_numpy(one) for name, one in kernel.items()}
    yield "conv/3", apart("conv/3", convolve(x, k["3"], grid.neighbors(3))[back]), LIMIT
    yield "conv/up", apart("conv/up", convolve(convolve(x, k["down"], grid.down), k["up"], grid.up)[back]), LIMIT
    coords, color = scan(seed())
    grid, x, back = on_spconv(coords, color / 255 - 0.5)
    made = network("mini", seed())
    with torch.inference_mode():
        found = made.features(x, grid)
        yield "unet/features", apart("unet/features", found[back]), LIMIT
        yield "unet/logits", apart("unet/logits", made.classify(found)[back]), LIMIT


def of_whole(name: str, place: Any = on_grid) -> Callable[[], Differences]:
    def measure() -> Differences:
        coords, color = scan(seed())
        first = np.flatnonzero(coords[:, 0] == 0)[:160]
        grid, x, back = place(coords[first], color[first] / 255 - 0.5)
        made = network(name, seed())
        with torch.inference_mode():
            features = made.features(x, grid)[back][:16]
            yield f"{name}/features", apart(f"{name}/features", features), LIMIT
            yield f"{name}/logits", apart(f"{name}/logits", made.classify(features)), LIMIT
            key = f"{name}/logits_with_last_relu"
            if key in pack():
                logits = network(name, seed(), last_relu=True)
                yield key, apart(key, logits.classify(logits.features(x, grid))[back][:16]), LIMIT

    return measure


def of_openscene(name: str, place: Any = on_grid) -> Callable[[], Differences]:
    def measure() -> Differences:
        coords, _ = scan(seed("openscene"))
        grid, x, back = place(coords, np.ones((len(coords), 3), dtype=np.float32))
        with torch.inference_mode():
            found = network(name, seed("openscene"))(x, grid)[back]
        yield f"{name}/features", apart(f"{name}/features", found[:64], "openscene"), LIMIT
        yield f"{name}/norms", apart(f"{name}/norms", found.norm(dim=1), "openscene"), LIMIT

    return measure


QUICK: dict[str, Callable[[], Differences]] = {"operations": of_operations, "unet": of_unet, "training": of_training}
WHOLE: dict[str, Callable[[], Differences]] = {name: of_whole(name) for name in ("34C", "34D")}
WHOLE |= {name: of_openscene(name) for name in ("lseg", "openseg")}
if find_spec("spconv"):
    QUICK["spconv"] = of_spconv
    WHOLE |= {f"spconv {name}": of_whole(name, on_spconv) for name in ("34C", "34D")}
    WHOLE |= {f"spconv {name}": of_openscene(name, on_spconv) for name in ("lseg", "openseg")}


@pytest.mark.parametrize("what", QUICK)
def test_parity_scenes(what: str) -> None:
    check(QUICK[what])


@pytest.mark.slow
@pytest.mark.parametrize("what", WHOLE)
def test_parity_scenes_whole(what: str) -> None:
    check(WHOLE[what])


def check(measure: Callable[[], Differences]) -> None:
    found = list(measure())
    assert found
    for what, error, limit in found:
        print(f"{what} {error:.1e}")
        assert error <= limit, f"{what}: relative error {error:.1e}"


def test_keys_of_the_published_files() -> None:
    listed = json.loads(Path(golden.FOLDER, "seg_keys.json").read_text())
    for name in ("34C", "34D", "mini"):
        assert list(unet_shapes(name).items()) == [(key, tuple(shape)) for key, shape in listed[name].items()]
    for stage, shapes in listed["criterion"].items():
        assert criterion_shapes(stage) == {key: tuple(shape) for key, shape in shapes.items()}
    listed = json.loads(Path(golden.FOLDER, "openscene_keys.json").read_text())
    own = {f"net3d.{key}": list(shape) for key, shape in unet_shapes("lseg").items()}
    assert list(own.items()) == list(listed["lseg"].items())
    differs = {f"net3d.{key}": list(shape) for key, shape in unet_shapes("openseg").items()}
    assert differs == own | listed["openseg_differs"]
