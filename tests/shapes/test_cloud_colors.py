"""Colors in every form that clouds are stored with, and a warning about those that cannot be used."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openshape_ood import load_scene, load_shape
from openshape_ood.errors import CloudError
from openshape_ood.scenes.validation import ScanWarning
from openshape_ood.shapes.colors import named_color
from openshape_ood.shapes.columns import cloud_pieces, load_columns
from openshape_ood.shapes.shape import list_shapes

N = 40
RNG = np.random.RandomState(0)
XYZ = RNG.rand(N, 3)
BYTES = RNG.randint(0, 256, (N, 3)).astype(np.uint8)
RGB = BYTES / 255
ALPHA = np.full((N, 1), 9, np.uint8)
BITS = (BYTES.astype(np.uint32) << [16, 8, 0]).sum(axis=1).astype(np.uint32)
OPAQUE = BITS | np.uint32(0xFF << 24)  # as PCL writes it since alpha came in


def structured(column: Any, name: str = "rgb") -> np.ndarray:
    """A PointCloud2 as ros_numpy gives it."""
    column = np.asarray(column)
    kind = [(axis, "<f4") for axis in "xyz"]
    cloud = np.empty(N, np.dtype([*kind, (name, column.dtype, column.shape[1:])]))
    for axis, values in zip("xyz", XYZ.T, strict=True):
        cloud[axis] = values
    cloud[name] = column
    return cloud


def read(path: Path, **arrays: Any) -> tuple[np.ndarray | None, ...]:
    """The colors that every reader finds in an NPZ or NPY file; no warning may be given."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scene, shape, columns = load_scene(path, unit="m", up="z"), load_shape(path), load_columns(path)
    return scene.color, shape[:, 3:] if shape.shape[1] == 6 else None, columns.get("color")


@pytest.mark.parametrize(
    "stored",
    [BYTES, np.hstack([BYTES, ALPHA]), RGB, np.hstack([RGB, ALPHA / 255]).astype(np.float32)],
    ids=["uint8", "uint8 and alpha", "unit", "unit and alpha"],
)
def test_tables_of_colors(tmp_path: Path, stored: np.ndarray) -> None:
    for name in ["rgba", "vertex_colors", "vertex_colours", "point_colors", "RGBA", "colors", "rgb"]:
        np.savez(tmp_path / "c.npz", points=XYZ, **{name: stored})
        for found in read(tmp_path / "c.npz"):
            assert found is not None
            np.testing.assert_allclose(found, RGB, atol=1e-6)
        np.savez(tmp_path / "c.npz", x=XYZ[:, 0], y=XYZ[:, 1], z=XYZ[:, 2], **{name: stored})
        for found in read(tmp_path / "c.npz"):
            assert found is not None
            np.testing.assert_allclose(found, RGB, atol=1e-6)


@pytest.mark.parametrize("name", ["rgb", "rgba"])
@pytest.mark.parametrize(
    "packed",
    [BITS, BITS.view(np.float32), OPAQUE, OPAQUE.view(np.float32), BITS.view(np.int32), BITS.astype(np.int64)]
    + [BITS.astype(">u4"), BITS.view(np.float32).astype(">f4"), BITS.astype(np.float64)]
    + [BITS.view(np.float32).astype(np.float64)],
    ids=lambda packed: packed.dtype.str,
)
def test_packed_colors(tmp_path: Path, name: str, packed: np.ndarray) -> None:
    np.save(tmp_path / "c.npy", structured(packed, name))
    np.savez(tmp_path / "c.npz", points=XYZ, **{name: packed})
    for path in (tmp_path / "c.npy", tmp_path / "c.npz"):
        for found in read(path):
            assert found is not None
            np.testing.assert_allclose(found, RGB, atol=1e-6)
    np.testing.assert_allclose(list_shapes(structured(packed, name))[0].cloud(10, 0)[:, 3:], RGB)


def test_a_structured_array_is_a_cloud_like_any_other() -> None:
    given = structured(BITS)
    for shapes in (given, [given], given.reshape(5, 8)):
        (shape,) = list_shapes(shapes)
        np.testing.assert_allclose(shape.cloud(10, 0), np.hstack([XYZ.astype(np.float32), RGB]), atol=1e-7)
    np.testing.assert_allclose(list_shapes(structured(BYTES))[0].cloud(10, 0)[:, 3:], RGB)
    with pytest.raises(CloudError, match="Expected x, y and z among them"):
        list_shapes(given[["x", "y"]])[0].cloud(10, 0)
    with pytest.raises(CloudError, match="not a table of numbers"):
        list_shapes(given.astype([("x", "U3"), ("y", "U3"), ("z", "U3"), ("rgb", "u4")]))[0].cloud(10, 0)


