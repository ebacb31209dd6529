import numpy as np
import pytest

from openshape_ood.errors import UnknownNameError
from openshape_ood.plots.points import thinned, view
from openshape_ood.shapes.points import UPS, upright

CORNER = np.random.RandomState(0).rand(20, 3)


@pytest.mark.parametrize("up", UPS)
def test_up_is_up_and_nothing_is_mirrored(up):
    axis = np.zeros((1, 3))
    axis[0, "xyz".index(up[-1])] = -1 if up.startswith("-") else 1
    assert upright(axis, up).tolist() == [[0, 1, 0]]
    turn = upright(np.eye(3), up)  # rows are where the axes go
    # a rotation: lengths and angles kept, and a determinant of +1, where a reflection has -1
    np.testing.assert_allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)


def test_the_front_of_a_z_up_shape_faces_the_eye():
    # z-up shapes are built facing -y, y-up ones facing +z
    np.testing.assert_allclose(upright(np.array([[0.0, -1, 0]]), "z"), [[0, 0, 1]])


def test_what_is_right_near_and_high_is_seen_so():
    across, rise, near = view(np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    # by hand, with 30 degrees to the right and 20 up: cos 30 = 0.866, cos 20 = 0.940, cos 30 * cos 20 = 0.814
    assert across[1] == pytest.approx(0.866, abs=1e-3)
    assert rise[2] == pytest.approx(0.940, abs=1e-3)
    assert near[3] == pytest.approx(0.814, abs=1e-3)


def test_another_axis_is_named_with_those_that_work():
    with pytest.raises(UnknownNameError, match=r"up is 'w'\. Expected one of y, z, x"):
        upright(CORNER, "w")


@pytest.mark.parametrize("n, most, expected", [(3, 5, [0, 1, 2]), (5, 3, [0, 2, 4]), (1, 1, [0])])
def test_points_are_thinned_evenly(n, most, expected):
    assert thinned(n, most).tolist() == expected
