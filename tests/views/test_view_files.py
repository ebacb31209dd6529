"""Views from files: what goes out comes back; what is wrong is said or mended; nothing hostile runs."""

from __future__ import annotations

import json
import os
import pickle
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openshape_ood import load_view
from openshape_ood.errors import FileError, InputError
from openshape_ood.synthetic.rooms.pieces import Piece, rectangle
from openshape_ood.synthetic.views import render, room_view
from openshape_ood.views import View, ViewWarning, save_view
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.geometry import looking
from openshape_ood.views.published import read_pickle

CAMERA = np.array([[30.0, 0, 19.5], [0, 30, 14.5], [0, 0, 1]])
EYE = np.array([0.5, 1.5, 1.4])


def corner_of_a_room(shape: tuple[int, int], camera: np.ndarray, floor: float = 0.0) -> View:
    w, d, h = np.diag([3.0, 3.0, 2.5])
    base = np.array([0, 0, floor])
    sides = [Piece(rectangle(base + w, d, h), "wall"), Piece(rectangle(base, w, d), "floor")]
    return render(sides, camera, looking(EYE, 0.05, 0.5), shape)[0]


@pytest.fixture(scope="module")
def view() -> View:
    return corner_of_a_room((30, 40), CAMERA)


def test_npz_is_exact(view: View, tmp_path: Path) -> None:
    found = load_view(save_view(view, tmp_path / "v.npz"))
    for what in ("rgb", "depth", "intrinsics", "pose"):
        assert np.array_equal(getattr(found, what), getattr(view, what), equal_nan=True)


