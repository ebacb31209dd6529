"""The notebooks: each runs from first to last and says what its committed outputs say; these are small and clean."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from printed import alike

from notebooks.execute import FOLDER, METADATA, NOTEBOOKS, execute

NAMES = (
    "01_quickstart",
    "02_known_by_names_or_by_examples",
    "03_reading_the_benchmark",
    "04_where_is_it_novel",
    "05_thresholds_that_keep_their_promise",
    "06_comparators_and_what_is_new",
    "07_the_objects_of_a_room",
    "08_what_a_view_hides",
    "09_where_a_surface_is_damaged",
    "10_what_changed_in_this_room",
)
LARGEST = 2_000_000  # bytes, all of them together


def committed(name: str) -> NotebookNode:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: NotebookNode) -> list[str]:
    """What a cell put out, in order: streams by name, the rest by its richest type."""
    return [o.name if o.output_type == "stream" else min(o.data) for o in cell.outputs]


def words(cell: NotebookNode) -> str:
    return "".join(o.text if o.output_type == "stream" else o.data["text/plain"] for o in cell.outputs)


def files() -> set[Path]:
    return {path for path in FOLDER.rglob("*") if "__pycache__" not in path.parts}


def test_numbers_may_differ_in_the_last_place_and_words_may_not() -> None:
    assert alike("kept: 95.1 %", "kept:  95.3 %")
    assert not alike("kept: 95.1 %", "kept: 95.4 %")
    assert not alike("kept: 95.1 %", "kept: 95 %")
    assert not alike("95 kept", "95 left")
    assert alike("car -0.00", "car 0.01") and not alike("car -0.01", "car 0.02")


def test_these_are_the_notebooks() -> None:
    assert NOTEBOOKS == NAMES


# one in every run, all with the slow tests: each takes seconds
RUN = [name if name[:2] == "01" else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


@pytest.mark.parametrize("name", RUN)
def test_runs_offline_and_says_what_is_committed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path))
    before = files()
    there, here = code(committed(name)), code(execute(name))
    assert files() == before, "it leaves something behind"
    for old, new in zip(there, here, strict=True):
        assert kinds(new) == kinds(old), new.source
        assert "stderr" not in kinds(new), words(new)
        assert alike(words(new), words(old)), f"{new.source}\n\nnow\n{words(new)}\ncommitted\n{words(old)}"


@pytest.mark.parametrize("name", NAMES)
def test_was_run_in_order_and_keeps_nothing_but_outputs(name: str) -> None:
    notebook = committed(name)
    assert notebook.metadata == METADATA
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert {kind for cell in code(notebook) for kind in kinds(cell)} <= {
        "stdout",
        "image/png",
        "text/html",
        "text/plain",
    }
    assert "image/png" in {kind for cell in code(notebook) for kind in kinds(cell)}


@pytest.mark.parametrize("name", NAMES)
def test_names_no_place_and_no_person(name: str) -> None:
    text = "".join(words(cell) for cell in code(committed(name)))
    for word in (
        r"/(home|root|Users|tmp)\b",
        r"\b[A-Z]:\\",
        re.escape(str(Path.home())),
        re.escape(str(FOLDER.parent)),
    ):
        assert not re.search(word, text), word


@pytest.mark.parametrize("name", NAMES)
def test_one_cell_chooses_the_model_and_words_lead_to_every_piece_of_code(name: str) -> None:
    notebook = committed(name)
    (choice,) = [cell for cell in code(notebook) if re.search(r'^MODEL = "tiny"  # or "vitb32"', cell.source, re.M)]
    assert choice is code(notebook)[0]
    assert not any(re.search(r'"(tiny|vitb32)"', cell.source) for cell in code(notebook)[1:])
    assert notebook.cells[0].source.startswith("# ")
    assert not any(a.cell_type == b.cell_type == "code" for a, b in pairwise(notebook.cells))


def test_links_between_them_lead_somewhere() -> None:
    for name in NAMES:
        for cell in committed(name).cells:
            for link in re.findall(r"\]\(([^)#]+)\)", cell.source if cell.cell_type == "markdown" else ""):
                assert (FOLDER / link).exists(), f"{name}: {link}"


def test_they_are_small() -> None:
    assert sum((FOLDER / f"{name}.ipynb").stat().st_size for name in NAMES) < LARGEST
