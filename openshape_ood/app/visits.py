"""What the page remembers of its visitors, bounded so that one of them cannot have the others forgotten."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from openshape_ood.app.downloads import remove_results
from openshape_ood.app.quotas import VISITS, VISITS_BYTES
from openshape_ood.app.rooms import Room
from openshape_ood.app.session import Session, Shape
from openshape_ood.app.surfaces import Good, Surface
from openshape_ood.app.texts import FIRST
from openshape_ood.app.turns import Visitor
from openshape_ood.app.verdicts import RoomVerdict, ShapeVerdict
from openshape_ood.app.views import Look
from openshape_ood.novelty.result import Failure

FORGOTTEN = (
    "The page had forgotten your shapes and examples: it was started anew, or has had more visitors than it remembers. "
    "Drop them again."
)


@dataclass(eq=False)
class Visit:
    """One visitor's session; the room, view or surface if that is on the page and not the session's shapes, and the
    file of a room; what is known of good surfaces; the verdict that is shown, what was said last in its place, and the
    folder of what can be downloaded.
    """

    session: Session
    held: Room | Look | Surface | None = None
    file: str = ""
    good: Good | None = None
    verdict: ShapeVerdict | RoomVerdict | None = None
    said: str = FIRST
    folder: str = ""

    def put(self, held: Room | Look | Surface | None, file: str = "") -> None:
        """What is on the page from now on in place of shapes."""
        self.session, self.held, self.file = self.session.with_shapes([]), held, file

    def put_shapes(self, shapes: Sequence[Shape], failures: Sequence[Failure] = ()) -> None:
        """Shapes that are on the page from now on."""
        self.session, self.held, self.file = self.session.with_shapes(shapes, failures), None, ""

    @property
    def has_own(self) -> bool:
        """Whether it holds what the visitor would have to give again."""
        return self.session.has_own or self.good is not None

    @property
    def nbytes(self) -> int:
        return self.session.nbytes + sum(one.nbytes for one in (self.held, self.good) if one is not None)


class Visits:
    """The visits, the longest unseen first."""

    def __init__(self, most: int = VISITS, most_bytes: int = VISITS_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Visitor, Visit] = OrderedDict()

    def of(self, visitor: Visitor, begin: Session) -> tuple[Visit, bool]:
        """The visit of a visitor, and whether it was known; one that is not begins with a session."""
        with self._lock:
            known = visitor in self._kept
            visit = self._kept.setdefault(visitor, Visit(begin))
            self._kept.move_to_end(visitor)
            self._make_room(visitor)
            return visit, known

    def _make_room(self, newest: Visitor) -> None:
        """Forget visits of the address that has the most: first what holds nothing of the visitor's own."""
        sizes = {visitor: visit.nbytes for visitor, visit in self._kept.items()}
        while len(sizes) > 1 and (len(sizes) > self._most or sum(sizes.values()) > self._most_bytes):
            many = len(sizes) > self._most
            shares = Counter[str]()
            for visitor, size in sizes.items():
                shares[visitor.address] += 1 if many else size
            greedy = shares.most_common(1)[0][0]
            theirs = [visitor for visitor in sizes if visitor.address == greedy and visitor != newest] or list(sizes)
            first = min(theirs, key=lambda visitor: self._kept[visitor].has_own)  # the first of equals
            remove_results(self._kept.pop(first).folder)
            del sizes[first]
