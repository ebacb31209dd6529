"""The steps from any cloud to what an encoder was trained on."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from openshape_ood.checks import check_seed
from openshape_ood.errors import CloudError, UnknownNameError
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.points import (
    CELLS,
    GRAIN,
    ROUNDING,
    UPS,
    check_cloud,
    check_up,
    exchange,
    prepare,
    resample,
    to_unit_ball,
    unit_colors,
    warn_if_coarse,
)
from openshape_ood.shapes.shape import Shape

PROPERTY = settings(max_examples=50, deadline=None, derandomize=True, database=None)
XYZ = np.array([[1.0, 2, 3], [-4, 5, -6]])


def cloud(n: int = 100, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal((n, 3)) * [1, 2, 3]


def lattice(step: float = 0.01) -> np.ndarray:
    axis = np.arange(9) * step
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)


# resampling


@PROPERTY
@given(n=st.integers(1, 400), count=st.integers(1, 400), seed=st.integers(0, 2**32 - 1))
def test_resampling_keeps_all_points_it_can(n: int, count: int, seed: int) -> None:
    indices = resample(n, count, seed)
    assert indices.shape == (count,)
    assert set(indices) <= set(range(n))
    assert len(set(indices)) == min(n, count)
    assert np.array_equal(indices, resample(n, count, seed))


@pytest.mark.parametrize("n", [50, 100, 400])
def test_resampling_shuffles(n: int) -> None:
    indices = resample(n, 100, 0)
    assert not np.array_equal(indices, np.sort(indices))
    assert not np.array_equal(indices, resample(n, 100, 1))


def test_the_draw_of_a_smaller_cloud_is_not_that_of_a_larger() -> None:
    assert not np.array_equal(resample(100, 50, 0), resample(101, 50, 0))


def test_the_draw_is_the_same_on_any_day() -> None:
    # as drawn when this was written, with a generator whose stream is frozen
    assert resample(4, 6, seed=0).tolist() == [2, 0, 3, 3, 2, 1]
    assert resample(7, 5, seed=3).tolist() == [4, 6, 1, 5, 2]


# gravity


@pytest.mark.parametrize(
    "up, to, expected",
    [
        ("y", "y", [1, 2, 3]),
        ("z", "y", [1, 3, 2]),
        ("y", "z", [1, 3, 2]),
        ("x", "y", [2, 1, 3]),
        ("x", "z", [3, 2, 1]),
        ("-y", "y", [1, -2, -3]),
        ("-z", "y", [-1, -3, 2]),
        ("-x", "y", [-2, -1, 3]),
        ("-y", "z", [1, -3, -2]),
    ],
)
def test_exchange(up: str, to: str, expected: list[float]) -> None:
    assert exchange(XYZ[:1], up, to).tolist() == [expected]


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("to", ["y", "z"])
def test_what_was_up_is_up(up: str, to: str) -> None:
    tip = np.zeros((1, 3))
    tip[0, "xyz".index(up[-1])] = -1 if up.startswith("-") else 1
    assert exchange(tip, up, to)[0, "xyz".index(to)] == 1


@pytest.mark.parametrize("up", UPS)
def test_an_exchange_leaves_the_given_points_alone(up: str) -> None:
    given = XYZ.copy()
    exchange(given, up, "y")
    assert np.array_equal(given, XYZ)


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_an_exchange_undoes_itself(up: str) -> None:
    assert np.array_equal(exchange(exchange(XYZ, up, "y"), up, "y"), XYZ)


@pytest.mark.parametrize("up", UPS)
def test_half_a_turn_keeps_left_and_right(up: str) -> None:
    frame = exchange(np.eye(3), up, "y")
    assert np.linalg.det(frame) == (1 if up.endswith("y") else -1), "one exchange is one reflection, a turn none"


@pytest.mark.parametrize("up", ["Y", "", "file", None, 5, ["y"]])
def test_axes_that_do_not_exist(up: Any) -> None:
    with pytest.raises(UnknownNameError, match="Expected one of y, z, x, -y, -z, -x"):
        check_up(up)


# unit ball


@pytest.mark.parametrize("scale", [1, 1e150, 1e-150, 1e-300])
def test_unit_ball(scale: float) -> None:
    ball = to_unit_ball(cloud() * scale, "it")
    assert np.abs(ball.mean(axis=0)).max() < 1 / CELLS
    assert np.linalg.norm(ball, axis=1).max() == pytest.approx(1, abs=2 / CELLS)
    centered = cloud() - cloud().mean(axis=0)
    assert np.abs(ball - centered / np.linalg.norm(centered, axis=1).max()).max() <= 0.51 / CELLS


@pytest.mark.parametrize("offset", [(1e6, 0, 0), (4e6, 5e6, 123.4), (-7.1e6, 1 / 3, 0.1)])
@pytest.mark.parametrize("step", [1, 0.1, 0.01, 1 / 3])
def test_a_regular_cloud_is_the_same_to_the_last_digit_wherever_it_lies(step: float, offset: tuple[float, ...]) -> None:
    assert np.array_equal(to_unit_ball(lattice(step) + offset, "it"), to_unit_ball(lattice(step), "it"))


def test_the_cells_are_exact_in_float32() -> None:
    ball = to_unit_ball(cloud(), "it")
    assert np.array_equal(ball, ball.astype(np.float32))


def test_extents_beyond_float64() -> None:
    with pytest.raises(CloudError, match="it: its extent is beyond float64"):
        to_unit_ball(np.array([[1.7e308, 0, 0], [-1.7e308, 0, 1], [1.7e308, 0, 2]]), "it")


# color


@pytest.mark.parametrize(
    "rgb, is_uint8, expected",
    [
        ([0, 0.5, 1], False, [0, 0.5, 1]),
        ([0, 51, 255], False, [0, 0.2, 1]),
        ([0, 0, 1.02], False, [0, 0, 0.004]),
        ([0, 1, 1], True, [0, 1 / 255, 1 / 255]),
        ([0, 0, 0], False, [0, 0, 0]),
    ],
)
def test_colors(rgb: list[float], is_uint8: bool, expected: list[float]) -> None:
    assert unit_colors(np.array([rgb], np.uint8 if is_uint8 else float), "it")[0] == pytest.approx(expected)


@pytest.mark.parametrize("rgb", [[-0.01, 0, 1], [0, 0, 255.5], [-1, -1, -1]])
def test_what_is_no_color(rgb: list[float]) -> None:
    with pytest.raises(CloudError, match=r"it run from .* normals, drop them: points\[:, :3\]"):
        unit_colors(np.array([rgb], float), "it")


def test_colors_of_16_bits_are_told_from_normals() -> None:
    with pytest.raises(CloudError, match=r"it run from 0 to 6.554e.04.* Divide 16-bit colors by 65535"):
        unit_colors(np.array([[0, 9, 65535]], np.uint16), "it")


# clouds


@pytest.mark.parametrize(
    "dtype", [f"{kind}{size}" for kind, sizes in {"f": (2, 4, 8, 16), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8)}.items()
              for size in sizes] + ["bool", ">f8"]
)  # fmt: skip
def test_every_kind_of_number_is_a_coordinate(dtype: str) -> None:
    given = np.array([[0, 1, 0], [1, 0, 1]], dtype)
    checked = check_cloud(given, "it")
    assert checked.tolist() == [[0, 1, 0], [1, 0, 1]] and checked.dtype == np.float64


@pytest.mark.parametrize("dtype", ["c8", "c16", "U3", "S3", "O", "M8[s]", "m8[s]", "V8", "i4,i4"])
def test_no_other_kind_is(dtype: str) -> None:
    given = np.zeros((2, 3), dtype)
    with pytest.raises(CloudError, match=r"it is not a table of numbers\. Expected \(n, 3\) xyz, or \(n, 6\)"):
        check_cloud(given, "it")


@pytest.mark.parametrize("shape", [(2, 3), (2, 6), (1, 3), (0, 3), (2, 2), (2, 4), (2, 5), (2, 7), (6,), (1, 2, 3), ()])
def test_shapes_of_clouds(shape: tuple[int, ...]) -> None:
    fits = shape in ((2, 3), (2, 6))
    given = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    with nullcontext() if fits else pytest.raises(CloudError):
        assert check_cloud(given, "it").shape == shape


@pytest.mark.parametrize("value, scaled", [(1, 1), (1 + ROUNDING, 1), (1 + 1.01 * ROUNDING, 1.00101 / 255), (255, 1)])
def test_the_largest_color(value: float, scaled: float) -> None:
    assert unit_colors(np.array([[0, 0, value]]), "it")[0, 2] == pytest.approx(scaled)


@pytest.mark.parametrize("value, fits", [(-ROUNDING, True), (-1.01 * ROUNDING, False), (255, True), (255.001, False)])
def test_the_range_of_colors(value: float, fits: bool) -> None:
    with nullcontext() if fits else pytest.raises(CloudError, match="Expected colors 0-1 or 0-255"):
        unit_colors(np.array([[0, 0, value]]), "it")


# digits


def far(steps: float, dtype: Any = np.float32) -> np.ndarray:
    """A cloud that is `steps` steps of float32 across, a million away."""
    return (np.array([[0, 0, 0], [steps, 0, 0], [0, 1, 0]]) * np.spacing(np.float32(1e6)) + [1e6, 0, 1e6]).astype(dtype)


def test_a_cloud_without_digits_is_told() -> None:
    with pytest.warns(UserWarning, match=r"it is 1e\+06 from the origin and 15.9 wide, only 255 steps "):
        warn_if_coarse(far(GRAIN - 1), "it")
    with pytest.warns(UserWarning, match="Store the coordinates as float64"):
        warn_if_coarse(far(16, np.float64), "it")  # stored as float32 before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_coarse(far(GRAIN), "it")
        warn_if_coarse(far(16, np.float64) + 1e-4, "it")  # finer than float32: all digits are there
        warn_if_coarse(far(16)[:1], "one point")
        warn_if_coarse(np.empty((0, 3)), "none")
        warn_if_coarse(cloud() * 1e300, "large")


def test_arrays_meshes_and_files_without_digits_are_told(tmp_path: Path) -> None:
    mesh = trimesh.Trimesh(far(16), [[0, 1, 2]], process=False)
    np.save(tmp_path / "a.npy", far(16))
    (tmp_path / "a.stl").write_bytes(mesh.export(file_type="stl"))
    for value, name in ((far(16), "it"), (mesh, "it"), (trimesh.Scene(mesh), "it"), (tmp_path / "a.npy", "a.npy"),
                        (tmp_path / "a.stl", "a.stl")):  # fmt: skip
        with pytest.warns(UserWarning, match=f"{name} is .* 16 steps of float32") as told:
            Shape(value, "it").cloud(10, 0)
        assert len(told) == 1


def test_a_checked_cloud_is_a_copy() -> None:
    given = cloud()
    check_cloud(given, "it")[:] = 0
    assert np.array_equal(given, cloud())


def test_a_cloud_from_lists_at_the_edge_of_float64() -> None:
    assert check_cloud([[-1.7e308, 0, 0], [1.7e308, 1, 1]], "it").shape == (2, 3)


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.uint32(7)])
def test_seeds(seed: Any) -> None:
    assert check_seed(seed) == seed
    assert type(check_seed(seed)) is int


# all together


@pytest.mark.parametrize("n", [10, 100, 1000])
@pytest.mark.parametrize("color", [None, 0.25])
def test_prepare(n: int, color: float | None) -> None:
    given = cloud(n) if color is None else np.hstack([cloud(n), np.full((n, 3), color)])
    ready = prepare(given, CloudSpec(100, "y", 0.4), up="y", seed=0, name="it")
    assert ready.shape == (100, 6)
    assert ready.dtype == np.float32
    assert np.all(ready[:, 3:] == np.float32(color or 0.4))
    assert np.linalg.norm(ready[:, :3], axis=1).max() == pytest.approx(1, abs=2 / CELLS)


def test_colors_follow_their_points() -> None:
    order = np.linspace(0, 1, 50)
    given = np.stack([order, order**2, -order, order, order, order], axis=1)
    ready = prepare(given, CloudSpec(80, "y", 0.4), up="z", seed=3, name="it")
    ready = ready[np.argsort(ready[:, 0])]
    assert np.all(np.diff(ready[:, 3]) >= 0)


def test_repeats_that_hide_the_rest() -> None:
    nearly = np.vstack([np.full((5000, 3), 0.1), [[1, 2, 3]]])
    with pytest.raises(CloudError, match=r"it is one point repeated 10 times.*np.unique\(points, axis=0\)"):
        prepare(nearly, CloudSpec(10, "y", 0.4), up="y", seed=0, name="it")


def test_masked_arrays_are_refused_where_something_is_masked() -> None:
    masked = np.ma.masked_array(cloud(), mask=cloud() > np.inf)
    assert np.array_equal(check_cloud(masked, "it"), cloud())
    masked[3] = np.ma.masked
    with pytest.raises(CloudError, match=r"it is a masked array\..*Drop the masked points first: points\[~points.mask"):
        check_cloud(masked, "it")


def test_what_would_help_is_said_of_other_forms() -> None:
    with pytest.raises(CloudError, match=r"Transpose it: points.T"):
        check_cloud(cloud().T, "it")
    with pytest.raises(CloudError, match=r"\(1, 100, 3\)\. .*Take the clouds out of the stack first: list\(points\)"):
        check_cloud(cloud()[None], "it")
