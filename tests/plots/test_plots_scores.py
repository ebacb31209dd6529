from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from sklearn.metrics import roc_curve

from openshape_ood import NoveltyResult, plots, score_novelty
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import CLASSES
from openshape_ood.plots.scores import bin_edges, curve
from openshape_ood.synthetic import sample

KNOWN, NOVEL = [0.1, 0.3, 0.3, 0.9], [0.3, 0.5, 1.0]


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def made_up_result(b=3, k=2, names="abcdefghij"):
    similarity = np.random.RandomState(0).uniform(-0.2, 0.4, (b, k))
    classes = np.array([f"class {i}" for i in range(k)])
    return NoveltyResult(
        novelty=1 - similarity.max(axis=1),
        nearest=classes[similarity.argmax(axis=1)],
        similarity=similarity,
        classes=classes,
        shapes=tuple(f"/folder/{names[i % len(names)]}.ply" for i in range(b)),
        up=("y",) * b,
        provenance=Provenance(Identity("tiny", "static", "0"), "max_cosine"),
    )


def test_each_set_adds_up_to_a_hundred_per_cent():
    ax = plots.histogram(KNOWN, NOVEL)
    # stepfilled and step of each set; the outline's highest corner a bin, weighted by the bin's single width
    heights = [np.histogram(v, bin_edges([np.array(KNOWN), np.array(NOVEL)], 3))[0] for v in (KNOWN, NOVEL)]
    tallest = [100 * h.max() / h.sum() for h in heights]
    outlines = [patch.get_xy()[:, 1].max() for patch in ax.patches]
    assert outlines == pytest.approx([tallest[0], tallest[0], tallest[1], tallest[1]])
    assert texts(ax) == ["known (4)", "novel (3)"]


def test_the_legend_says_what_a_threshold_accepts():
    # counted: three of four known and one of three novel lie at or below 0.4
    assert texts(plots.histogram(KNOWN, NOVEL, threshold=0.4))[-1] == (
        "threshold 0.4000: accepts\n75 % of known, 33.3 % of novel"
    )
    for five in (5, Threshold(5)):
        assert texts(plots.histogram(KNOWN, threshold=five))[-1] == "threshold 5.0000: accepts\n100 % of known"


def test_a_threshold_beyond_all_values_is_in_the_picture():
    low, high = plots.histogram(KNOWN, threshold=5).get_xlim()
    assert low < 0.1 and high >= 5


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 0.0], [-2.0, 7.0], [1e-9, 2e-9], [1e300, -1e300]])
def test_bins_hold_every_value(values):
    edges = bin_edges([np.array(values)], len(values))
    assert np.histogram(values, edges)[0].sum() == len(values) and (np.diff(edges) > 0).all()
    plots.histogram(values)


def test_the_curve_is_that_of_scikit_learn():
    rng = np.random.RandomState(0)
    known, novel = rng.rand(50).round(1), (rng.rand(40) + 0.3).round(1)  # rounded, so that there are ties
    is_known = np.arange(90) < 50
    expected = roc_curve(is_known, -np.concatenate([known, novel]), drop_intermediate=False)[:2]
    np.testing.assert_array_equal(curve(known, novel), expected)


def test_the_dot_lies_where_95_per_cent_of_the_known_are_accepted():
    known, novel = np.arange(20) / 20, np.array([0.42, 0.52, 0.62, 0.72, 0.82, 2, 2, 2, 2, 2])
    ax = plots.roc(known, novel)
    # the 19th of 20 known is 0.90; 5 of the 10 novel lie below it
    dot = next(line for line in ax.lines if line.get_marker() == "o")
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (pytest.approx(0.5), 0.95)
    assert texts(ax)[0].endswith("FPR95 50.0 %")


