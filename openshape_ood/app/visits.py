"""What the page remembers of its visitors, bounded so that one of them cannot have the others forgotten."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass

from openshape_ood.app.downloads import remove_results
from openshape_ood.app.quotas import VISITS, VISITS_BYTES
from openshape_ood.app.rooms import Room
from openshape_ood.app.session import Session
from openshape_ood.app.surfaces import Good, Surface
from openshape_ood.app.texts import FIRST
from openshape_ood.app.turns import Visitor
from openshape_ood.app.verdicts import Shown
from openshape_ood.app.views import Look

FORGOTTEN = (
    "The page had forgotten your shapes and examples: it was started anew, or has had more visitors than it remembers. "
    "Drop them again."
)


@dataclass(eq=False)
class Visit:
    """One visitor's session; the room if its objects are on the page, and the file it came from, or the view or the
    surface that is on the page; what is known of good surfaces; the verdict that is shown, what was said last in its
    place, and the folder of what can be downloaded.
    """

    session: Session
    verdict: Shown | None = None
    folder: str = ""
    room: Room | None = None
    file: str = ""
    look: Look | None = None
    surface: Surface | None = None
    good: Good | None = None
    said: str = FIRST

    def put(self, session: Session, room: Room | None = None, look: Look | None = None) -> None:
        """What is on the page from now on."""
        self.session, self.room, self.file, self.look, self.surface = session, room, "", look, None

    def put_surface(self, surface: Surface | None) -> None:
        """The same; the good ones stay."""
        self.put(self.session.with_shapes([]))
        self.surface = surface

    @property
    def has_own(self) -> bool:
        """Whether it holds what the visitor would have to give again."""
        return self.session.has_own or self.good is not None

    @property
    def nbytes(self) -> int:
        held = (self.room, self.look, self.surface, self.good)
        return self.session.nbytes + sum(one.nbytes for one in held if one is not None)


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