def test_a_folder_is_exact_to_bytes_and_millimeters(view: View, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_view(save_view(view, tmp_path / "pair"))
    assert np.abs(found.rgb - view.rgb).max() <= 0.5 / 255 + 1e-6
    assert (found.seen == view.seen).all() and np.nanmax(np.abs(found.depth - view.depth)) <= 0.000501
    assert found.name == "pair"
    with pytest.raises(InputError, match=r"Expected an \.npz file or a folder"):
        save_view(view, tmp_path / "v.pkl")


def pair(view: View, folder: Path, **told: object) -> Path:
    save_view(view, folder)
    camera = json.loads((folder / "camera.json").read_text())
    del camera["depth_scale"]
    (folder / "camera.json").write_text(json.dumps({**camera, **told}))
    return folder / "rgb.png"


def test_millimeters_are_guessed_and_said(view: View, tmp_path: Path) -> None:
    path = pair(view, tmp_path / "a")
    with pytest.warns(ViewWarning, match="millimeters"):
        found = load_view(path)
    assert np.nanmax(np.abs(found.depth - view.depth)) < 0.001
    assert np.isclose(np.nanmedian(load_view(path, depth_scale=500).depth), 2 * np.nanmedian(view.depth), rtol=1e-3)
    intrinsics = {"fx": 30, "fy": 30, "cx": 19.5, "cy": 14.5}
    told = load_view(pair(view, tmp_path / "b", depth_scale=1000, intrinsics=intrinsics))
    assert np.array_equal(told.intrinsics, CAMERA)
    arrays = {"rgb": view.rgb, "intrinsics": CAMERA, "pose": view.pose, "depth": np.nan_to_num(500 * view.depth)}
    for scale in (500.0, np.int32(500), np.array([500])):
        np.savez(tmp_path / "scaled.npz", **arrays, depth_scale=scale)
        assert np.allclose(load_view(tmp_path / "scaled.npz").depth, view.depth, equal_nan=True)


@pytest.mark.parametrize("what", ["pose", "intrinsics"])
def test_what_a_camera_lacks_is_named(view: View, tmp_path: Path, what: str) -> None:
    path = pair(view, tmp_path / "a")
    camera = json.loads((path.parent / "camera.json").read_text())
    del camera[what]
    (path.parent / "camera.json").write_text(json.dumps(camera))
    with pytest.raises(FileError, match=what):
        load_view(path)


def test_files_that_cannot_be(view: View, tmp_path: Path) -> None:
    path = pair(view, tmp_path / "a", depth_scale=1000)
    for wrong in (np.zeros((30, 40), np.uint8), np.zeros((30, 40, 3), np.uint8)):
        Image.fromarray(wrong).save(path.parent / "bad.png")
        with pytest.raises(FileError, match="16 bits"):
            load_view(path, depth=path.parent / "bad.png")
    Image.fromarray(np.ones((15, 20), np.uint16)).save(path.parent / "small.png")
    with pytest.raises(FileError, match="the image is 40 x 30, the depth 20 x 15"):
        load_view(path, depth=path.parent / "small.png")
    (path.parent / "camera.json").write_text("[" * 10_000)
    with pytest.raises(FileError, match="cannot read the view"):
        load_view(path)
    path.write_bytes(b"no image")
    with pytest.raises(FileError):
        load_view(path)
    with pytest.raises(FileError, match="no such file"):
        load_view(tmp_path / "none.npz")
    with pytest.raises(FileError, match="suffix"):
        load_view(tmp_path / "room.ply")
    with pytest.raises(InputError, match="contains depth and camera"):
        load_view(save_view(view, tmp_path / "v.npz"), depth=path)
    np.savez(tmp_path / "lacks.npz", rgb=view.rgb, depth=view.depth, intrinsics=CAMERA)
    with pytest.raises(FileError, match="lacks 'pose'"):
        load_view(tmp_path / "lacks.npz")
    np.savez(tmp_path / "objects.npz", rgb=np.array([print]), depth=view.depth, intrinsics=CAMERA, pose=view.pose)
    with pytest.raises(FileError):
        load_view(tmp_path / "objects.npz")


def published(shape: tuple[int, int] = (64, 48), floor: float = 0.0, **more: object) -> dict[str, object]:
    """The structure of a published scene file, its principal point that of the image turned by a quarter."""
    h, w = shape
    camera = np.array([[53.0, 0, w / 2], [0, 53, h / 2], [0, 0, 1]])
    made = corner_of_a_room(shape, camera, floor)
    return {
        "rgb": np.rint(made.rgb * 255).astype(np.uint8),
        "depth": np.nan_to_num(made.depth),
        "cam_intr": np.array([[53.0, 0, h / 2], [0, 53, w / 2], [0, 0, 1]]),
        "cam_extr": made.pose.copy(),
        "ovssc_obj_classes": ["lamp", "table"],
        "descriptions": [["hair dryer", "behind", "table legs"]],
        **more,
    }


def wall_to_floor(view: View) -> float:
    """Degrees between the planes of what lies in the lower and in the upper part of the picture."""
    points = view.points.reshape(*view.shape, 3)
    parts = [points[-12:, 6:-6].reshape(-1, 3), points[2:12, 6:-6].reshape(-1, 3)]
    first, second = (np.linalg.svd(part - part.mean(axis=0), full_matrices=False)[2][-1] for part in parts)
    return float(np.degrees(np.arccos(min(1, abs(first @ second)))))


def test_a_published_scene_file_opens_with_its_camera_and_floor_mended(tmp_path: Path) -> None:
    path = tmp_path / "scene.pkl"
    path.write_bytes(pickle.dumps(published(floor=0.3), protocol=4))
    with pytest.warns(ViewWarning) as told:
        found = load_view(path)
    said = " ".join(str(one.message) for one in told)
    assert "principal point" in said and "floor was at z = 0.3" in said
    assert found.shape == (64, 48) and found.intrinsics[:2, 2].tolist() == [24, 32]
    assert found.names == ("lamp", "table") and found.questions == (("hair dryer", "behind", "table legs"),)
    assert wall_to_floor(found) > 88
    assert abs(np.nanmedian(found.points.reshape(64, 48, 3)[-8:, :, 2])) < 0.01
    as_stored = published()
    wrong = View(as_stored["rgb"], as_stored["depth"], as_stored["cam_intr"], as_stored["cam_extr"])
    assert wall_to_floor(wrong) < 87


@pytest.mark.parametrize(
    "more, told",
    [
        ({"ovssc_obj_classes": "lamp"}, "is a str. Expected a list"),
        ({"ovssc_obj_classes": ["lamp", 3]}, "Expected texts of 1 to 1000"),
        ({"ovssc_obj_classes": ["l" * 1001]}, "Expected texts of 1 to 1000"),
        ({"ovssc_obj_classes": [" "]}, "Expected texts of 1 to 1000"),
        ({"ovssc_obj_classes": ["lamp"] * 501}, "has 501 entries. Expected at most 500"),
        ({"descriptions": [["lamp", "on"]]}, "an entry of 2 texts. Expected target, relation, reference"),
        ({"descriptions": ["lamp"]}, "is a str. Expected a list"),
        ({"descriptions": {"lamp": 1}}, "is a dict. Expected a list"),
    ],
)
def test_names_and_questions_of_a_published_scene_file_are_checked(tmp_path: Path, more: Any, told: str) -> None:
    path = tmp_path / "scene.pkl"
    path.write_bytes(pickle.dumps(published(**more), protocol=4))
    with pytest.raises(FileError, match=told):
        load_view(path)


def test_a_published_scene_file_may_list_no_names(tmp_path: Path) -> None:
    made = published()
    del made["ovssc_obj_classes"], made["descriptions"]
    (tmp_path / "scene.pkl").write_bytes(pickle.dumps(made, protocol=4))
    with pytest.warns(ViewWarning):
        found = load_view(tmp_path / "scene.pkl")
    assert found.names == () and found.questions == ()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_arrays_of_every_kind_come_back(protocol: int) -> None:
    arrays = {
        "u1": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "f4": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "big": np.arange(3, dtype=">f8"),
        "bool": np.array([True, False]),
        "i8": np.arange(300),
        "words": ["a", ("b", 3, -1.5, None, True)],
        "number": np.float64(0.25),
    }
    data = pickle.dumps(arrays, protocol=protocol)
    if protocol == 2:  # bytes are written as calls of _codecs.encode there
        with pytest.raises(InputError, match=r"_codecs\.encode"):
            read_pickle(data)
        return
    found = read_pickle(data)
    assert found.keys() == arrays.keys() and found["words"] == arrays["words"] and found["number"] == 0.25
    for name in ("u1", "f4", "big", "bool", "i8"):
        assert found[name].dtype == arrays[name].dtype and np.array_equal(found[name], arrays[name])


@pytest.mark.parametrize("width, scaled", [(96, True), (48, False)])
def test_img_shape_is_width_and_height(tmp_path: Path, width: int, scaled: bool) -> None:
    # 48 x 64 stored; intrinsics of the stored picture, or of the resized one
    made = published((128, 96) if not scaled else (64, 48))
    made["cam_intr"] = np.array([[53.0, 0, 24], [0, 53, 32], [0, 0, 1]])
    made["img_shape"] = (width, width * 4 // 3)
    path = tmp_path / "scene.pkl"
    path.write_bytes(pickle.dumps(made, protocol=4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ViewWarning)
        found = load_view(path)
    assert found.shape == (width * 4 // 3, width)
    assert found.intrinsics[0, 0] == (106 if scaled else 53)
    made["img_shape"] = (10**9, 10**9)
    path.write_bytes(pickle.dumps(made, protocol=4))
    with pytest.raises(FileError, match="img_shape"):
        load_view(path)


class Runs:
    def __init__(self, what: object, *arguments: object) -> None:
        self.call = what, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def hostile(marker: Path) -> list[bytes]:
    calls = [Runs(os.system, f"touch {marker}"), Runs(eval, f"open({str(marker)!r}, 'w')"), Runs(marker.touch)]
    rebuild = np.zeros(1).__reduce__()[0]
    calls += [Runs(np.ndarray, (2**40,)), Runs(rebuild, dict, (0,), b"b"), Runs(np.load, str(marker))]
    found = [pickle.dumps(published((8, 6), rgb=call), protocol=4) for call in calls]
    found += [pickle.dumps(value, protocol=4) for value in ([1], {1: 2}, {"rgb": np.array([print])}, {"x": {1, 2}})]
    laughs: list[object] = ["ha"] * 10
    for _ in range(30):
        laughs = [laughs] * 10
    found.append(pickle.dumps(published((8, 6), rgb=laughs), protocol=4))
    sound = pickle.dumps(published((8, 6)), protocol=4)
    found += [
        sound[:200],
        sound[:-1],
        b"",
        b"\x80\x04.",
        b"\x80\x04" + b"(" * 200_000,
        b"c__builtin__\nexec\n(S'1'\ntR.",
    ]
    # an array that says to be larger than its bytes, and instructions that change what a name stands for
    found.append(sound.replace(b"K\x08K\x06K\x03\x87", b"J\xff\xff\xff\x7fK\x06K\x03\x87"))
    found.append(b"\x80\x04cnumpy\nndarray\nN}\x8c\x08__call__\x8c\x01xs\x86b.")
    return found


def test_nothing_in_a_pickle_runs(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    for number, data in enumerate(hostile(marker)):
        path = tmp_path / f"{number}.pkl"
        path.write_bytes(data)
        with pytest.raises(FileError, match="cannot read the view"):
            load_view(path)
        assert not marker.exists(), number


@pytest.mark.parametrize("how", ["flipped", "encrypted", "cut"])
def test_a_damaged_archive_is_refused_in_words(tmp_path: Path, how: str) -> None:
    np.savez_compressed(tmp_path / "a.npz", depth=np.random.default_rng(0).random((40, 40)))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    if how == "flipped":
        data[300:340] = bytes(40)
    elif how == "encrypted":
        data[data.find(b"PK\1\2") + 8] |= 1
    else:
        at = data.find(b"PK\1\2") + 20
        data[at : at + 4] = (50).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(FileError, match=r"a\.npz: it is a damaged zip archive"):
        load_view(tmp_path / "a.npz")
    with pytest.raises(FileError, match=r"a\.npz .* it is a damaged zip archive"):
        Affinities.load_masks(tmp_path / "a.npz")


def test_a_type_that_numpy_cannot_parse_is_refused_in_words(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        header = b"{'descr': '1,,f4', 'fortran_order': False, 'shape': (1,)}\n"
        archive.writestr("depth.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(8))
    for load in (load_view, Affinities.load, Affinities.load_masks):
        with pytest.raises(FileError, match=r"a\.npz"):
            load(tmp_path / "a.npz")


def test_images_that_unfold_are_refused(view: View, tmp_path: Path) -> None:
    path = pair(view, tmp_path / "a", depth_scale=1000)
    data = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + data[24:29]
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    with pytest.raises(FileError, match=r"bomb|decode"):
        load_view(path)


def test_a_picture_upside_down_and_a_damaged_archive_are_said(tmp_path: Path) -> None:
    seen = room_view(1, categories=["chair"], objects=1).view
    turned = seen.pose @ np.diag([1.0, -1, -1, 1])  # as OpenGL has it
    np.savez(tmp_path / "gl.npz", rgb=seen.rgb, depth=seen.depth, intrinsics=seen.intrinsics, pose=turned)
    with pytest.warns(ViewWarning, match="is upside down"):
        load_view(tmp_path / "gl.npz")
    (tmp_path / "no.npz").write_bytes(b"PK junk")
    with pytest.raises(FileError, match="cannot read the view"):
        load_view(tmp_path / "no.npz")
