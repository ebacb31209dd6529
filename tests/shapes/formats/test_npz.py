"""NPZ: names of arrays, pickles, and bombs."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from format_files import refused, write

from openshape_ood.shapes.reading import load_shape


@pytest.mark.parametrize("scale, dtype", [(1, np.float32), (255, np.uint8), (255, np.float64), (255, np.int64)])
def test_color_ranges(tmp_path: Path, cloud: np.ndarray, scale: int, dtype: Any) -> None:
    rgb = cloud[:, 3:] * scale
    np.savez(tmp_path / "c.npz", points=cloud[:, :3], colors=rgb.round().astype(dtype) if scale > 1 else rgb)
    assert load_shape(tmp_path / "c.npz")[:, 3:] == pytest.approx(cloud[:, 3:], abs=1e-6)


def test_all_dark_8_bit_colors_stay_dark(tmp_path: Path, cloud: np.ndarray) -> None:
    np.savez(tmp_path / "c.npz", points=cloud[:, :3], rgb=np.ones((50, 3), np.uint8))
    assert load_shape(tmp_path / "c.npz")[:, 3:] == pytest.approx(1 / 255)


@pytest.mark.parametrize("name", ["rgb", "colors", "colours", "color", "colour", "RGB"])
def test_names_of_color_arrays(tmp_path: Path, cloud: np.ndarray, name: str) -> None:
    np.savez(tmp_path / "c.npz", points=cloud[:, :3], **{name: cloud[:, 3:]})
    assert load_shape(tmp_path / "c.npz") == pytest.approx(cloud)


def test_point_e_arrays(tmp_path: Path, cloud: np.ndarray) -> None:
    channels = dict(zip("RGB", cloud[:, 3:].T.astype(np.float32), strict=True))
    np.savez(tmp_path / "pc.npz", coords=cloud[:, :3].astype(np.float32), **channels)
    assert load_shape(tmp_path / "pc.npz") == pytest.approx(cloud, abs=1e-6)


def test_the_only_array_needs_no_name(tmp_path: Path, cloud: np.ndarray) -> None:
    np.savez_compressed(tmp_path / "one.npz", cloud)
    assert load_shape(tmp_path / "one.npz") == pytest.approx(cloud)


def test_several_unknown_arrays_are_listed(tmp_path: Path, cloud: np.ndarray) -> None:
    np.savez(tmp_path / "two.npz", left=cloud, right=cloud)
    with refused(r"left \(50, 6\), right \(50, 6\)"):
        load_shape(tmp_path / "two.npz")


class Payload:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.trace),)


def test_no_pickle_is_ever_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    raw = pickle.dumps(Payload(trace))
    objects = np.array([Payload(trace)], dtype=object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", points=objects, allow_pickle=True)
    for name, content in (("raw.npy", raw), ("raw.npz", raw)):
        write(tmp_path / name, content)
    for name in ("objects.npy", "objects.npz", "raw.npy", "raw.npz"):
        with refused("pickle" if name != "raw.npz" else "not a zip"):
            load_shape(tmp_path / name)
    assert not trace.exists()
    pickle.loads(raw)
    assert trace.exists()  # so it would have been seen


def test_npz_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("points.npy", bytes(150 * 2**20))
    with refused("its arrays would take .* bomb"):
        load_shape(tmp_path / "bomb.npz")


def test_npz_that_understates_its_size(tmp_path: Path) -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(bytes(60 * 2**20)) + packed.flush()
    path = tmp_path / "liar.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("points.npy", body)
    data = path.read_bytes()
    for signature, method, size in ((b"PK\3\4", 8, 22), (b"PK\1\2", 10, 24)):
        at = data.index(signature)
        data = data[: at + method] + struct.pack("<H", 8) + data[at + method + 2 :]
        data = data[: at + size] + struct.pack("<I", 1000) + data[at + size + 4 :]
    with refused("cannot read"):
        load_shape(write(path, data))
