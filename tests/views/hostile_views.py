"""Views, pictures, masks and affinities of at most 1 MB that ask for far more memory than they are worth."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from openshape_ood.views.affinities import UNTOLD, WHAT

SIDE = 8192  # 64 megapixels
K = [[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]
ACROSS = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1.0]])  # level, 1.5 m up

# name -> what reads it (see `reading_costs`), and what writes it
MAKERS: dict[str, tuple[str, Callable[[Path], Path]]] = {}


def maker(kind: str) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    def keep(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
        MAKERS[write.__name__] = kind, write
        return write

    return keep


def published(path: Path, depth: np.ndarray, **more: Any) -> Path:
    rgb = np.zeros((*depth.shape, 3), np.uint8)
    path.write_bytes(pickle.dumps({"rgb": rgb, "depth": depth, "cam_intr": np.array(K), "cam_extr": ACROSS, **more}))
    return path


@maker("view")
def huge_img_shape(folder: Path) -> Path:
    return published(folder / "v.pkl", np.ones((4, 4), np.float32), img_shape=(SIDE, SIDE))


@maker("view")
def large_img_shape(folder: Path) -> Path:
    return published(folder / "v.pkl", np.ones((4, 4), np.float32), img_shape=(1400, 1400))


@maker("view")
def far_pixels(folder: Path) -> Path:
    depth = np.full((128, 128), 2.0, np.float32)
    depth[:40] = 1e9
    return published(folder / "v.pkl", depth)


@maker("view")
def images_of_64_megapixels(folder: Path) -> Path:
    return pair(folder, SIDE)


@maker("view")
def images_of_4_megapixels(folder: Path) -> Path:
    return pair(folder, 2000)


def pair(folder: Path, side: int) -> Path:
    Image.new("RGB", (side, side)).save(folder / "rgb.png")
    Image.new("I;16", (side, side), 1000).save(folder / "depth.png")
    (folder / "camera.json").write_text(json.dumps({"intrinsics": K, "pose": np.eye(4).tolist()}))
    return folder / "rgb.png"


@maker("view")
def deflated_view(folder: Path) -> Path:
    return view(folder, 3600)


@maker("view")
def smaller_deflated_view(folder: Path) -> Path:
    return view(folder, 1900)


def view(folder: Path, side: int) -> Path:
    depth = np.full((side, side), 1000, np.uint16)
    rgb = np.zeros((side, side, 3), np.uint8)
    np.savez_compressed(folder / "v.npz", rgb=rgb, depth=depth, intrinsics=np.array(K), pose=np.eye(4))
    return folder / "v.npz"


def image(folder: Path, name: str, mode: str, side: int, **options: Any) -> Path:
    Image.new(mode, (side, side)).save(folder / name, **options)
    return folder / name


@maker("picture")
def picture_of_64_megapixels(folder: Path) -> Path:
    return image(folder, "a.png", "RGB", SIDE)


@maker("picture")
def picture_of_25_megapixels(folder: Path) -> Path:
    return image(folder, "a.png", "RGBA", 5000)


@maker("picture")
def gif_of_49_megapixels(folder: Path) -> Path:
    return image(folder, "a.gif", "P", 7000)


@maker("picture")
def turned_jpeg_of_25_megapixels(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x112] = 6
    return image(folder, "a.jpg", "L", 5000, exif=exif)


@maker("tile")
def surface_of_64_megapixels(folder: Path) -> Path:
    return image(folder, "a.png", "RGB", SIDE)


@maker("tile")
def deep_surface_of_8_megapixels(folder: Path) -> Path:
    return image(folder, "a.png", "I;16", 2890)


@maker("masks")
def many_masks(folder: Path) -> Path:
    return masks(folder, 90, 1000)


@maker("masks")
def fewer_masks(folder: Path) -> Path:
    return masks(folder, 50, 1000)


@maker("masks")
def one_huge_mask(folder: Path) -> Path:
    return masks(folder, 1, 9500)


def masks(folder: Path, count: int, side: int) -> Path:
    np.savez_compressed(folder / "m.npz", **{f"m{i}": np.zeros((side, side), bool) for i in range(count)})
    return folder / "m.npz"


@maker("affinities")
def huge_affinities(folder: Path) -> Path:
    header = json.dumps({"format": WHAT, "names": ["a"], "provenance": UNTOLD.as_json()})
    np.savez_compressed(folder / "a.npz", header=header, values=np.zeros((1, 9900, 9900), np.int8))
    return folder / "a.npz"
