"""Sessions of all visitors, in bounded memory.

This store replaces `gr.State`. There, the browser chooses the session, so one visitor can open any number of sessions.
gradio drops the least recently used sessions (`state_session_capacity`) without calling `delete_callback`, so one
visitor can remove the known classes of all others. Here, the address with the most sessions or bytes loses sessions.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from openshape_ood.app.downloads import remove_results
from openshape_ood.app.fair_queue import Visitor
from openshape_ood.app.quotas import VISITS, VISITS_BYTES
from openshape_ood.app.scan_tab import ScanInput
from openshape_ood.app.session import Session, Shape
from openshape_ood.app.surface_tab import GoodSurfaces, SurfaceInput
from openshape_ood.app.texts import FIRST
from openshape_ood.app.verdicts import ScanVerdict, ShapeVerdict
from openshape_ood.app.view_tab import ViewInput
from openshape_ood.shapes.failure import Failure

FORGOTTEN = (
    "The page no longer has your shapes and examples: it was restarted, or had too many visitors. Drop the files again."
)
Input = ScanInput | ViewInput | SurfaceInput


@dataclass(eq=False)
class Visit:
    """State of one visitor.

    session: shapes and known classes. input: the scan, view or surface shown in place of shapes. file: path of a scan.
    good: good surfaces to compare with. verdict: verdict on shapes or on a scan. headline: HTML of the verdict box.
    folders: folders of downloads.
    """

    session: Session
    input: Input | None = None
    file: str = ""
    good: GoodSurfaces | None = None
    verdict: ShapeVerdict | ScanVerdict | None = None
    headline: str = FIRST
    folders: list[Path] = field(default_factory=list)

    def put(self, given: Input | None, file: str = "") -> None:
        """Show a scan, view or surface in place of shapes."""
        self.session, self.input, self.file = self.session.with_shapes([]), given, file

    def put_shapes(self, shapes: Sequence[Shape], failures: Sequence[Failure] = ()) -> None:
        self.session, self.input, self.file = self.session.with_shapes(shapes, failures), None, ""

    @property
    def is_personal(self) -> bool:
        """True if the visitor has added examples, a calibration set or good surfaces."""
        return bool(self.session.examples or self.session.calibration or self.good)

    @property
    def nbytes(self) -> int:
        return self.session.nbytes + sum(one.nbytes for one in (self.input, self.good) if one is not None)


class SessionStore:
    """Visits, least recently used first. At most `most` visits with `most_bytes` in total are stored."""

    def __init__(self, most: int = VISITS, most_bytes: int = VISITS_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Visitor, Visit] = OrderedDict()

    def of(self, visitor: Visitor, begin: Session) -> tuple[Visit, bool]:
        """Visit of a visitor, and True if it was stored. A new visit starts with the session `begin`."""
        with self._lock:
            known = visitor in self._kept
            visit = self._kept.setdefault(visitor, Visit(begin))
            self._kept.move_to_end(visitor)
            self._drop_excess(visitor)
            return visit, known

    def _drop_excess(self, newest: Visitor) -> None:
        """Drop visits until the limits hold.

        The address with the most visits or bytes loses visits, first those without personal data.
        """
        sizes = {visitor: visit.nbytes for visitor, visit in self._kept.items()}
        while len(sizes) > 1 and (len(sizes) > self._most or sum(sizes.values()) > self._most_bytes):
            many = len(sizes) > self._most
            shares = Counter[str]()
            for visitor, size in sizes.items():
                shares[visitor.address] += 1 if many else size
            largest = shares.most_common(1)[0][0]
            theirs = [visitor for visitor in sizes if visitor.address == largest and visitor != newest] or list(sizes)
            first = min(theirs, key=lambda visitor: self._kept[visitor].is_personal)  # ties: the least recently used
            for folder in self._kept.pop(first).folders:
                remove_results(folder)
            del sizes[first]
