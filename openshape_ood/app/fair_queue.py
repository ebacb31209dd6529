"""Fair queue: slots for costly work, shared among visitors.

gradio's queue (`concurrency_limit`) is first come, first served, and does not distinguish visitors. Long uploads of one
visitor would occupy all slots, and many requests would fill the queue. Its `max_size` limits only the total.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from openshape_ood.app.quotas import WAIT_SECONDS
from openshape_ood.errors import InputError

WAITING = 2  # maximum waiting requests of one visitor
WAITING_AT_ADDRESS = 8  # maximum waiting requests of one address
WAITING_HERE = 24  # the same for this machine's address, which all visitors behind a local proxy share


class Visitor(NamedTuple):
    """A visitor. address: origin of the requests. session: name chosen by the visitor's browser."""

    address: str
    session: str

    @property
    def is_here(self) -> bool:
        """True for the address of this machine, which all visitors behind a local proxy share."""
        return self.address in ("", HERE)


HERE = "this machine"


def address(host: str | None) -> str:
    """Address for counting requests. All loopback addresses count as one address, and so does an IPv6 /64 network.

    >>> address("::1"), address("10.0.0.7"), address("2001:db8::17")
    ('this machine', '10.0.0.7', '2001:db8::/64')
    """
    try:
        ip = ip_address((host or "").partition("%")[0])
    except ValueError:
        return host or HERE
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return HERE
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))


class FairQueue:
    """Queue with at most one slot per visitor. If there are several slots, one remote address never gets all of them.

    The next slot goes to the address with the fewest slots; ties go to the request that has waited longest.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._changed = threading.Condition()
        self._held: list[Visitor] = []
        self._waiting: list[tuple[Visitor, object]] = []

    @contextmanager
    def slot(self, visitor: Visitor, seconds: float = WAIT_SECONDS) -> Generator[None]:
        """Wait for a slot. Raises `InputError` if the visitor has too many waiting requests, or waits too long."""
        ticket = (visitor, object())
        with self._changed:
            self._check(visitor)
            self._waiting.append(ticket)
            try:
                if not self._changed.wait_for(lambda: self._next() is ticket, seconds):
                    raise InputError(
                        f"other visitors use all slots of this page. Expected a free slot within {seconds:g} s. "
                        "Try again in a minute."
                    )
                self._held.append(visitor)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._held.remove(visitor)
                self._changed.notify_all()

    def _check(self, visitor: Visitor) -> None:
        waiting = [other for other, _ in self._waiting]
        alike = sum(other.address == visitor.address for other in waiting)
        if waiting.count(visitor) >= WAITING or alike >= (WAITING_HERE if visitor.is_here else WAITING_AT_ADDRESS):
            raise InputError(
                f"too many requests from you or your network are waiting. Expected at most {WAITING} from a visitor. "
                "Try again in a minute."
            )

    def _next(self) -> tuple[Visitor, object] | None:
        if len(self._held) >= self._slots:
            return None
        addresses = [visitor.address for visitor in self._held]
        most = max(1, self._slots - 1)
        able = [
            ticket
            for ticket in self._waiting
            if ticket[0] not in self._held and (ticket[0].is_here or addresses.count(ticket[0].address) < most)
        ]
        return min(
            able, key=lambda ticket: addresses.count(ticket[0].address), default=None
        )  # ties: the first ticket has waited longest
