import numpy as np
import pytest

from openshape_ood import plots
from openshape_ood.errors import InputError
from openshape_ood.plots import tsne

Z = np.concatenate([np.random.RandomState(i).normal(0, 0.1, (15, 80)) + np.eye(80)[i] for i in range(3)])
LABELS = np.repeat(["chair", "sofa", "guitar"], 15)


def drawn(ax):
    return np.concatenate([np.asarray(points.get_offsets()) for points in ax.collections])


def names(ax):
    return [text.get_text() for text in ax.texts]


def test_groups_stay_together():
    places = tsne.plane(Z)
    # written out: the nearest other place of every shape is one of its own group
    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(45)
    assert (LABELS[distance.argmin(axis=1)] == LABELS).all()


def test_the_same_embeddings_give_the_same_map():
    first, again = (drawn(plots.embeddings(Z, LABELS, seed=4)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_components_keep_distances():
    parts = tsne._components(Z)
    assert parts.shape == (45, 45)  # 45 rows span no more
    pairs = [np.linalg.norm(table[:, None] - table[None], axis=2) for table in (parts, Z)]
    np.testing.assert_allclose(*pairs, atol=1e-9)
    assert tsne._components(np.random.RandomState(0).rand(90, 80)).shape == (90, 50)


@pytest.mark.parametrize("b", [1, 2, 3, 4, 9])
def test_few_and_equal_shapes_are_laid_out(b):
    for z in (np.eye(16)[:b], np.ones((b, 16)), np.ones((b, 1)), np.ones((b, 70)), np.eye(70)[:b] * 1e-9):
        ax = plots.embeddings(z, ["chair"] * b)
        assert drawn(ax).shape == (b, 2) and np.isfinite(drawn(ax)).all()


def test_every_class_is_named_once():
    ax = plots.embeddings(Z, LABELS)
    assert names(ax) == ["chair", "guitar", "sofa"] and ax.get_legend() is None


@pytest.mark.parametrize("known", [["chair", "sofa"], LABELS != "guitar"])
def test_what_is_novel_is_told_apart(known):
    ax = plots.embeddings(Z, LABELS, known=known)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["known, colored by class (30)", "novel (15)"]
    assert names(ax) == ["chair", "sofa", "guitar"] and not len(ax.collections[-1].get_facecolors())


def test_of_many_shapes_some_are_drawn(monkeypatch):
    monkeypatch.setattr(tsne, "SHOWN", 10)
    ax = plots.embeddings(Z, LABELS)
    assert len(drawn(ax)) == 10 and "10 of 45 embeddings" in ax.get_xlabel()


def test_very_many_classes_have_no_names():
    assert not names(plots.embeddings(Z, [f"class {i}" for i in range(45)]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((Z[0], ["chair"]), r"have the shape \(80,\)\. Expected \(n, d\)"),
        ((Z[:0], []), r"the shape \(0, 80\)\. Expected \(n, d\) with at least one n"),
        ((Z, LABELS[:3]), "3 labels for 45"),
        ((Z, "chair"), "labels are str"),
        ((np.full((2, 3), np.inf), ["a", "b"]), "row 0 of the embeddings holds NaN or infinity"),
        (([["a"]], ["a"]), "are of type str. Expected numbers"),
    ],
)
def test_what_does_not_fit_is_said(arguments, message):
    with pytest.raises(InputError, match=message):
        plots.embeddings(*arguments)


def test_a_mask_or_a_seed_that_does_not_fit_is_said():
    with pytest.raises(InputError, match=r"known is a mask \(2,\) for 45"):
        plots.embeddings(Z, LABELS, known=np.array([True, False]))
    with pytest.raises(InputError, match="seed is -1"):
        plots.embeddings(Z, LABELS, seed=-1)
