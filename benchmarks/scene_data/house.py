"""The small house of `--real DIR`: a furnished house of free CAD models, scanned like the generated rooms.

`DIR/small_house_layout.json` lists for each model its mesh in `DIR`, scale, class, poses, and if it is structure.
Layout and meshes (MIT-0, aws-robomaker-small-house-world) are not part of this project. The scans are gray: there are
no textures, and a color per model would reveal the objects.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.shapes.formats.dae import read_dae
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.synthetic.calibration import resolve
from openshape_ood.synthetic.mesh import Mesh
from openshape_ood.synthetic.rooms import Room
from openshape_ood.synthetic.rooms.furnish import Item
from openshape_ood.synthetic.rooms.pieces import LABELS, Piece, posed
from openshape_ood.synthetic.rooms.scanning import scan_pieces

LAYOUT = "small_house_layout.json"
# low and high x of the three areas, which are scanned separately
AREAS = {"bedroom and study": (-11.0, -2.5), "living room": (-2.4, 4.7), "kitchen": (4.9, 11.0)}
VIEWS, SPACING = 24, 0.04


def house_rooms(folder: Path, *, views: int = VIEWS, spacing: float = SPACING, seed: int = 0) -> list[Room]:
    """Scan the three areas of the house, each from `views` positions, with points about `spacing` meters apart.

    A class is named as its generated category if it has one, else as in the layout. Raises `InputError` if the layout
    or a mesh is missing.
    """
    pieces, items = assemble(folder)
    names = (*LABELS, *sorted({piece.name for piece in pieces} - set(LABELS)))
    labels = [names.index(piece.name) for piece in pieces]
    rooms = []
    for i, (title, (low, high)) in enumerate(AREAS.items()):
        area = np.array([low, -50.0, -0.5]), np.array([high, 50.0, 3.5])
        rng = np.random.RandomState([seed, i, 15])
        scene, eyes = scan_pieces(pieces, labels, rng, views=views, spacing=spacing, area=area, name=title)
        rooms.append(Room(scene, names, items, eyes))
    return rooms


def assemble(folder: Path) -> tuple[tuple[Piece, ...], tuple[Item, ...]]:
    """Every placed model of the house, z up, in meters; and the items, which are the models that are not structure."""
    pieces: list[Piece] = []
    items: list[Item] = []
    for model, entry in _models(folder).items():
        if entry["mesh"] is None:  # a model without mesh
            continue
        mesh = _mesh(folder / entry["mesh"], float(entry["scale"]))
        name = resolve(entry["class"]) or entry["class"]
        for pose in entry["poses"]:
            matrix = pose_matrix(*map(float, pose))
            placed = posed(mesh, matrix)
            if entry["structure"]:
                pieces.append(Piece(placed, name))
                continue
            box = np.stack([placed.vertices.min(axis=0), placed.vertices.max(axis=0)])
            items.append(Item(name, len(items) + 1, False, matrix, box, source=model))
            pieces.append(Piece(placed, name, len(items)))
    return tuple(pieces), tuple(items)


def pose_matrix(x: float, y: float, z: float, roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Matrix (4, 4) of a pose with angles in radians: rotation Rz(yaw) Ry(pitch) Rx(roll), then translation."""
    (cr, sr), (cp, sp), (cy, sy) = ((np.cos(angle), np.sin(angle)) for angle in (roll, pitch, yaw))
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = about_z @ about_y @ about_x, (x, y, z)
    return matrix


def _models(folder: Path) -> dict[str, Any]:
    path = folder / LAYOUT
    if not path.is_file():
        raise InputError(f"--real: {folder} holds no {LAYOUT}; expected the folder with the layout of the small house")
    models: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["models"]
    lost = [entry["mesh"] for entry in models.values() if entry["mesh"] and not (folder / entry["mesh"]).is_file()]
    if lost:
        raise InputError(f"--real: {folder} lacks {len(lost)} meshes of the layout, the first {lost[0]}")
    return models


def _mesh(path: Path, scale: float) -> Mesh:
    """Read a mesh file in meters; its unit is the scale in the layout, not the one in the file."""
    whole: Any = read_dae(path.read_bytes(), SideFiles(path.parent)).to_geometry()
    faces = np.asarray(whole.faces, dtype=np.int64)
    return Mesh(scale * np.asarray(whole.vertices, dtype=np.float64), faces, np.zeros(len(faces), dtype=np.int64))
