"""Affinities: from masks, their novelty over pixels, files, and the image of a novelty map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openshape_ood.errors import ClassNamesError, FileError, InputError, UnknownNameError
from openshape_ood.scoring import text_scores
from openshape_ood.shapes.pictures import load_picture
from openshape_ood.views.affinities import Affinities

VALUES = np.array([[[0.9, -0.2, 0.1], [0.3, 0.4, np.nan]], [[0.1, 0.8, 0.0], [0.5, 0.2, np.nan]]])
FOUND = Affinities(VALUES, ("chair", "lamp"), rgb=np.full((2, 3, 3), 200, dtype=np.uint8))


def test_novelty_is_what_the_known_names_leave() -> None:
    found = FOUND.novelty()
    np.testing.assert_allclose(found.novelty, [0.1, 0.2, 0.9, 0.5, 0.6, 0.1], atol=1e-5)
    assert found.nearest is not None
    assert found.nearest.tolist() == ["chair", "lamp", "chair", "lamp", "chair", "unknown"]
    assert found.elements.shape == (2, 3)
    alone = FOUND.novelty(["Lamp"])
    np.testing.assert_allclose(alone.novelty, [0.9, 0.2, 1.0, 0.5, 0.8, 0.2], atol=1e-5)
    with pytest.raises(UnknownNameError, match=r"no affinities to 'sofa'\. Expected one of chair, lamp"):
        FOUND.novelty(["sofa"])


def test_other_methods_judge_affinities_as_they_do_cosines() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(-1, 1, (3, 4, 5)).astype(np.float32)
    values[:, 0, 0], values[1, 0, 1], values[0, 2, 2] = np.nan, np.nan, 1.7
    given, names = Affinities(values, ("a", "b", "c")), ["c", "a"]
    rows = np.nan_to_num(values[[2, 0]].reshape(2, -1).T, nan=-1).clip(-1, 1)
    for method, formula in {"mcm": "softmax_uncertainty", "energy": "energy", "margin": "margin_uncertainty"}.items():
        found = given.novelty(names, method=method, temperature=0.2)
        expected = getattr(text_scores, formula)(rows, 0.2)
        np.testing.assert_allclose(found.novelty[1:], expected[1:])
        assert found.novelty[0] == expected[1:].min() and found.provenance.method == f"affinities, {method}"
        assert (found.nearest == given.novelty(names).nearest).all()
    assert given.novelty(names).provenance.method == "affinities"
    with pytest.raises(InputError, match=r"'knn' needs more than similarities.*Use one of: max_cosine, mcm, energy"):
        given.novelty(method="knn")
    with pytest.raises(InputError, match="constant for one known class"):
        given.novelty(["a"], method="mcm")


def test_hundreds_of_names_are_gone_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(300, 7, 9)).astype(np.float32)
    many = Affinities(values, tuple(f"name {i}" for i in range(300)))
    whole = many.novelty()
    monkeypatch.setattr("openshape_ood.views.affinities.BLOCK_ELEMENTS", 301)
    parts = many.novelty()
    np.testing.assert_array_equal(parts.novelty, whole.novelty)
    np.testing.assert_allclose(whole.novelty, 1 - values.max(axis=0).reshape(-1), atol=1e-5)
    assert (parts.nearest == whole.nearest).all()


def test_saved_and_loaded(tmp_path: Path) -> None:
    again = Affinities.load(FOUND.save(tmp_path / "found.npz"))
    np.testing.assert_array_equal(again.values, FOUND.values)
    assert (again.names, again.provenance) == (FOUND.names, FOUND.provenance)
    assert again.rgb is not None
    assert (again.rgb == FOUND.rgb).all()
    with pytest.raises(InputError, match=r"Expected an \.npz file"):
        FOUND.save(tmp_path / "found.ply")
    for content in (b"", b"PK\x03\x04 and nothing", (tmp_path / "found.npz").read_bytes()[:300]):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(FileError, match=r"bad\.npz"):
            Affinities.load(tmp_path / "bad.npz")
    with pytest.raises(FileError, match="cannot read"):
        Affinities.load(tmp_path)  # nor a pipe, which would wait for ever
    np.savez(tmp_path / "other.npz", values=VALUES)
    with pytest.raises(FileError, match="holds no affinities"):
        Affinities.load(tmp_path / "other.npz")


@pytest.mark.parametrize(
    "values, names, told",
    [
        (VALUES, ("chair",), r"\(2, 2, 3\) for 1 names"),
        (VALUES[0], ("chair", "lamp"), "Expected numbers"),
        (np.full((1, 2, 2), np.inf), ("chair",), "hold infinity"),
    ],
)
def test_what_is_no_affinities(values: np.ndarray, names: tuple[str, ...], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Affinities(values, names)


def test_masks_are_of_bool_and_named() -> None:
    with pytest.raises(InputError, match=r"type int64\. Expected bool"):
        Affinities.from_masks(np.zeros((1, 2, 2), dtype=np.int64), ["chair"])
    with pytest.raises(ClassNamesError, match="no class names"):
        Affinities.from_masks(np.zeros((0, 2, 2), dtype=bool), [])
    with pytest.raises(InputError, match=r"the image is float32 .*\. Expected bytes"):
        Affinities.from_masks(np.zeros((1, 2, 2), dtype=bool), ["chair"], rgb=np.zeros((2, 2, 3), dtype=np.float32))


def test_names_of_masks_keep_their_case(tmp_path: Path) -> None:
    mask = np.eye(2, dtype=bool)
    np.savez(tmp_path / "masks.npz", TV=mask, lamp=~mask)
    assert Affinities.load_masks(tmp_path / "masks.npz").names == ("TV", "lamp")
    np.savez(tmp_path / "twice.npz", Wall=mask, wall=~mask)
    with pytest.raises(FileError, match="are the same"):
        Affinities.load_masks(tmp_path / "twice.npz")


def test_records_say_where_nothing_is_known() -> None:
    nothing, half = (np.full((2, 3), np.nan) for _ in range(2))
    half[1, 1:] = 0.5, 0.2
    found = Affinities(np.stack([nothing, half]), ("chair", "lamp")).rows()
    keys = ("peak", "row", "column", "mean", "share_above_half")
    assert [found[0][key] for key in keys] == [None, None, None, None, 0.0]
    assert [found[1][key] for key in keys] == pytest.approx([0.5, 1, 1, 0.35, 1 / 6])


def test_a_novelty_map_of_pixels_is_saved_as_an_image(tmp_path: Path) -> None:
    found = FOUND.novelty()
    with Image.open(found.save(tmp_path / "novelty.png")) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (2, 3, 3)
    assert pixels[0, 2].sum() < pixels[0, 0].sum()  # the most novel is the darkest
    with pytest.raises(InputError, match=r".ply.*map of pixels is saved as a .png file"):
        found.save(tmp_path / "novelty.ply")


def test_pictures_from_files(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    assert (load_picture(tmp_path / "rgb.png") == rgb).all()
    Image.fromarray(rgb[..., 0]).save(tmp_path / "gray.png")
    assert (load_picture(tmp_path / "gray.png") == rgb[..., :1]).all()
    Image.fromarray(np.dstack([rgb, np.zeros((20, 30), dtype=np.uint8)])).save(tmp_path / "clear.png")
    assert (load_picture(tmp_path / "clear.png") == 255).all()
    exif = Image.Exif()
    exif[274] = 6  # the camera was held upright
    Image.fromarray(rgb).save(tmp_path / "turned.png", exif=exif)
    assert load_picture(tmp_path / "turned.png").shape == (30, 20, 3)


def test_pictures_that_are_none(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.fromarray(np.zeros((64, 64, 3), dtype=np.uint8)).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:60])
    (tmp_path / "text.png").write_text("not an image", encoding="utf-8")
    for name, told in (("cut.png", "image"), ("text.png", "no image that can be read"), ("none.png", "no such file")):
        with pytest.raises(FileError, match=told):
            load_picture(tmp_path / name)
    with pytest.raises(FileError, match="no regular file"):
        load_picture(tmp_path)
