"""localize over a folder: a ranked table, and a report that holds all it shows."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape

from openshape_ood import KnownClasses, NoveltyMap, ShapeEncoder, localize, score_novelty
from openshape_ood.cli import maps
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.planted import plant

HOSTILE = "<script>alert(1)</script>&\"'.npy".replace("/", "_")


class Tags(HTMLParser):
    """Tags with their attributes, and all text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def known(tiny: ShapeEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved memory bank."""
    chairs = {"chair <b>": [sample("chair", 800, seed) for seed in range(12)]}
    classes = KnownClasses.from_examples(chairs, tiny, patches="local")
    return classes.save(tmp_path_factory.mktemp("known") / "chairs.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    write_shape(folder / "a.npy", "chair", seed=50)
    np.save(folder / HOSTILE, plant("chair", "guitar", 1024, 101, 0.52, "parsons").cloud)
    write_shape(folder / "c.npy", "guitar")
    (folder / "bad.ply").write_text("no")
    (folder / "notes.md").touch()
    return folder


def test_a_folder_is_localized_in_batches_as_one_by_one(folder: Path, known: Path, tiny: ShapeEncoder) -> None:
    words = ["localize", folder, "--known-file", known, "--batch-size", "2", "--threshold", "1.2"]
    found = run_json(*words, code=1)
    classes = KnownClasses.load(known)
    rows = {Path(row["file"]).name: row for row in found["shapes"]}
    assert set(rows) == {"a.npy", HOSTILE, "c.npy"}
    for row in rows.values():
        alone = localize(row["file"], classes, encoder=tiny)
        assert row["map"]["novelty"]["max"] == pytest.approx(alone.novelty.max(), abs=1e-5)
        assert row["map"]["share_beyond_threshold"] == pytest.approx(alone.is_novel.mean(), abs=0.01)
        assert row["novelty"] == pytest.approx(score_novelty(row["file"], classes, encoder=tiny).novelty[0], abs=1e-5)
    novelty = [row["novelty"] for row in found["shapes"]]
    assert novelty == sorted(novelty, reverse=True)
    assert [row["verdict"] for row in found["shapes"]] == ["novel" if value > 1.2 else "known" for value in novelty]
    assert [Path(one["file"]).name for one in found["failed"]] == ["bad.ply"]
    assert found["counts"] == {"localized": 3, "failed": 1, "ignored": 1}
    shown = run(*words)
    assert shown.exit_code == 1 and shown.stdout.index("c.npy") < shown.stdout.index("a.npy")
    assert "notes.md" in shown.stderr and "bad.ply" in shown.stderr


def test_the_report_holds_all_and_no_name_is_taken_for_markup(folder: Path, known: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = tmp_path / "new.html"
    words = ["--known-file", known, "--report", report, "--threshold", "1.2"]
    found = run_json("localize", folder, *words, code=1)
    page = Tags(report.read_text(encoding="utf-8"))
    assert found["report"] == str(report) and "What is new here, and where" in page.text
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    pictures = [own["src"] or "" for tag, own in page.tags if tag == "img"]
    assert len(pictures) == 3 and all(source.startswith("data:image/png;base64,") for source in pictures)
    assert not re.search(r"https?://|url\(|@import", report.read_text(encoding="utf-8"))
    assert any("default-src 'none'" in (own.get("content") or "") for tag, own in page.tags if tag == "meta")
    names = [row["id"] for row in found["shapes"]]  # below the folder that was given
    places = [page.text.index(name) for name in names]
    assert places == sorted(places) and "known classes: chair <b>" in page.text.lower()
    verdicts = [own["class"] for tag, own in page.tags if tag == "span" and "verdict" in (own["class"] or "")]
    assert verdicts == [f"verdict {row['verdict']}" for row in found["shapes"]]
    assert "could not be used" in page.text and "bad.ply" in page.text
    assert "% of the height, about (" in page.text
    assert "which keeps 95 % of known shapes like the" in page.text  # the threshold of points


def test_the_report_says_where_the_axis_may_be_another(known: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    folder, report = tmp_path / "z", tmp_path / "new.html"
    folder.mkdir()
    for seed in range(8):
        np.save(folder / f"{seed}.npy", sample("chair", 800, 60 + seed)[:, [0, 2, 1]] * [1, -1, 1])
    words = ["localize", folder, "--known-file", known, "--report", report, "--threshold", "0.8"]
    said = run(*words)
    assert "Give --up z" in said.stderr and "Read with y up, but z is up" in report.read_text(encoding="utf-8")
    assert run_json(*words, "--up", "auto")["up_axis"]["axis"] == "z"
    assert "Up axis: z" in report.read_text(encoding="utf-8") and "Read with y" not in report.read_text("utf-8")


def test_beyond_so_many_the_less_novel_have_no_picture(
    folder: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(maps, "KEPT", 1)
    report = tmp_path / "new.html"
    found = run_json("localize", folder, "--known-file", known, "--report", report, "--batch-size", "1", code=1)
    page = Tags(report.read_text(encoding="utf-8"))
    assert [own["alt"] for tag, own in page.tags if tag == "img"] == [f"Novelty map of {found['shapes'][0]['id']}"]
    assert "without a picture" in page.text and all(row["id"] in page.text for row in found["shapes"])


def test_a_map_that_does_not_tell_says_so(folder: Path, known: Path, tiny: ShapeEncoder) -> None:
    classes = KnownClasses.load(known)
    pole = np.random.RandomState(0).rand(900, 3) * [0.02, 2, 0.02]
    found = localize(pole, classes, encoder=tiny)
    assert found.is_novel.mean() > 0.9 and not found.tells and "does not locate novelty" in str(found)
    chair = localize(sample("chair", 1024, 50), classes, encoder=tiny)
    assert chair.tells and "does not tell" not in str(chair)
    np.save(folder / "pole.npy", pole)
    one = run("localize", folder / "pole.npy", "--known-file", known)
    assert "the map does not locate novelty" in one.stdout and "points, " not in one.stdout.split("beyond")[1]
    many = run("localize", folder, "--known-file", known)
    assert "1 of 4 maps do not locate novelty" in many.stdout or "2 of 4 maps do not locate novelty" in many.stdout


@pytest.mark.parametrize(
    "words, message",
    [
        (["--out", "x.ply"], "was given with 4 shapes. Expected one shape"),
        (["--report", "x.pdf"], ".html"),
        (["--known-up", "z"], "Expected shapes of --examples. "),
    ],
)
def test_wrong_usage_over_a_folder(folder: Path, known: Path, words: list[str], message: str) -> None:
    result = run("localize", folder, "--known-file", known, *words)
    assert result.exit_code == 2 and message in result.stderr


def test_stored_embeddings_name_the_files_that_are_localized(folder: Path, known: Path, tmp_path: Path) -> None:
    store = tmp_path / "scans.npz"
    lying = folder / "lying.npy"
    np.save(lying, np.load(folder / "a.npy")[:, [0, 2, 1]])
    files = (lying, folder / "c.npy")
    assert run("embed", *files, "--out", store, "--model", "tiny", "--up", "z").exit_code == 0
    words = ("--known-file", known, "--threshold", "1.2")
    assert run_json("localize", store, *words)["shapes"] == run_json("localize", *files, "--up", "z", *words)["shapes"]
    lying.unlink()
    result = run("localize", store, *words)
    assert result.exit_code == 1 and "lying.npy: no such file" in result.stderr


def test_maps_of_many_are_those_of_each(tiny: ShapeEncoder, known: Path) -> None:
    from openshape_ood.novelty_map import localize_many

    classes = KnownClasses.load(known)
    shapes = [sample("chair", 600, 50), sample("guitar", 900, 1)[:, [0, 2, 1]], sample("lamp", 500, 1)]
    found = list(localize_many(shapes, classes, encoder=tiny, up=["y", "z", "y"], batch_size=2))
    assert [type(one) for one in found] == [NoveltyMap] * 3 and [one.up for one in found] == ["y", "z", "y"]
    for one, shape, up in zip(found, shapes, ["y", "z", "y"], strict=True):
        alone = localize(shape, classes, encoder=tiny, up=up)
        np.testing.assert_allclose(one.novelty, alone.novelty, atol=1e-5)
        assert one.threshold.value == alone.threshold.value
