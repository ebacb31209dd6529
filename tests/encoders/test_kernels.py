"""The Triton kernels against the torch versions, index by index.

They run on CPU tensors under Triton's interpreter, in a process of their own: the variable that asks for it must be
set before triton is imported. On a machine with a GPU the same cases run there as well.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from torch import Tensor

from openshape_ood.encoders.grouping import kernels
from openshape_ood.encoders.grouping import plain as grouping
from openshape_ood.errors import InputError, MissingPackageError

needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
ON = ["interpreter", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.fixture(scope="module")
def interpreter() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        pool.submit(os.getpid).result()  # the process starts here, with the variable
        patch.undo()
        yield pool


@pytest.fixture(params=ON)
def on(request: pytest.FixtureRequest) -> Callable[..., Tensor]:
    """Calls a kernel: in the interpreting process, or on the GPU, with the result brought back."""
    if request.param == "interpreter":
        pool = request.getfixturevalue("interpreter")
        return lambda kernel, *arguments: pool.submit(kernel, *arguments).result()
    return lambda kernel, *arguments: kernel(*(a.cuda() if isinstance(a, Tensor) else a for a in arguments)).cpu()


def random_clouds(b: int, n: int, seed: int = 0) -> Tensor:
    return torch.rand(b, n, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def grids(b: int, n: int, seed: int = 0) -> Tensor:
    """Clouds full of ties and of repeated points: 64 places only, exact in float32."""
    return torch.randint(0, 4, (b, n, 3), generator=torch.Generator().manual_seed(seed)) / 4


def repeated(b: int, n: int, seed: int = 0) -> Tensor:
    """Clouds in which most points stand several times."""
    few = random_clouds(b, max(1, n // 4), seed)
    return few[:, torch.randint(0, few.shape[1], (n,), generator=torch.Generator().manual_seed(seed))]


def shells(b: int, n: int, seed: int = 0) -> Tensor:
    """Points equally far from point 0, at the origin, but for rounding: the order of additions decides."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(b, n, 3, generator=generator).argsort(dim=-1)
    shell = torch.rand(b, 1, 3, generator=generator).expand(-1, n, -1).gather(-1, order)
    return torch.cat([torch.zeros(b, 1, 3), shell[:, 1:]], dim=1)


# around the powers of two, to which blocks are rounded up
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
CLOUDS = {"random": random_clouds, "grid": grids, "repeated": repeated, "shell": shells}


def on_the_rim(xyz: Tensor, centers: Tensor, seed: int) -> tuple[float, float]:
    """Two radii: to the last bit one of the torch version's distances, and the next smaller number."""
    distances = grouping._squared_distances(centers, xyz).flatten()
    positive = distances[distances > 0.01]
    limit = positive[seed % len(positive)]
    below = torch.nextafter(limit, torch.zeros(()))
    return float(limit.double().sqrt()), float(below.double().sqrt())


pytestmark = needs_triton


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize("n, count", [(1, 3), (100, 1), (129, 12), (600, 6)])
def test_sampling(kind: str, n: int, count: int, on: Callable[..., Tensor]) -> None:
    xyz = CLOUDS[kind](2, n)
    picked = on(kernels.farthest_point_sampling, xyz, count)
    assert picked.dtype == torch.long
    assert torch.equal(picked, grouping.farthest_point_sampling(xyz, count))


@pytest.mark.parametrize("kind", CLOUDS)
def test_sampling_every_small_size(kind: str, on: Callable[..., Tensor]) -> None:
    for n in SIZES:
        xyz, count = CLOUDS[kind](1 + n % 2, n, seed=n), 1 + n % 7
        picked = on(kernels.farthest_point_sampling, xyz, count)
        assert torch.equal(picked, grouping.farthest_point_sampling(xyz, count)), n


def test_sampling_more_than_there_are_different_points(on: Callable[..., Tensor]) -> None:
    three = torch.tensor([[[0.0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 3, 0]]])
    assert on(kernels.farthest_point_sampling, three, 9).tolist() == [[0, 4, 2] + [0] * 6]


def test_sampling_of_points_far_too_far_or_no_numbers(on: Callable[..., Tensor]) -> None:
    """Squares that overflow are infinite and tie; NaN counts as farther than all, as in torch."""
    xyz = random_clouds(3, 40)
    xyz[0] *= 1e30
    xyz[1, [7, 30]] = torch.nan
    xyz[2, [5, 21]] = torch.inf
    assert torch.equal(on(kernels.farthest_point_sampling, xyz, 6), grouping.farthest_point_sampling(xyz, 6))


def test_clouds_too_large_for_the_kernel_are_sampled_by_torch(on: Callable[..., Tensor]) -> None:
    xyz = random_clouds(1, kernels.LARGEST_CLOUD + 1)
    assert torch.equal(on(kernels.farthest_point_sampling, xyz, 3), grouping.farthest_point_sampling(xyz, 3))


