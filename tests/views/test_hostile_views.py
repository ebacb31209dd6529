"""No view, picture or mask of at most 1 MB takes more than 10 s of CPU or 500 MB; what is honest is still read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hostile_views
import numpy as np
import pytest
from hostile_views import MAKERS
from PIL import Image, ImageOps

from openshape_ood import load_view
from openshape_ood.errors import FileError
from openshape_ood.shapes import pictures
from openshape_ood.shapes.pictures import load_picture
from openshape_ood.views.affinities import Affinities

sys.path.insert(0, str(Path(__file__).parents[1] / "shapes"))
import reading_costs

READ = {"large_img_shape", "far_pixels", "images_of_4_megapixels", "smaller_deflated_view", "fewer_masks"} | {
    "picture_of_25_megapixels", "turned_jpeg_of_25_megapixels", "deep_surface_of_8_megapixels",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["view", "picture", "tile", "masks", "affinities"])
def test_a_hostile_view_is_read_or_refused_at_a_bounded_cost(tmp_path: Path, kind: str) -> None:
    paths = {}
    for name, (own, write) in MAKERS.items():
        if own == kind:
            (tmp_path / name).mkdir()
            paths[name] = str(write(tmp_path / name))
    run = [sys.executable, reading_costs.__file__, kind, *paths.values()]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = json.loads(subprocess.run(run, capture_output=True, text=True, env=env, check=True).stdout)
    for name, path in paths.items():
        cost = found[path]
        assert os.path.getsize(path) <= 10**6
        assert cost["seconds"] < reading_costs.SECONDS and cost["megabytes"] < reading_costs.MEGABYTES, (name, cost)
        assert cost["outcome"].startswith("(") == (name in READ), (name, cost)


def test_a_view_that_unfolds_is_refused_before_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"v\.pkl: a view of 8192 x 8192 pixels would take .* refused as a bomb"):
        load_view(hostile_views.huge_img_shape(tmp_path))
    with pytest.raises(FileError, match=r"v\.npz: a view of 2200 x 2200 pixels would take .* refused as a bomb"):
        load_view(hostile_views.view(tmp_path, 2200))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pixels_far_away_do_not_hide_the_view(tmp_path: Path) -> None:
    assert load_view(hostile_views.far_pixels(tmp_path)).seen.all()


def test_masks_that_unfold_are_refused_before_they_are_made(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"the data computed from its arrays would take .* refused as a bomb"):
        Affinities.load_masks(hostile_views.masks(tmp_path, 1, 2600))
    assert Affinities.load_masks(hostile_views.masks(tmp_path, 3, 100)).values.shape == (3, 100, 100)


def test_a_picture_of_few_bytes_and_many_pixels_is_refused(tmp_path: Path) -> None:
    path = hostile_views.image(tmp_path, "a.png", "1", 5500)
    with pytest.raises(FileError, match=r"a\.png: 5500 x 5500 pixels would take .* refused as a bomb"):
        load_picture(path)
    path.write_bytes(path.read_bytes() + bytes(300_000))  # a file that is large enough for them
    assert load_picture(path).shape == (5500, 5500, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_strips_of_a_picture_stand_upright_as_a_whole_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    for turned in range(1, 10):
        exif = Image.Exif()
        exif[0x112] = turned
        drawn = np.random.default_rng(0).integers(0, 255, (13, 17, 3), dtype=np.uint8)
        Image.fromarray(drawn).save(tmp_path / f"a{suffix}", exif=exif)
        monkeypatch.setattr(pictures, "STRIP", 40)
        with (tmp_path / f"a{suffix}").open("rb") as file, Image.open(file) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        found = load_picture(tmp_path / f"a{suffix}")
        assert found.flags.c_contiguous and np.array_equal(found, expected)
