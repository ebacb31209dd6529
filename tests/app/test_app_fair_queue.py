"""Places for costly work are shared fairly: nobody has them all, and nobody waits behind one who asks often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from openshape_ood.app.fair_queue import HERE, WAITING, WAITING_AT_ADDRESS, FairQueue, Visitor, address
from openshape_ood.errors import InputError


class Work:
    """Visitors at work, each in a thread until it is let go."""

    def __init__(self, turns: FairQueue) -> None:
        self._queue = turns
        self.begun: list[Visitor] = []
        self.refused: list[Visitor] = []
        self._end: dict[Visitor, threading.Event] = {}
        self.asked = 0

    @property
    def waiting(self) -> int:
        return len(self._queue._waiting)

    def ask(self, visitor: Visitor) -> None:
        end = self._end.setdefault(visitor, threading.Event())

        def work() -> None:
            try:
                with self._queue.slot(visitor, seconds=10):
                    self.begun.append(visitor)
                    end.wait(10)
            except InputError:
                self.refused.append(visitor)

        self.asked += 1
        threading.Thread(target=work, daemon=True).start()
        assert wait_for(lambda: len(self.begun) + len(self.refused) + self.waiting == self.asked)  # in this order

    def end(self, *visitors: Visitor) -> None:
        for visitor in visitors:
            self._end.pop(visitor).set()

    def end_all(self) -> None:
        self.end(*tuple(self._end))


def wait_for(happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not happened() and time.monotonic() < end:
        time.sleep(0.005)
    return happened()


def test_two_hostile_visitors_leave_a_place() -> None:
    work = Work(FairQueue(3))
    a, b, c = (Visitor(HERE, name) for name in "abc")
    for visitor in (a, b, a, b, c):
        work.ask(visitor)
    assert wait_for(lambda: c in work.begun) and work.begun == [a, b, c]  # what a and b ask besides waits
    work.end_all()


def test_an_address_never_has_all_places() -> None:
    work = Work(FairQueue(2))
    greedy = [Visitor("10.0.0.7", str(i)) for i in range(4)]
    for visitor in greedy:
        work.ask(visitor)
    other = Visitor("10.0.0.8", "a")
    work.ask(other)
    assert wait_for(lambda: other in work.begun) and work.begun == [greedy[0], other]
    work.end_all()


def test_the_next_place_is_for_who_has_the_fewest() -> None:
    work = Work(FairQueue(3))
    greedy = [Visitor("10.0.0.7", str(i)) for i in range(3)]
    first, other = Visitor("10.0.0.8", "a"), Visitor("10.0.0.9", "a")
    for visitor in (*greedy[:2], first, greedy[2], other):
        work.ask(visitor)
    work.end(first)
    assert wait_for(lambda: other in work.begun) and greedy[2] not in work.begun  # who asked before
    work.end_all()


def test_who_asks_too_often_is_told_at_once() -> None:
    work = Work(FairQueue(1))
    eager = Visitor(HERE, "eager")
    for _ in range(36):
        work.ask(eager)
    assert len(work.refused) == 36 - 1 - WAITING
    crowd = [Visitor("10.0.0.7", str(i)) for i in range(WAITING_AT_ADDRESS + 3)]
    for visitor in crowd:
        work.ask(visitor)
    assert work.refused[36 - 1 - WAITING :] == crowd[-3:]
    work.end_all()


def test_a_place_is_given_back_after_an_error_and_waiting_ends() -> None:
    turns, visitor = FairQueue(1), Visitor(HERE, "a")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.slot(visitor):
            raise ZeroDivisionError
    with turns.slot(visitor), pytest.raises(InputError, match="Try again in a minute"):
        turns.slot(Visitor(HERE, "b"), seconds=0.01).__enter__()
    with turns.slot(visitor, seconds=0.01):
        pass


@pytest.mark.parametrize(
    "host, whose",
    [
        ("127.0.0.1", HERE),
        ("::1", HERE),
        ("::ffff:127.0.0.1", HERE),
        (None, HERE),
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8::17", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(host: str | None, whose: str) -> None:
    assert address(host) == whose