@pytest.mark.parametrize("n", [kernels.LARGEST_RESIDENT, kernels.LARGEST_RESIDENT + 1, kernels.LARGEST_CLOUD])
def test_sampling_of_large_clouds(n: int, on: Callable[..., Tensor]) -> None:
    xyz = random_clouds(2, n)
    assert torch.equal(on(kernels.farthest_point_sampling, xyz, 12), grouping.farthest_point_sampling(xyz, 12))


@pytest.mark.parametrize("kind", CLOUDS)
@pytest.mark.parametrize(
    "n, p, radius, count", [(1, 1, 0.1, 4), (300, 20, 0.25, 16), (600, 3, 0.5, 64), (70, 9, 4, 99)]
)
def test_query(kind: str, n: int, p: int, radius: float, count: int, on: Callable[..., Tensor]) -> None:
    xyz = CLOUDS[kind](2, n)
    centers = xyz[:, :p]
    members = on(kernels.ball_query, xyz, centers, radius, count)
    assert members.dtype == torch.long
    assert torch.equal(members, grouping.ball_query(xyz, centers, radius, count))


@pytest.mark.parametrize("kind", CLOUDS)
def test_query_every_small_size(kind: str, on: Callable[..., Tensor]) -> None:
    for n in SIZES:
        xyz, count = CLOUDS[kind](1, n, seed=n), 1 + n % 9
        centers = xyz[:, n // 3 : n // 3 + 1 + n % 11]
        members = on(kernels.ball_query, xyz, centers, 0.5, count)
        assert torch.equal(members, grouping.ball_query(xyz, centers, 0.5, count)), n


def test_query_with_points_on_the_very_rim(on: Callable[..., Tensor]) -> None:
    """One bit more or less in a distance would put such a point on the other side."""
    for seed in range(8):
        xyz = random_clouds(1, 64, seed)
        centers = xyz[:, :8]
        inside, outside = (grouping.ball_query(xyz, centers, radius, 64) for radius in on_the_rim(xyz, centers, seed))
        assert not torch.equal(inside, outside)
        for radius, expected in zip(on_the_rim(xyz, centers, seed), (inside, outside), strict=True):
            assert torch.equal(on(kernels.ball_query, xyz, centers, radius, 64), expected), seed


def test_a_full_group_stops_no_other(on: Callable[..., Tensor]) -> None:
    """One center finds its members among the first points, its neighbor only behind several steps of the walk."""
    n = 3 * kernels.POINTS + 5
    xyz = torch.zeros(1, n, 3)
    xyz[0, -2:] = 5
    centers = xyz[:, [0, -1]]
    assert on(kernels.ball_query, xyz, centers, 1, 3).tolist() == [[[0, 1, 2], [n - 2, n - 1, n - 2]]]


def test_an_empty_ball_holds_index_0(on: Callable[..., Tensor]) -> None:
    xyz = random_clouds(1, 300)
    assert on(kernels.ball_query, xyz, torch.full((1, 1, 3), 50.0), 0.1, 3).tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_types_are_computed_in_float32(dtype: torch.dtype, on: Callable[..., Tensor]) -> None:
    xyz = random_clouds(2, 100).to(dtype)
    assert torch.equal(on(kernels.farthest_point_sampling, xyz, 9), grouping.farthest_point_sampling(xyz, 9))
    members = on(kernels.ball_query, xyz, xyz[:, :9], 0.5, 8)
    assert torch.equal(members, grouping.ball_query(xyz, xyz[:, :9], 0.5, 8))


def test_any_layout_in_memory(on: Callable[..., Tensor]) -> None:
    points = random_clouds(3, 100).repeat(1, 1, 2)
    plain = points[..., :3].contiguous()
    for xyz in (points[..., :3], plain.transpose(1, 2).contiguous().transpose(1, 2), plain[:1].expand(3, -1, -1)):
        assert torch.equal(on(kernels.farthest_point_sampling, xyz, 9), grouping.farthest_point_sampling(xyz, 9))
        members = on(kernels.ball_query, xyz, xyz[:, ::11], 0.5, 8)
        assert torch.equal(members, grouping.ball_query(xyz, xyz[:, ::11], 0.5, 8))


def test_no_clouds_no_centers_no_indices(on: Callable[..., Tensor]) -> None:
    xyz = random_clouds(2, 20)
    assert on(kernels.farthest_point_sampling, xyz[:0], 4).shape == (0, 4)
    assert on(kernels.farthest_point_sampling, xyz, 0).shape == (2, 0)
    assert on(kernels.ball_query, xyz, xyz[:, :0], 1, 4).shape == (2, 0, 4)
    assert on(kernels.ball_query, xyz, xyz, 1, 0).shape == (2, 20, 0)


def test_an_encoder_samples_and_groups_10000_points_as_torch(on: Callable[..., Tensor]) -> None:
    xyz = random_clouds(1, 10_000)
    picked = on(kernels.farthest_point_sampling, xyz, 12)
    assert torch.equal(picked, grouping.farthest_point_sampling(xyz, 12))
    centers = grouping.gather(xyz, picked)
    expected = grouping.ball_query(xyz, centers, 0.2, 64)
    assert torch.equal(on(kernels.ball_query, xyz, centers, 0.2, 64), expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLOUDS)
def test_clouds_of_the_size_of_an_encoders(kind: str, on: Callable[..., Tensor]) -> None:
    xyz = CLOUDS[kind](2, 10_000)
    picked = on(kernels.farthest_point_sampling, xyz, 128)
    assert torch.equal(picked, grouping.farthest_point_sampling(xyz, 128))
    centers = grouping.gather(xyz, picked)
    for radius, count in [(0.1, 32), (0.2, 64)]:
        expected = grouping.ball_query(xyz, centers, radius, count)
        assert torch.equal(on(kernels.ball_query, xyz, centers, radius, count), expected)


@pytest.mark.parametrize(
    "xyz, centers",
    [
        (torch.zeros(5, 3), torch.zeros(1, 1, 3)),
        (torch.zeros(1, 5, 6), torch.zeros(1, 1, 3)),
        (torch.zeros(1, 0, 3), torch.zeros(1, 1, 3)),
        (torch.zeros(2, 5, 3), torch.zeros(1, 1, 3)),
    ],
)
def test_shapes_that_do_not_fit(xyz: Tensor, centers: Tensor, on: Callable[..., Tensor]) -> None:
    with pytest.raises(InputError, match="Expected"):
        on(kernels.ball_query, xyz, centers, 1, 4)


def test_a_tensor_on_the_cpu_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"on cpu\. Expected tensors on a CUDA device\. Use the sampler 'torch'"):
        kernels.farthest_point_sampling(torch.zeros(1, 5, 3), 2)
    with pytest.raises(InputError, match=r"on cpu\. Expected tensors on a CUDA device\. Use the sampler 'torch'"):
        kernels.ball_query(torch.zeros(1, 5, 3), torch.zeros(1, 1, 3), 1, 2)


