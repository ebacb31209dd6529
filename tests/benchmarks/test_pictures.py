import sys
from dataclasses import replace

import numpy as np
import pytest
from made_up_finished import METHODS, READ, made_up_finished
from PIL import Image

from benchmarks.report.pictures import PICTURES, canvas, draw_all
from benchmarks.report.pictures.embeddings import choose, plane
from benchmarks.report.pictures.histograms import bin_edges
from benchmarks.report.pictures.overview import DRAWN, ends, two_methods
from benchmarks.report.pictures.roc import curve
from benchmarks.threedos.results import Scored
from openshape_ood.errors import MissingPackageError

MANY = [f"class {i}" for i in range(18)]
ODD = "a $very$ \\long name of 東京 \n" + "x" * 60


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The pictures of a plain run, and the ids of the shapes that were read for them."""
    READ.clear()
    paths = draw_all(tmp_path_factory.mktemp("pictures") / "new" / "folder", made_up_finished())
    return paths, list(READ)


def test_every_picture_is_a_png_and_nothing_else_is_left(drawn):
    paths, _ = drawn
    names = ["overview.png", "histograms.png", "roc.png", "confusion.png", "embeddings.png"]
    assert [path.name for path in paths.values()] == names
    assert sorted(path.name for path in paths["Overview"].parent.iterdir()) == sorted(names)
    for path in paths.values():
        with Image.open(path) as picture:
            picture.verify()
            assert picture.format == "PNG" and min(picture.size) >= 300
    with Image.open(paths["Overview"]) as picture:
        assert picture.size == (13 * 110, 11 * 110)


def test_the_same_run_is_drawn_the_same(drawn, tmp_path):
    again = draw_all(tmp_path, made_up_finished())
    assert all(again[title].read_bytes() == path.read_bytes() for title, path in drawn[0].items())


def test_only_the_shapes_drawn_are_read(drawn):
    assert 0 < len(drawn[1]) <= 2 * DRAWN < sum(len(o) for o in made_up_finished().data.sets.values())


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            {"known": ("chair",), "novel1": ("bed",), "novel2": (), "validation": False, "per_class": 1},
            id="two classes of a shape each, no novel 2, no validation",
        ),
        pytest.param({"per_class": 2, "equal": True}, id="all novelty equal"),
        pytest.param(
            {
                "known": (ODD, "chair"),
                "novel1": (ODD + "2",),
                "ids": ODD + "{i}",
                "methods": METHODS[2:],
                "seeds": (7,),
            },
            id="odd names, one method",
        ),
    ],
)
def test_unusual_runs_are_drawn(tmp_path, case):
    assert len(draw_all(tmp_path, made_up_finished(**case))) == len(PICTURES)


def test_many_classes_have_room(tmp_path):
    finished = made_up_finished(MANY, [f"novel {i}" for i in range(18)], [f"other {i}" for i in range(18)], per_class=1)
    path = PICTURES["What novel shapes are taken for"][1](tmp_path / "confusion.png", finished)
    with Image.open(path) as picture:
        # 36 rows by 3 x 18 columns of at least 25 by 35 pixels
        assert picture.height >= 36 * 25 and picture.width >= 3 * 18 * 35
    assert PICTURES["Embeddings"][1](tmp_path / "embeddings.png", finished).exists()


def test_ends_are_the_first_of_each_class():
    finished = made_up_finished()
    result = finished.results[1]
    rows = [
        (novelty, part, i, finished.data.sets[part].shapes[i].title)
        for part in ("known", "novel1", "novel2")
        for i, novelty in enumerate(result.scored[0][part].novelty)
    ]
    # written out: of each class the most novel one, the most novel class first
    best = sorted((max(row for row in rows if row[3] == title) for title in {row[3] for row in rows}), reverse=True)
    assert ends(finished, result, most=True) == [(part, i) for _, part, i, _ in best][:DRAWN]


def test_the_overview_takes_names_and_prototypes_if_it_can():
    order = (("nearest example", "nearest_distance"), ("prototypes", "prototype_distance"), ("names", "max_cosine"))
    assert [r.known_by for r in two_methods(made_up_finished(methods=order))] == ["names", "prototypes"]
    assert [r.known_by for r in two_methods(made_up_finished(methods=order[:2]))] == ["prototypes", "nearest example"]


def test_without_validation_the_limit_is_that_of_the_known():
    result = made_up_finished(validation=False).results[0]
    value, keeps = canvas.limit(result)
    # numpy's quantile, as sorted by hand: between the 11th and 12th of 12 values, at 0.95 * 11 = 10.45
    ordered = sorted(result.scored[0]["known"].novelty)
    assert value == pytest.approx(ordered[10] + 0.45 * (ordered[11] - ordered[10])) and "known" in keeps
    result = made_up_finished().results[0]
    assert canvas.limit(result) == (result.thresholds[0], "95 % of validation")
    # below it, of the first seed's validation shapes, by counting: 12 * 0.95 = 11.4, so that one of them is above
    assert sum(v <= canvas.limit(result)[0] for v in result.scored[0]["validation"].novelty) == 11


def test_shapes_are_chosen_evenly_and_always_the_same():
    rows = choose({"support": 5000, "known": 30, "novel1": 700, "novel2": 0}, most=1000)
    # 30 known ones are all taken; of the 970 left, the others have half each
    assert {part: len(own) for part, own in rows.items()} == {"support": 485, "known": 30, "novel1": 485}
    assert all(len(set(own.tolist())) == len(own) for own in rows.values()) and max(rows["support"]) < 5000
    again = choose({"support": 5000, "known": 30, "novel1": 700, "novel2": 0}, most=1000)
    assert all((rows[part] == again[part]).all() for part in rows)
    few = choose({"support": 3, "known": 2}, most=1000)
    assert few["support"].tolist() == [0, 1, 2] and few["known"].tolist() == [0, 1]


@pytest.mark.parametrize("b", [1, 2, 3, 4, 9])
def test_few_shapes_and_equal_ones_are_laid_out(b):
    for z in (np.eye(16)[:b], np.ones((b, 16)), np.ones((b, 1))):
        places = plane(z)
        assert places.shape == (b, 2) and np.isfinite(places).all()


def test_bins_hold_every_value():
    for values in ([0.5, 0.5], [0.0, 0.0], [-2.0, 7.0], [1e-9, 2e-9]):
        edges = bin_edges({"known": Scored(np.array(values), np.zeros(2, int), np.zeros(2, int))})
        assert np.histogram(values, edges)[0].sum() == 2 and (np.diff(edges) > 0).all()


def test_the_curve_is_that_of_counting():
    known, novel = np.array([0.1, 0.3, 0.3, 0.9]), np.array([0.3, 0.5, 1.0])
    fpr, tpr = curve(known, novel)
    # at each threshold, the share of novelty up to it
    counted = {(np.mean(novel <= t), np.mean(known <= t)) for t in (-np.inf, *known, *novel)}
    assert set(zip(fpr.tolist(), tpr.tolist(), strict=True)) == counted


def test_a_cloud_is_seen_upright_and_from_the_front():
    # y is up; what lies towards +z is nearer to the eye, what lies towards +x further right
    across, up, near, height = canvas.view(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32))
    assert across[1] > 0 and up[2] > 0.9 and near[3] > 0.7 and height.tolist() == [0, 0, 1, 0]


def test_names_are_shortened_in_the_middle():
    assert canvas.short("bookshelf", 9) == "bookshelf"
    assert canvas.short("a/very/long/path.h5", 9) == "a/ve…h.h5"
    assert canvas.short("a\n東", 9) == "a??"


def test_a_picture_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def fill(figure):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        canvas.save(path, (2, 2), fill)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"pip install -e '\.\[benchmarks\]'"):
        draw_all(tmp_path, made_up_finished())


def test_absent_classes_are_no_row(tmp_path):
    finished = made_up_finished()
    lacking = replace(finished.results[0], confusion={"bed": {"chair": 1.0}})
    path = PICTURES["What novel shapes are taken for"][1](tmp_path / "c.png", replace(finished, results=[lacking]))
    assert path.exists()
