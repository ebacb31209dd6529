"""The published layouts on generated trees: what is paired, split and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

from benchmarks.surfaces import layouts
from openshape_ood.errors import FileError, InputError
from openshape_ood.surfaces.pairs import BAD, GOOD, HEIGHT, INTENSITY, pairs_in


def picture(path: Path, value: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pictures.fromarray(np.full((8, 8), value, dtype=np.uint8)).save(path)


def mvtec_tree(root: Path) -> Path:
    for name in ("train/good/000", "train/good/001", "test/good/000", "test/cut/000", "test/cut/001", "test/bent/000"):
        picture(root / "cable" / f"{name}.png")
    for name in ("cut/000", "cut/001", "bent/000"):
        picture(root / "cable" / "ground_truth" / f"{name}_mask.png")
    return root


def test_mvtec_has_labels_masks_and_names_of_their_own(tmp_path: Path) -> None:
    found = layouts.mvtec(mvtec_tree(tmp_path), "cable")
    assert [image.name for image in found.train] == ["cable/train/good/000", "cable/train/good/001"]
    assert [image.kind for image in found.test] == ["bent", "cut", "cut", "good"]
    assert [image.truth and image.truth.name for image in found.test] == [
        "000_mask.png",
        "000_mask.png",
        "001_mask.png",
        None,
    ]
    assert len({image.name for image in found.test}) == 4  # all are called 000 or 001
    assert layouts.categories(tmp_path) == ["cable"]
    with pytest.raises(InputError, match="has no category 'cables'; it has cable"):
        layouts.mvtec(tmp_path, "cables")
    (tmp_path / "cable/ground_truth/cut/001_mask.png").unlink()
    with pytest.raises(FileError, match="has no mask of 001"):
        layouts.mvtec(tmp_path, "cable")


def road_images(folder: Path, heights: list[str], intensities: list[str]) -> None:
    for side, names in ((HEIGHT, heights), (INTENSITY, intensities)):
        for name in names:
            picture(folder / side / name)


def test_roads_are_paired_by_name_and_split_by_order(tmp_path: Path) -> None:
    names = [f"{i:03d}.png" for i in range(10)]
    road_images(tmp_path / GOOD, names, names)
    road_images(tmp_path / BAD, [f"{i:03d}.jpg" for i in range(3)], names[:3])
    found = layouts.roads(tmp_path)
    assert [image.name[-3:] for image in found.train] == [f"{i:03d}" for i in range(7)]
    assert [(image.name, image.bad) for image in found.test[2:4]] == [("good_ones/009", False), ("bad_ones/000", True)]
    assert all(a.parent.name == HEIGHT and a.stem == b.stem for a, b in (i.files for i in found.test))
    assert found.pairing == {GOOD: "names", BAD: "names"}
    (tmp_path / GOOD / INTENSITY / "004.png").unlink()  # by order, 005 would become its partner
    with pytest.raises(FileError, match="004 of height_files, which has no partner"):
        layouts.roads(tmp_path)


def test_roads_of_other_names_are_paired_by_order(tmp_path: Path) -> None:
    road_images(tmp_path / GOOD, *([f"{i:03d}_{side}.png" for i in range(4)] for side in ("height", "intensity")))
    road_images(tmp_path / BAD, ["000.png", "001.png"], ["000.png", "001.png"])
    found = layouts.roads(tmp_path)
    assert found.pairing == {GOOD: "order", BAD: "names"}
    height, intensity = found.train[1].files
    assert (found.train[1].name, height.name, intensity.name) == (
        "good_ones/001_height",
        "001_height.png",
        "001_intensity.png",
    )
    (tmp_path / GOOD / INTENSITY / "001_intensity.png").unlink()
    with pytest.raises(FileError, match="height_files has 4 images, intensity_files has 3, and no name is in both"):
        layouts.roads(tmp_path)
    picture(tmp_path / GOOD / INTENSITY / "004_intensity.png")  # as many, and 002 would become the partner of 001
    with pytest.raises(FileError, match="001_height of height_files is the partner of 002_intensity"):
        layouts.roads(tmp_path)


@pytest.mark.parametrize(
    "heights, intensities, told",
    [
        (["a", "b"], ["b", "c"], "2 images are in one folder only, such as a of height_files"),
        (["a", "b"], ["c", "d"], "order"),
        (["a"], ["a-b"], "order"),
        (["9_h", "10_h"], ["009_i", "010_i"], "10_h of height_files is the partner of 009_i"),
        (["h1", "h2"], ["i5", "i6"], "order"),  # numbers of their own on each side
        (["x"], [], "has no images"),
    ],
)
def test_order_never_mispairs(heights: list[str], intensities: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / INTENSITY).mkdir()
    road_images(tmp_path, [f"{name}.png" for name in heights], [f"{name}.png" for name in intensities])
    if told == "order":
        found = pairs_in(tmp_path)
        assert [(one.height.stem, one.intensity.stem) for one in found] == list(zip(heights, intensities, strict=True))
        assert {one.by for one in found} == {"order"}
    else:
        with pytest.raises(FileError, match=told):
            pairs_in(tmp_path)


def test_panoramas_and_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no folder"):
        layouts.panorama(tmp_path)
    for i in range(4):
        picture(tmp_path / GOOD / f"{i}.png")
    (tmp_path / BAD).mkdir()
    with pytest.raises(FileError, match="has no images"):
        layouts.panorama(tmp_path)
    for i in range(9):
        picture(tmp_path / BAD / f"{i}.png")
    found = layouts.panorama(tmp_path)
    assert (len(found.train), sum(i.bad for i in found.test), len(found.test)) == (2, 4, 6)
    picture(tmp_path / GOOD / "3.bmp")
    with pytest.raises(FileError, match="several images named 3"):
        layouts.panorama(tmp_path)