def test_a_second_curve_has_the_next_color():
    ax = plots.roc(KNOWN, NOVEL, label="by $names$")
    frame = len(ax.texts)
    assert plots.roc(NOVEL, KNOWN, ax=ax, label="by examples") is ax
    curves = [line for line in ax.lines if line.get_gid() == "roc"]
    assert [to_hex(line.get_color()).upper() for line in curves] == list(CLASSES[:2])
    assert len(ax.texts) == frame
    first, second = texts(ax)
    assert first.startswith("by $names$: AUROC") and second.startswith("by examples: AUROC")


def test_tensors_and_results_are_numbers_too():
    assert texts(plots.histogram(torch.tensor(KNOWN), made_up_result())) == ["known (4)", "novel (3)"]


@pytest.mark.parametrize(
    "known, novel, message",
    [
        ([], [1.0], r"known shapes are empty, with the shape \(0,\)"),
        ([1.0], [], r"novel shapes are empty, with the shape \(0,\)"),
        ([1.0], [np.nan, 1.0], "row 0 of the novelties of novel shapes holds NaN or infinity"),
        (["a"], [1.0], "known shapes are of type str. Expected numbers"),
        (0.5, [1.0], r"have the shape \(\)"),
        ([[1.0]], [1.0], r"have the shape \(1, 1\)"),
    ],
)
def test_what_are_no_novelties_is_said(known, novel, message):
    for draw in (plots.histogram, plots.roc):
        with pytest.raises(InputError, match=message):
            draw(known, novel)


def test_a_threshold_is_a_number():
    with pytest.raises(InputError, match="values of threshold holds NaN"):
        plots.histogram(KNOWN, threshold=np.nan)


def test_the_map_says_each_similarity_and_frames_the_nearest():
    result = made_up_result(3, 2)
    ax = plots.similarity(result)
    np.testing.assert_array_equal(ax.images[0].get_array(), result.similarity)
    assert [float(text.get_text()) for text in ax.texts] == pytest.approx(result.similarity.ravel(), abs=0.005)
    frames = [(round(p.get_y() + p.get_height() / 2), round(p.get_x() + p.get_width() / 2)) for p in ax.patches]
    assert frames == list(enumerate(result.similarity.argmax(axis=1)))
    assert [label.get_text().split()[0] for label in ax.get_yticklabels()] == ["a.ply", "b.ply", "c.ply"]


@pytest.mark.parametrize("b, k", [(1, 1), (100, 3), (3, 100), (30, 13)])
def test_any_number_of_shapes_and_classes_is_drawn(tmp_path, b, k):
    ax = plots.similarity(made_up_result(b, k))
    assert plots.save(ax, tmp_path / "map.png").exists()
    assert max(ax.figure.get_size_inches()) <= 16


def test_names_in_the_map_start_no_formula(tmp_path):
    ax = plots.similarity(made_up_result(2, 2, names=["$\\frac", "東\n$x$"]))
    assert not any(label.get_parse_math() for label in ax.get_yticklabels() + ax.get_xticklabels())
    plots.save(ax, tmp_path / "map.png")


def test_no_minus_stands_before_nought():
    result = made_up_result(1, 1)
    result.similarity[:] = -0.001
    assert [text.get_text() for text in plots.similarity(result).texts] == ["0.00"]


def test_what_is_no_result_is_said():
    with pytest.raises(InputError, match=r"result is list, without similarity\. Expected a NoveltyResult"):
        plots.similarity([1.0])
    lame = SimpleNamespace(**{**made_up_result(3, 2).__dict__, "similarity": np.ones((2, 2))})
    with pytest.raises(InputError, match=r"similarity is \(2, 2\) for 3 shapes and 2 classes"):
        plots.similarity(lame)


def test_what_the_library_scores_is_drawn(tiny):
    result = score_novelty([sample(c, 256, seed=1) for c in ("chair", "car")], ["chair", "sofa"], encoder=tiny)
    labels = [label.get_text() for label in plots.similarity(result).get_yticklabels()]
    assert labels == [f"shape {i} ({result.novelty[i]:.3f})" for i in range(2)]