def test_packed_colors_of_text_and_ply(tmp_path: Path) -> None:
    rows = [f"{x:.6f} {y:.6f} {z:.6f} {bits}" for (x, y, z), bits in zip(XYZ.tolist(), BITS.tolist(), strict=True)]
    (tmp_path / "c.txt").write_text("\n".join(["x y z rgb", *rows]))
    (tmp_path / "c.csv").write_text("\n".join(["x y z rgb", *rows]).replace(" ", ","))
    head = ["ply", "format ascii 1.0", f"element vertex {N}", *(f"property float {axis}" for axis in "xyz")]
    (tmp_path / "c.ply").write_text("\n".join([*head, "property uint rgba", "end_header", *rows, ""]))
    for suffix in ("txt", "csv", "ply"):
        for found in read(tmp_path / f"c.{suffix}"):
            assert found is not None
            np.testing.assert_allclose(found, RGB, atol=1e-6)


def test_packed_colors_in_pieces(tmp_path: Path) -> None:
    head = ["VERSION .7", "FIELDS x y z rgb", "SIZE 4 4 4 4", "TYPE F F F F", "COUNT 1 1 1 1", f"WIDTH {N}", "HEIGHT 1"]
    body = structured(BITS.view(np.float32)).tobytes()
    path = tmp_path / "c.pcd"
    path.write_bytes("\n".join([*head, f"POINTS {N}", "DATA binary", ""]).encode() + body)
    (piece,) = cloud_pieces(path)
    assert np.array_equal(np.column_stack([piece[name] for name in ("red", "green", "blue")]), BYTES)
    for found in read(path):
        assert found is not None
        np.testing.assert_allclose(found, RGB, atol=1e-6)


@pytest.mark.parametrize(
    "arrays",
    [
        {"colors": RGB[:-1]},  # of other points
        {"vertex_colors": RGB[:, :2]},
        {"color": BYTES[:, 0]},  # one brightness
        {"rgb": RGB[:, 0].astype(np.float32)},
        {"rgb": RGB[:, 0]},
        {"rgb": BYTES[:, 0].astype(np.int64)},
        {"red": BYTES[:, 0], "green": BYTES[:, 1]},
        {"my_colours": BYTES},
        {"rgb_names": np.array(["red"] * N)},
    ],
    ids=lambda arrays: " ".join(arrays),
)
def test_what_looks_like_color_and_cannot_be_used_is_warned_of(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    path = tmp_path / "c.npz"
    np.savez(path, points=XYZ, **arrays)
    match = rf"c\.npz: '{next(iter(arrays))}' .* cannot be used as color"
    with pytest.warns(UserWarning, match=match) as said:
        shape = load_shape(path)
    with pytest.warns(ScanWarning, match=match) as of_scan:
        scene = load_scene(path, unit="m", up="z")
    with pytest.warns(UserWarning, match=match) as of_columns:
        columns = load_columns(path)
    assert shape.shape == (N, 3) and scene.color is None and "color" not in columns
    assert [one.filename for one in (*said, *of_scan, *of_columns)] == [__file__] * 3


def test_a_field_that_looks_like_color_and_cannot_be_used_is_warned_of() -> None:
    (shape,) = list_shapes(structured(BYTES[:, 0]))
    with pytest.warns(UserWarning, match="the shape: 'rgb' uint8 .* cannot be used as color"):
        assert shape.cloud(10, 0).shape == (N, 3)


def test_nothing_is_said_of_other_columns_or_beside_colors(tmp_path: Path) -> None:
    for others in ({"label": BYTES[:, 0], "intensity": RGB[:, 0]}, {"rgb": RGB, "colors_of_another": RGB[:3]}):
        np.savez(tmp_path / "c.npz", points=XYZ, **others)
        read(tmp_path / "c.npz")
    assert named_color({"rgb": np.zeros(N, np.uint32)}, N).tolist() == [[0, 0, 0]] * N  # black is a color