def test_available_on_no_other_device() -> None:
    assert not kernels.available("cpu")
    assert not kernels.available(torch.device("meta"))


def test_interpreted_kernels_are_not_available(interpreter: ProcessPoolExecutor) -> None:
    assert not interpreter.submit(kernels.available, "cuda").result()


def test_a_compiler_that_fails_is_told_and_torch_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels._runs.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "arange", lambda *arguments, device: [][0])
    with pytest.warns(UserWarning, match=r"do not run on cuda \(list index"):
        assert not kernels.available("cuda")
    kernels._runs.cache_clear()


def test_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    spec = importlib.util.spec_from_file_location("kernels_without_triton", kernels.__file__)
    assert spec is not None and spec.loader is not None
    without = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(without)
    assert not without.available("cpu") and not without.available("cuda")
    with pytest.raises(MissingPackageError, match="pip install triton"):
        without.farthest_point_sampling(torch.zeros(1, 5, 3), 2)


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
def test_compiled_for_a_gpu_nothing_is_fused(capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The assembly for NVIDIA's GPUs, made without one, multiplies and adds but never both at once."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    sample = assembly(
        kernels._sample,
        {"xyz": "*fp32", "picked": "*i64", "n": "i32", "count": "i32"},
        {"block": 1024, "resident": True},
        capability,
    )
    query = assembly(
        kernels._query,
        {"xyz": "*fp32", "centers": "*fp32", "members": "*i64"}
        | {"n": "i32", "p": "i32", "count": "i32", "blocks": "i32", "limit": "fp32"},
        {"rows": kernels.CENTERS, "step": kernels.POINTS, "columns": 64},
        capability,
    )
    for text in (sample, query):
        assert "mul" in text and "add" in text
        assert not any(f"{fused}.{kind}f32" in text for fused in ("fma", "mad") for kind in ("rn.", "rn.ftz.", ""))
        assert ".ftz" not in text, "the smallest numbers are not rounded to nought"


def assembly(kernel: object, signature: dict[str, str], constants: dict[str, int], capability: int) -> str:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = list(kernel.arg_names)
    source = ASTSource(
        fn=kernel,
        signature=signature | dict.fromkeys(constants, "constexpr"),
        constexprs={(names.index(name),): value for name, value in constants.items()},
    )
    options = {"num_warps": 4, "enable_fp_fusion": False}
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options).asm["ptx"]
