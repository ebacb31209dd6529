import sys

import pytest
from made_up_finished import METHODS, READ, made_up_finished
from PIL import Image

from benchmarks.report.pictures.run import DRAWN, ends, overview, threshold_of, two_methods
from openshape_ood.errors import MissingPackageError
from openshape_ood.plots import save

ODD = "a $very$ \\long name of 東京 \n" + "x" * 60


@pytest.fixture(scope="module")
def plain():
    """A run by two methods: a third takes the drawing half as long again."""
    return made_up_finished(methods=METHODS[:2])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, plain):
    """The picture of a plain run, and the ids of the shapes that were read for it."""
    READ.clear()
    path = save(overview(plain), tmp_path_factory.mktemp("pictures") / "overview.png")
    return path, list(READ)


def test_the_overview_is_a_png(drawn):
    with Image.open(drawn[0]) as picture:
        picture.verify()
        assert picture.format == "PNG" and picture.size == (15 * 110, int(12.5 * 110))


def test_the_same_run_is_drawn_the_same(drawn, plain, tmp_path):
    assert save(overview(plain), tmp_path / "again.png").read_bytes() == drawn[0].read_bytes()


def test_only_the_shapes_drawn_are_read(drawn):
    assert 0 < len(drawn[1]) <= 2 * DRAWN < sum(len(o) for o in made_up_finished().data.sets.values())


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            {
                "known": ("chair",),
                "novel1": ("bed",),
                "novel2": (),
                "validation": False,
                "per_class": 1,
                "methods": METHODS[:2],
            },
            id="two classes of a shape each, no novel 2, no validation",
        ),
        pytest.param({"per_class": 2, "equal": True, "methods": METHODS[:1]}, id="all novelty equal"),
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
    assert save(overview(made_up_finished(**case)), tmp_path / "overview.png").stat().st_size > 1000


def test_ends_are_the_first_of_each_class():
    finished = made_up_finished()
    result = finished.results[1]
    rows = [
        (novelty, part, i, finished.data.sets[part].shapes[i].title)
        for part in ("known", "novel1", "novel2")
        for i, novelty in enumerate(result.scored[0][part].novelty)
    ]
    # written out: of each class the most novel one, the most novel class first; then the least novel likewise
    best = sorted((max(row for row in rows if row[3] == title) for title in {row[3] for row in rows}), reverse=True)
    least = sorted(min(row for row in rows if row[3] == title) for title in {row[3] for row in rows})
    assert ends(finished, result) == [(part, i) for _, part, i, _ in [*best[:DRAWN], *least[:DRAWN]]]


def test_the_overview_takes_names_and_prototypes_if_it_can():
    order = (("nearest example", "nearest_distance"), ("prototypes", "prototype_distance"), ("names", "max_cosine"))
    assert [r.known_by for r in two_methods(made_up_finished(methods=order))] == ["names", "prototypes"]
    assert [r.known_by for r in two_methods(made_up_finished(methods=order[:2]))] == ["prototypes", "nearest example"]


def test_without_validation_the_limit_is_that_of_the_known():
    result = made_up_finished(validation=False).results[0]
    value, keeps = threshold_of(result)
    # numpy's quantile, as sorted by hand: between the 11th and 12th of 12 values, at 0.95 * 11 = 10.45
    ordered = sorted(result.scored[0]["known"].novelty)
    assert (
        value == pytest.approx(ordered[10] + 0.45 * (ordered[11] - ordered[10]))
        and keeps == "11 of 12 of the known tested"
    )
    result = made_up_finished().results[0]
    assert threshold_of(result) == (result.thresholds[0], "11 of 12 of the validation")
    # below it, of the first seed's validation shapes, by counting: 12 * 0.95 = 11.4, so that one of them is above
    assert sum(v <= threshold_of(result)[0] for v in result.scored[0]["validation"].novelty) == 11


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'openshape-ood\[plots\]'"):
        save(overview(made_up_finished()), tmp_path / "overview.png")
