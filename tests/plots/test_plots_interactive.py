import numpy as np
import pytest
from made_up_map import made_up

from openshape_ood import plots
from openshape_ood.errors import CloudError, InputError
from openshape_ood.plots.interactive import LONGEST
from openshape_ood.shapes.points import UPS, upright
from openshape_ood.synthetic import sample

CHAIR = sample("chair", 300, seed=1)
HOSTILE = "</script><script>alert(1)</script><b>$x$ %{x} \udcff 東京"


def places(trace):
    return np.stack([trace.x, trace.y, trace.z], axis=1)


@pytest.mark.parametrize("up", UPS)
def test_shapes_stand_upright_in_a_z_up_scene(up):
    turned = CHAIR @ upright(np.eye(3), up).T
    # y up becomes z up by a rotation about x: what faced +z faces -y
    expected = CHAIR[:, [0, 2, 1]] * [1, -1, 1]
    np.testing.assert_allclose(places(plots.turnable(turned, up=up).data[0]), expected, atol=1e-5)


def test_a_class_is_a_trace():
    values = np.where(np.arange(300) < 100, "leg", "seat")
    figure = plots.turnable(CHAIR, "class", values)
    assert {trace.name: len(trace.x) for trace in figure.data} == {"leg": 100, "seat": 200}


def test_a_novelty_map_brings_its_own_ramp():
    (trace,) = plots.turnable(made_up()).data
    assert (trace.marker.cmin, trace.marker.cmax) == (0.1, 0.9)
    assert trace.marker.colorbar.ticktext == ("0.1 known", "0.9 novel")
    assert {trace.name for trace in plots.turnable(made_up(), "class").data} == {"chair", "sofa"}


def test_own_colors_and_equal_novelties_are_drawn():
    cloud = np.concatenate([CHAIR, np.tile([255, 0, 128], (300, 1))], axis=1)
    assert plots.turnable(cloud, "rgb").data[0].marker.color[0] == "rgb(255,0,128)"
    marker = plots.turnable(CHAIR, "novelty", np.ones(300)).data[0].marker
    assert marker.cmin < marker.cmax


def test_a_cloud_in_a_projected_frame_keeps_its_form():
    far = plots.turnable(CHAIR + [365_000, 5_702_000, 60]).data[0]
    near = places(plots.turnable(CHAIR).data[0])
    np.testing.assert_allclose(places(far), near - near.mean(axis=0), atol=1e-5)


def test_what_is_flat_is_seen_from_above():
    eyes = [plots.turnable(CHAIR * [1, height, 1]).layout.scene.camera.eye for height in (1, 0.01)]
    assert eyes[1].z > 1.5 * eyes[0].z


def test_a_long_thin_shape_is_seen_whole():
    sides = [plots.turnable(CHAIR * [1, 1, deep]).layout.scene.aspectratio for deep in (1, 30)]
    assert max(sides[0].x, sides[0].y, sides[0].z) == pytest.approx(sides[1].y) == pytest.approx(LONGEST)
    assert sides[1].x < LONGEST / 10


def test_many_points_are_thinned_out():
    assert len(plots.turnable(np.random.RandomState(0).rand(30_000, 3)).data[0].x) == 20_000


def test_the_page_needs_nothing_and_names_do_no_harm(tmp_path):
    figure = plots.turnable(CHAIR, "class", [HOSTILE] * 300, title=HOSTILE)
    path = plots.save(figure, tmp_path / "shape.html")
    page = path.read_text(encoding="utf-8")
    assert "alert(1)</script>" not in page and " src=" not in page.replace("</script>", "\n").split("<body>")[0]
    assert "&lt;/script" in figure.layout.title.text and "&lt;b" in figure.data[0].name
    first = path.read_bytes()
    assert plots.save(figure, path).read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]


def test_what_does_not_fit_is_said():
    with pytest.raises(InputError, match="2 values"):
        plots.turnable(CHAIR, "novelty", [1.0, 2.0])
    with pytest.raises(CloudError, match="2 shapes"):
        plots.turnable([CHAIR, CHAIR])
    with pytest.raises(InputError, match="Leave them out"):
        plots.turnable(made_up(), values=[1.0])
