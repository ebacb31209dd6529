"""One visitor's known classes: names, examples, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood.app.quotas import EXAMPLE_POINTS, MAX_CLASSES, MAX_EXAMPLES, MAX_NAME
from openshape_ood.app.session import Session, Shape, parse_names
from openshape_ood.errors import ClassNamesError, InputError, UnknownNameError

CLOUD = np.random.RandomState(0).standard_normal((300, 3)) + 1e6


@pytest.fixture
def session() -> Session:
    return Session().with_names("chair, sofa").with_shapes([Shape("lamp.ply", CLOUD)])


def test_adding_an_example_gives_a_new_session(session: Session) -> None:
    after = session.with_example("sofa", "y")
    assert [len(after.of(name)) for name in after.names] == [0, 1]
    assert [len(session.of(name)) for name in session.names] == [0, 0]  # those of another tab, say
    assert after.of("sofa")[0].name == "lamp.ply"


def test_a_new_class_is_added_to_the_names(session: Session) -> None:
    assert session.with_example("floor_lamp", "y").names == ("chair", "sofa", "floor lamp")


def test_a_class_is_found_whatever_its_case(session: Session) -> None:
    after = session.with_example(" Sofa", "y")
    assert after.names == ("chair", "sofa") and len(after.of("sofa")) == 1


def test_examples_stand_upright_about_their_middle(session: Session) -> None:
    xyz = session.with_example("sofa", "z").of("sofa")[0].cloud
    expected = CLOUD - CLOUD.mean(axis=0)
    assert np.allclose(xyz, expected[:, [0, 2, 1]], atol=1e-5)  # z up -> y up exchanges two columns
    assert xyz.dtype == np.float32


def test_examples_keep_their_color_and_no_more_points_than_are_used(session: Session) -> None:
    colored = np.random.RandomState(0).rand(EXAMPLE_POINTS + 1, 6)
    after = session.with_shapes([Shape("hall.ply", colored)]).with_example("sofa", "y")
    cloud = after.of("sofa")[0].cloud
    assert cloud.shape == (EXAMPLE_POINTS, 6)
    assert cloud[:, 3:].min() >= 0


def test_a_class_that_comes_back_has_its_examples(session: Session) -> None:
    after = session.with_example("sofa", "y").with_names("chair")
    assert after.known() == {"chair": ()}
    assert len(after.with_names("sofa").of("sofa")) == 1


def test_removing_examples_keeps_the_names(session: Session) -> None:
    after = session.with_example("lamp", "y").without_examples()
    assert after.names == ("chair", "sofa", "lamp") and not after.examples


def test_the_same_shape_is_added_once(session: Session) -> None:
    with pytest.raises(InputError, match=r"lamp\.ply is already an example of sofa"):
        session.with_example("sofa", "y").with_example("sofa", "y")


def test_what_cannot_be_added(session: Session) -> None:
    with pytest.raises(InputError, match="no shape yet"):
        Session().with_names("chair").with_example("chair", "y")
    with pytest.raises(ClassNamesError, match="no class is given"):
        session.with_example("  ", "y")
    for several in ("lamp, desk", "lamp; desk"):
        with pytest.raises(ClassNamesError, match="2 classes are given: lamp"):
            session.with_example(several, "y")
    with pytest.raises(UnknownNameError, match="up is 'w'"):
        session.with_example("sofa", "w")


def test_a_full_page_says_so(session: Session) -> None:
    for i in range(MAX_EXAMPLES):
        session = session.with_shapes([Shape(f"{i}", CLOUD + np.eye(3)[i % 3] * CLOUD * i)]).with_example("sofa", "y")
    with pytest.raises(InputError, match=f"you have {MAX_EXAMPLES} examples"):
        session.with_example("chair", "y")


def test_names_are_read_from_what_people_type() -> None:
    assert parse_names(" chair,night_stand ;\n\nSofa, ") == ("chair", "night stand", "Sofa")


@pytest.mark.parametrize(
    "text, said",
    [
        (" , ;", "no class names"),
        ("chair, Chair", "are the same"),
        ("x" * (MAX_NAME + 1), f"has {MAX_NAME + 1} characters"),
        (",".join(map(str, range(MAX_CLASSES + 1))), f"Expected at most {MAX_CLASSES}"),
        ("x" * 1_000_000, "1,000,000 characters"),
    ],
)
def test_names_that_are_refused(text: str, said: str) -> None:
    with pytest.raises(ClassNamesError, match=said):
        parse_names(text)
