"""Published accuracies, typed in from their sources: what the registry and the page of encoders repeat."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openshape_ood.registry import load_registry

PAGE = Path(__file__).parents[2] / "docs" / "results" / "encoders.md"

# Objaverse-LVIS, ModelNet40, ScanObjectNN; zero-shot, top-1 in percent; 0 where nothing is published
OPENSHAPE = {  # README of Colin97/OpenShape_code; ScanObjectNN: arXiv 2305.10764, Table 2
    "vitb32": (0, 0, 0),
    "vitl14": (0, 0, 0),
    "vitg14": (46.8, 84.4, 52.2),
    "openshape-no-lvis": (39.1, 85.3, 47.2),
    "openshape-shapenet": (10.8, 70.3, 51.3),
}
UNI3D = {  # README of baaivision/Uni3D
    "uni3d-ti": (0, 0, 0),
    "uni3d-ti-no-lvis": (0, 0, 0),
    "uni3d-s": (0, 0, 0),
    "uni3d-s-no-lvis": (0, 0, 0),
    "uni3d-b": (51.7, 86.3, 63.8),
    "uni3d-b-no-lvis": (45.9, 86.1, 61.7),
    "uni3d-l": (53.1, 86.3, 58.2),
    "uni3d-l-no-lvis": (46.2, 86.6, 58.4),
    "uni3d-g": (53.5, 87.3, 63.9),
    "uni3d-g-no-lvis": (47.2, 86.8, 66.5),
}
TAMM = {"tamm": (51.9, 86.1, 57.0), "tamm-no-lvis": (43.5, 86.2, 55.9)}  # README of alanzhangcs/Tamm_Code
# abstract of MM-Mixing; its 61.9 on ScanObjectNN, "from 51.3", is of the file trained on ShapeNet alone
TRIPLETMIX = {"tripletmix": (51.4, 0, 0)}
PUBLISHED = {"tiny": (0, 0, 0), "small": (0, 0, 0), **OPENSHAPE, **UNI3D, **TAMM, **TRIPLETMIX}
TABLE_2 = "OpenShape README; ScanObjectNN: arXiv 2305.10764, Table 2"
SOURCES = {name: TABLE_2 for name, figures in OPENSHAPE.items() if any(figures)}
SOURCES |= {name: "Uni3D README" for name, figures in UNI3D.items() if any(figures)} | dict.fromkeys(
    TAMM, "TAMM README"
)
SOURCES["tripletmix"] = (
    "MM-Mixing abstract; its 61.9 on ScanObjectNN is for another file, which was trained on ShapeNet only"
)


def test_every_encoder_is_in_the_list() -> None:
    assert {row.name for row in load_registry().values() if row.kind == "shape"} == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_registry_repeats_what_is_published(name: str) -> None:
    about = load_registry()[name].about
    assert (about.lvis, about.modelnet40, about.scanobjectnn) == PUBLISHED[name]
    assert about.published == SOURCES.get(name, "")


def of_the_page() -> dict[str, tuple[float, ...]]:
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        words = re.findall("`([^`]+)`", cells[0])
        if len(cells) != 9 or not words:
            continue
        names = [words[0] + word if word.startswith("-") else word for word in words]
        columns = [[0.0 if figure == "-" else float(figure) for figure in cell.split(", ")] for cell in cells[5:8]]
        each = [column * len(names) if column == [0] else column for column in columns]
        found |= dict(zip(names, zip(*each, strict=True), strict=True))
    return found


def test_so_does_the_page_of_encoders() -> None:
    assert of_the_page() == PUBLISHED
