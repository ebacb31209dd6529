"""Clouds of any size in pieces and blocks give what they give as a whole; mosaics lie where the cloud does."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from openshape_ood.errors import CloudError, FileError, InputError, ShapeFileError
from openshape_ood.shapes import fields
from openshape_ood.shapes.formats import las
from openshape_ood.shapes.formats.ply import ply_bytes, ply_columns
from openshape_ood.surfaces import Raster, Rasterizer, raster_blocks, save_mosaic, score_file, streaming

COUNT = 24_000
FIELDS = [(axis, "<f8") for axis in "xyz"] + [("intensity", "<f4")] + [(c, "u1") for c in ("red", "green", "blue")]
RASTERIZER = Rasterizer(cell=0.1, tile=32, channels=("height", "intensity", "color"))


def road() -> np.ndarray:
    """A structured array of a sloping surface of 9 × 5 m far from the origin, in no order."""
    rng = np.random.default_rng(0)
    rows = np.empty(COUNT, FIELDS)
    u, v = rng.uniform(0, 9, COUNT), rng.uniform(0, 5, COUNT)
    for name, column in zip("xyz", (u + 4e5, v + 5e6, 0.1 * u + 0.02 * np.sin(3 * v)), strict=True):
        rows[name] = column.round(3)
    rows["intensity"] = rng.gamma(4, 50, COUNT).round()
    for channel in ("red", "green", "blue"):
        rows[channel] = rng.integers(0, 256, COUNT)
    return rows


def xyz(rows: np.ndarray) -> np.ndarray:
    return np.stack([rows[axis] for axis in "xyz"], axis=1)


def score(raster: Raster) -> np.ndarray:
    return np.abs(raster.tiles).mean(axis=1)


def as_pcd(rows: np.ndarray) -> bytes:
    names = rows.dtype.names or ()
    sizes, kinds = zip(*((rows.dtype[name].itemsize, rows.dtype[name].kind.upper()) for name in names), strict=True)
    head = f"VERSION .7\nFIELDS {' '.join(names)}\nSIZE {' '.join(map(str, sizes))}\nTYPE {' '.join(kinds)}\n"
    head += f"COUNT {' '.join('1' for _ in names)}\nWIDTH {len(rows)}\nHEIGHT 1\nPOINTS {len(rows)}\nDATA binary\n"
    return head.encode() + rows.tobytes()


def write_las(path: Path, rows: np.ndarray) -> None:
    laspy = pytest.importorskip("laspy")
    las = laspy.LasData(laspy.LasHeader(version="1.2", point_format=3))
    las.header.scales, las.header.offsets = [0.001] * 3, [4e5, 5e6, 0]
    las.x, las.y, las.z, las.intensity, las.gps_time = (*xyz(rows).T, rows["intensity"], np.arange(len(rows)))
    for channel in ("red", "green", "blue"):
        las[channel] = rows[channel].astype(np.uint16) * 257
    las.write(path, laz_backend=laspy.LazBackend.Lazrs if path.suffix == ".laz" else None)


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    rows = road()
    color = np.stack([rows[channel] for channel in ("red", "green", "blue")], axis=1)
    raster = RASTERIZER.rasterize(xyz(rows), rows["intensity"], color)
    return raster.to_points(score(raster)).astype(np.float32)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (las, fields, streaming):
        monkeypatch.setattr(module, "PIECE", 10_000)


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".las", ".laz"])
@pytest.mark.usefixtures("small_pieces")
def test_blocks_give_the_numbers_of_the_whole(suffix: str, tmp_path: Path, whole: np.ndarray) -> None:
    source, rows = tmp_path / f"road{suffix}", road()
    if suffix in (".las", ".laz"):
        write_las(source, rows)
    else:
        source.write_bytes(ply_bytes(rows) if suffix == ".ply" else as_pcd(rows))
    if suffix == ".ply":
        blocks = list(raster_blocks(source, RASTERIZER, block_points=10_000, scratch=tmp_path))
        assert len(blocks) >= 4 and max(len(block.rows) for block in blocks) < COUNT
        assert np.array_equal(np.sort(np.concatenate([block.rows[block.core] for block in blocks])), np.arange(COUNT))
    out = score_file(source, RASTERIZER, score, tmp_path / "scored.ply", block_points=10_000)
    found = ply_columns(out.read_bytes())
    assert np.abs(found["x"] - rows["x"]).max() < 1e-6
    # LAS keeps whole thousandths, which come back with the last digit of float64 off
    assert np.quantile(np.abs(found["novelty"] - whole), 0.99) <= (1e-5 if "la" in suffix else 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, "scored.ply"])


@pytest.mark.usefixtures("small_pieces")
def test_las_stays_las_with_novelty_and_colors(tmp_path: Path) -> None:
    laspy, rows = pytest.importorskip("laspy"), road()
    write_las(tmp_path / "road.laz", rows)
    out = score_file(tmp_path / "road.laz", RASTERIZER, score, tmp_path / "scored.laz", bounds=(0.0, 0.1))
    las = laspy.read(out)
    assert np.abs(np.asarray(las.x) - rows["x"]).max() < 1e-6
    assert np.array_equal(las.intensity, rows["intensity"]) and np.array_equal(las.gps_time, np.arange(COUNT))
    assert np.isfinite(las.novelty).mean() > 0.99
    dark = np.asarray(las.novelty) >= 0.1
    assert dark.any() and (np.asarray(las.red)[dark] == 0x6E * 257).all()


def test_points_that_were_never_measured_are_unseen(tmp_path: Path) -> None:
    rows = road()
    rows["z"][::100] = np.nan
    (tmp_path / "road.ply").write_bytes(ply_bytes(rows))
    found = ply_columns(score_file(tmp_path / "road.ply", RASTERIZER, score, tmp_path / "out.ply").read_bytes())
    assert np.isnan(found["novelty"][::100]).all() and np.isfinite(found["novelty"]).mean() > 0.98
    assert (found["blue"][::100] > found["red"][::100]).all()


def test_clouds_that_cannot_be_read_in_pieces_are_refused(tmp_path: Path) -> None:
    rows = road()

    def said(name: str, content: bytes, rasterizer: Rasterizer = RASTERIZER) -> str:
        (tmp_path / name).write_bytes(content)
        with pytest.raises((ShapeFileError, CloudError, InputError)) as caught:
            list(raster_blocks(tmp_path / name, rasterizer))
        return str(caught.value)

    assert "binary PLY" in said("a.ply", b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n")
    assert "cut off" in said("b.ply", ply_bytes(rows)[:-1000])
    assert "Expected binary" in said("c.pcd", as_pcd(rows).replace(b"DATA binary", b"DATA ascii "))
    assert "no intensity" in said("d.ply", ply_bytes(rows[["x", "y", "z"]].astype(FIELDS[:3])))
    assert "LAS header" in said("e.las", b"LASF" + bytes(40))
    assert ".ply, .pcd, .las, .laz" in said("f.xyz", b"1 2 3\n")
    far = rows.copy()
    for axis in "xyz":
        far[axis] = (far[axis] - far[axis].min()) * 100
    assert "centimeter" in said("g.ply", ply_bytes(far))
    with pytest.raises(InputError, match=r"Expected a \.ply file"):
        score_file(tmp_path / "b.ply", RASTERIZER, score, tmp_path / "out.las")
    (tmp_path / "good.ply").write_bytes(ply_bytes(rows))
    with pytest.raises(FileError, match="cannot write"):
        score_file(tmp_path / "good.ply", RASTERIZER, score, tmp_path / "good.ply" / "out.ply")
    with pytest.raises(FileError, match="Expected a writable folder"):
        score_file(tmp_path / "good.ply", RASTERIZER, score, tmp_path / "out.ply", scratch=tmp_path / "none")


def test_a_las_header_that_promises_more_is_refused(tmp_path: Path) -> None:
    write_las(tmp_path / "road.las", road())
    content = bytearray((tmp_path / "road.las").read_bytes())
    struct.pack_into("<I", content, 107, 2**31)  # the number of points of LAS 1.2
    (tmp_path / "road.las").write_bytes(content)
    with pytest.raises(ShapeFileError, match="cut off"):
        list(raster_blocks(tmp_path / "road.las", RASTERIZER))


def test_a_mosaic_lies_where_the_cloud_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(0, 6, (COUNT, 2)), np.zeros(COUNT)]) + [4e5, 5e6, 80]
    bump = np.linalg.norm(points[:, :2] - [4e5 + 4.5, 5e6 + 1.5], axis=1) < 0.2
    points[bump, 2] += 0.05
    raster = Rasterizer(cell=0.1, tile=32, channels=("height",), along=(1, 2, 0)).rasterize(points)
    found = np.load(save_mosaic(raster, tmp_path / "road.npz", raster.values("height"), crs="EPSG:25832"))
    row, column = np.argwhere(found["array"][0] > 0.03).mean(axis=0) + 0.5
    a, b, c, d, e, f = found["transform"]
    assert [a * column + b * row + c, d * column + e * row + f] == pytest.approx([4e5 + 4.5, 5e6 + 1.5], abs=0.06)
    assert str(found["crs"]) == "EPSG:25832" and np.isnan(found["array"]).any()
    wall = Rasterizer(cell=0.1, tile=32, channels=("height",)).rasterize((points - [4e5, 5e6, 0])[:, [0, 2, 1]])
    assert np.load(save_mosaic(wall, tmp_path / "wall.npz"))["transform"].tolist()[:2] == [0.1, 0]
    with pytest.raises(InputError, match="the sheet is not level"):
        save_mosaic(wall, tmp_path / "wall.npz", crs="EPSG:25832")
