from dataclasses import replace

import numpy as np
import pytest

from openshape_ood import Embeddings, plots
from openshape_ood.discovery import Discovery, Group, Suggestion
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.plots.sheet import ends
from openshape_ood.synthetic import sample

SHAPES = [sample("chair", 100, seed=s) for s in range(9)]
NOVELTY = np.array([0.3, 0.9, 0.1, 0.5, 0.5, 0.7, 0.2, 0.8, 0.4])


def titles(figure):
    return {p.get_suptitle(): [ax.get_title() for ax in p.axes if ax.get_title()] for p in figure.subfigs}


def test_the_ends_come_first():
    found = titles(plots.contact_sheet(SHAPES, NOVELTY, count=2, titles=list("abcdefghi"), threshold=0.15))
    assert found == {
        "most novel": ["b\n0.9000, novel", "h\n0.8000, novel"],
        "least novel": ["c\n0.1000, known", "g\n0.2000, novel"],
    }


@pytest.mark.parametrize(
    "b, count, most, least", [(1, 6, 1, 0), (2, 6, 1, 1), (7, 6, 4, 3), (20, 6, 6, 6), (3, 1, 1, 1)]
)
def test_no_shape_is_drawn_twice(b, count, most, least):
    found = ends(np.zeros(b), count)
    assert [len(places) for places in found.values()] == [most, least]
    assert len(set(np.concatenate(list(found.values())))) == most + least


def test_only_the_shapes_drawn_are_read(tmp_path):
    np.save(tmp_path / "a.npy", SHAPES[0])
    np.save(tmp_path / "z.npy", SHAPES[1])
    paths = [tmp_path / "a.npy", tmp_path / "missing.npy", tmp_path / "z.npy"]
    assert titles(plots.contact_sheet(paths, [0, 1, 2], count=1)) == {
        "most novel": ["z.npy\n2.0000"],
        "least novel": ["a.npy\n0.0000"],
    }


def test_more_than_a_row_goes_into_the_next():
    figure = plots.contact_sheet(SHAPES * 2, np.arange(18.0), count=8)
    assert [len(part.axes) for part in figure.subfigs] == [12, 12]  # two rows of six, four hidden
    assert all(len(shown) == 8 for shown in titles(figure).values())


def test_a_given_figure_is_drawn_on():
    figure = plots.panels(1, 1)[0]
    figure.clear()
    assert plots.contact_sheet(SHAPES, NOVELTY, figure=figure, up=["y"] * 9) is figure
    assert len(figure.subfigs) == 2


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"novelty": [1.0]}, InputError, "1 novelties for 9"),
        ({"titles": ["a"]}, InputError, "1 titles for 9"),
        ({"count": 0}, InputError, "count is 0. Expected a whole number from 1"),
        ({"count": 2.0}, InputError, "count is 2.0"),
        ({"threshold": np.nan}, InputError, "NaN"),
        ({"up": "w"}, UnknownNameError, "up is 'w'"),
        ({"up": ["y"]}, InputError, "up has 1 entries for 9 shapes"),
    ],
)
def test_what_does_not_fit_is_said(arguments, error, message):
    with pytest.raises(error, match=message):
        plots.contact_sheet(SHAPES, **{"novelty": NOVELTY, **arguments})


def discovered():
    identity = Identity("mine", "my space", "ab" * 32)
    groups = (
        Group(1, np.array([2, 0, 3, 1]), 0.9, (Suggestion("$cup", 0.31, False),), True),
        Group(2, np.array([5, 4]), 0.2, (Suggestion("jug", 0.12, True),), False),
    )
    return Discovery(groups, np.ones(9, dtype=bool), Embeddings(np.eye(9), identity))


def test_groups_show_their_medoid_and_their_outermost():
    assert titles(plots.group_sheet(SHAPES, discovered(), count=2, titles=list("abcdefghi"))) == {
        "group 1: 4 shapes, stability 0.90\n$cup 0.31": ["c", "b"],
        "group 2: 2 shapes, stability 0.20\nno name fits (jug 0.12 (known))": ["f", "e"],
    }


def test_of_given_rows_only_these_are_drawn():
    some = {5: SHAPES[5], 2: SHAPES[2]}
    found = titles(plots.group_sheet(some, discovered(), titles=["five", "two"], up=["y", "z"]))
    assert list(found.values()) == [["two"], ["five"]]
    assert [len(cells) for cells in titles(plots.group_sheet({5: SHAPES[5]}, discovered())).values()] == [0, 1]


def test_a_sheet_without_groups_or_of_other_shapes_is_refused():
    with pytest.raises(InputError, match="no groups to draw"):
        plots.group_sheet(SHAPES, replace(discovered(), groups=()))
    with pytest.raises(InputError, match="9 rows of the discovery and 8 of shapes"):
        plots.group_sheet(SHAPES[:8], discovered())
