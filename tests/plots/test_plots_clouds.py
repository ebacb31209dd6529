import numpy as np
import pytest
import trimesh
from made_up_map import made_up

from openshape_ood import plots
from openshape_ood.errors import CloudError, InputError, NoSuchShapeError, UnknownNameError
from openshape_ood.novelty_map import Elements, localize
from openshape_ood.novelty_map.colors import class_colors, hex_to_rgb, ramp
from openshape_ood.plots.points import view
from openshape_ood.shapes.points import UPS, upright
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.planted import plant

CHAIR = sample("chair", 300, seed=1)
ODD = "a $very_{odd}$ \\name \u202e東京 \udcff \n<b>%{x}"


def drawn(ax):
    """Places (n, 2) and colors (n, 3) of the points, in the order in which they are drawn."""
    points = ax.collections[0]
    return np.asarray(points.get_offsets()), points.get_facecolors()[:, :3]


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def below(ax):
    """What is written at the color bar."""
    bar = ax.child_axes[0]
    return [text.get_text() for text in bar.get_xticklabels() + bar.texts]


def test_every_point_is_drawn_in_its_color_and_the_nearest_last():
    values = np.arange(300.0)
    places, colors = drawn(plots.cloud(CHAIR, "novelty", values, low=100, high=200))
    across, rise, near = view(CHAIR)
    order = np.argsort(near, kind="stable")
    np.testing.assert_allclose(places, np.stack([across, rise], axis=1)[order])
    np.testing.assert_allclose(colors, ramp(values, 100, 200)[order])


@pytest.mark.parametrize("up", UPS)
def test_a_shape_looks_the_same_whichever_axis_is_up(up):
    # turned so that `up` is its axis: the inverse of a rotation is its transpose
    turned = CHAIR @ upright(np.eye(3), up).T
    np.testing.assert_allclose(drawn(plots.cloud(turned, up=up))[0], drawn(plots.cloud(CHAIR))[0], atol=1e-12)


def test_own_colors_may_be_bytes():
    rgb = np.random.RandomState(0).randint(0, 256, (300, 3))
    cloud = np.concatenate([CHAIR, rgb], axis=1)
    order = np.argsort(view(CHAIR)[2], kind="stable")
    np.testing.assert_allclose(drawn(plots.cloud(cloud, "rgb"))[1], rgb[order] / 255)


def test_the_bar_says_what_the_colors_mean():
    ax = plots.cloud(CHAIR, "novelty", np.linspace(0.25, 0.75, 300))
    assert below(ax) == ["known\n0.25", "novel\n0.75"]
    assert not plots.cloud(CHAIR, "novelty", np.zeros(300), legend=False).child_axes


def test_equal_novelties_are_drawn_grey():
    colors = drawn(plots.cloud(CHAIR, "novelty", np.full(300, 0.5)))[1]
    np.testing.assert_allclose(colors, np.tile(ramp(np.array([0.0]), 0, 1), (300, 1)))


def test_classes_have_a_legend():
    ax = plots.cloud(CHAIR, "class", np.where(np.arange(300) < 100, "leg", ODD))
    odd, plain = texts(ax)
    assert plain == "leg" and odd.startswith("a $very_{od") and odd.isprintable() and len(odd) == 24
    assert all(not text.get_parse_math() for text in ax.get_legend().get_texts())
    assert plots.cloud(CHAIR, "class", ["leg"] * 300, legend=False).get_legend() is None


def test_more_classes_than_colors_share_a_grey():
    # of 9 classes the commonest 6 keep their names
    values = [f"c{i % 9}" for i in range(300)]
    values[:20] = ["c8"] * 20
    names = texts(plots.cloud(CHAIR, "class", values))
    assert len(names) == 7 and names[-1] == "3 others" and "c8" in names


def test_a_path_and_a_mesh_are_sampled(tmp_path):
    box = trimesh.creation.box()
    box.export(tmp_path / "box.ply")
    for shape in (box, tmp_path / "box.ply", str(tmp_path / "box.ply")):
        assert len(drawn(plots.cloud(shape, up="file"))[0]) == 10_000


def test_given_axes_are_drawn_on():
    figure, axes = plots.panels(1, 2)
    assert plots.cloud(CHAIR, ax=axes[0, 1], title="two\nlines") is axes[0, 1]
    assert axes[0, 1].get_title() == "two\nlines" and axes[0, 1].figure is figure
    assert not axes[0, 0].collections
    with pytest.raises(InputError, match="rows is 0"):
        plots.panels(0, 2)


