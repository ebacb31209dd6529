"""What is remembered of visitors is bounded, and one of them cannot have the others forgotten."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from openshape_ood.app.fair_queue import HERE, Visitor
from openshape_ood.app.session import Session, Shape
from openshape_ood.app.session_store import SessionStore

BEGIN = Session().with_names("chair, sofa")
LAMP = Shape("lamp", np.random.RandomState(0).standard_normal((1000, 3)))


@pytest.fixture
def own() -> Session:
    return BEGIN.with_shapes([LAMP]).with_example("lamp", "y")


def test_sixty_requests_of_one_visitor_have_nobody_forgotten(own: Session) -> None:
    visits, mine = SessionStore(most=10), Visitor("10.0.0.1", "mine")
    visits.of(mine, BEGIN)[0].session = own
    for i in range(60):
        visits.of(Visitor("10.0.0.7", str(i)), BEGIN)[0].session = own
    visit, known = visits.of(mine, BEGIN)
    assert known and visit.session is own
    assert not visits.of(Visitor("10.0.0.7", "0"), BEGIN)[1]  # what was forgotten is the visitor's own


def test_on_one_machine_those_with_nothing_of_their_own_go_first(own: Session) -> None:
    visits, mine = SessionStore(most=10), Visitor(HERE, "mine")
    visits.of(mine, BEGIN)[0].session = own
    for i in range(60):
        visits.of(Visitor(HERE, str(i)), BEGIN)[0].session = BEGIN.with_shapes([LAMP])
    assert visits.of(mine, BEGIN)[1]


def test_the_longest_unseen_goes_first_with_its_files(tmp_path: Path) -> None:
    visits = SessionStore(most=2)
    (tmp_path / "results").mkdir()
    visits.of(Visitor(HERE, "a"), BEGIN)[0].folders.append(tmp_path / "results")
    visits.of(Visitor(HERE, "b"), BEGIN)
    visits.of(Visitor(HERE, "c"), BEGIN)
    assert not (tmp_path / "results").exists()
    assert visits.of(Visitor(HERE, "b"), BEGIN)[1] and not visits.of(Visitor(HERE, "a"), BEGIN)[1]


def test_bytes_are_bounded_too(own: Session) -> None:
    visits, mine = SessionStore(most_bytes=10 * LAMP.cloud.nbytes), Visitor("10.0.0.1", "mine")
    visits.of(mine, BEGIN)[0].session = own
    many = replace(own, shapes=(LAMP,) * 4)
    for i in range(6):
        visits.of(Visitor("10.0.0.7", str(i)), BEGIN)[0].session = many
    assert visits.of(mine, BEGIN)[1]
    assert sum(visits.of(Visitor("10.0.0.7", str(i)), BEGIN)[1] for i in range(6)) <= 2


@pytest.mark.skipif(find_spec("gradio") is None, reason="the page needs the extra [app]")
def test_the_state_of_gradio_forgets_others_for_one_visitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for `SessionStore`: if this fails, `gr.State` may do."""
    from gradio import state_holder

    monkeypatch.setattr(state_holder, "SessionState", lambda blocks: object())  # no callback of it can be called
    sessions = state_holder.StateHolder()
    sessions.set_blocks(SimpleNamespace(state_session_capacity=10))
    for name in ("mine", *(f"session {i} of another visitor" for i in range(60))):
        assert sessions[name]
    assert "mine" not in sessions