def test_narrow_axes_are_drawn_in_whole_and_quietly(tmp_path, caplog):
    figure, axes = plots.panels(1, 3, size=(8, 3))
    for ax in axes.flat:
        plots.novelty_map(made_up(), ax=ax)
    plots.save(figure, tmp_path / "a.png")
    assert not caplog.records
    for ax in axes.flat:  # nothing reaches beyond the paper
        box = ax.get_tightbbox().transformed(figure.transFigure.inverted())
        assert min(box.x0, box.y0) >= -0.005 and max(box.x1, box.y1) <= 1.005


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"color": "color"}, UnknownNameError, "known: height, rgb, novelty, class"),
        ({"color": "rgb"}, InputError, r"\(300, 3\)\. Expected \(n, 6\)\. Use color='height'"),
        ({"color": "novelty"}, InputError, "values are missing.*Give the argument values"),
        ({"color": "novelty", "values": [1.0, 2.0]}, InputError, "2 values .* for 300"),
        ({"color": "novelty", "values": ["a"] * 300}, InputError, "are of type str. Expected numbers"),
        (
            {"color": "novelty", "values": np.full(300, np.nan)},
            InputError,
            "row 0 of the values .* holds NaN or infinity",
        ),
        ({"color": "novelty", "values": np.ones((300, 1))}, InputError, r"have the shape \(300, 1\)"),
        ({"color": "novelty", "values": np.ones(300), "low": 2.0}, InputError, "Expected low <= high"),
        (
            {"color": "novelty", "values": np.ones(300), "high": np.inf},
            InputError,
            "values of high holds NaN or infinity",
        ),
        ({"color": "class", "values": ["chair"]}, InputError, "1 values .* for 300"),
        ({"color": "class", "values": "chair"}, InputError, r"are str\. Expected a list of names"),
        ({"values": np.ones(300)}, InputError, "Expected 'novelty' or 'class'"),
        ({"low": 1.0}, InputError, "Leave low and high out"),
        ({"up": "w"}, UnknownNameError, "up is 'w'"),
        ({"ax": 3}, InputError, "ax is int"),
    ],
)
def test_what_does_not_fit_is_said(arguments, error, message):
    with pytest.raises(error, match=message):
        plots.cloud(CHAIR, **arguments)


def test_what_is_no_shape_is_said():
    with pytest.raises(CloudError, match=r"2 shapes were given\. Expected one\. Draw several with contact_sheet"):
        plots.cloud([CHAIR, CHAIR])
    with pytest.raises(NoSuchShapeError):
        plots.cloud("no such file.ply")


def test_a_novelty_map_is_drawn_on_its_own_ramp():
    found = made_up()
    ax = plots.novelty_map(found)
    order = np.argsort(view(found.points)[2], kind="stable")
    np.testing.assert_allclose(drawn(ax)[1], ramp(found.novelty, 0.1, 0.9)[order])
    assert ax.get_title() == "chair.ply\nagainst chair, sofa"
    assert below(ax) == ["known\n0.1", "novel\n0.9", "95 % of known\nup to 0.5"]
    assert not plots.novelty_map(found, bar=False).child_axes


def test_without_a_threshold_the_ramp_is_the_shapes_own_and_has_no_mark():
    found = made_up(threshold=None)
    low, high = found.novelty.min(), found.novelty.max()
    assert below(plots.novelty_map(found)) == [f"known\n{low:.3g}", f"novel\n{high:.3g}"]


def test_a_class_has_its_color_also_where_others_lack():
    found = made_up(("chair", "sofa", "table"))
    found.nearest[:] = "table"
    ax = plots.novelty_map(found, color="class")
    assert texts(ax) == ["table"]
    # the third of the three known classes, as in the colored PLY
    expected = hex_to_rgb(class_colors(["chair", "sofa", "table"])["table"])
    np.testing.assert_allclose(drawn(ax)[1], np.tile(expected, (200, 1)))


def test_many_odd_classes_are_drawn(tmp_path):
    found = made_up([f"{ODD} {i}" for i in range(12)], name=ODD)
    for color in ("novelty", "class"):
        ax = plots.novelty_map(found, color=color)
        assert "8 more" in ax.get_title() and "東" not in ax.get_title()
        assert plots.save(ax, tmp_path / "odd.png").stat().st_size > 10_000


def test_another_color_or_thing_is_no_novelty_map():
    with pytest.raises(UnknownNameError, match="known: novelty, class"):
        plots.novelty_map(made_up(), color="height")
    with pytest.raises(InputError, match=r"is ndarray\. Expected a NoveltyMap of points"):
        plots.novelty_map(CHAIR)
    image = made_up(elements=Elements("pixels", np.zeros((200, 3)), (10, 20)))
    with pytest.raises(InputError, match="a map of pixels"):
        plots.turnable(image)


def test_a_map_of_pixels_is_an_image():
    image = made_up(elements=Elements("pixels", np.zeros((200, 3)), (10, 20)))
    for color in ("novelty", "class"):
        ax = plots.novelty_map(image, color=color)
        assert ax.images[0].get_array().shape == (10, 20, 3)


def test_what_the_library_localizes_is_drawn(tiny):
    shape = plant("chair", "guitar", points=512, seed=3)
    found = localize(shape.cloud, {"chair": [sample("chair", 512, seed=s) for s in range(4)]}, encoder=tiny)
    order = np.argsort(view(shape.cloud)[2], kind="stable")
    for color in ("novelty", "class"):
        # the same colors as those of its PLY
        np.testing.assert_allclose(drawn(plots.novelty_map(found, color=color))[1], found.colors(color)[order])


def test_what_was_not_seen_is_white():
    found = made_up()
    partly = made_up(novelty=np.where(np.arange(200) < 20, np.nan, found.novelty))
    white = (drawn(plots.novelty_map(partly))[1][:, :3] == 1).all(axis=1)
    assert white.sum() == 20 and not (drawn(plots.novelty_map(found))[1][:, :3] == 1).all(axis=1).any()
