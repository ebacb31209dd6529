"""The state of a map: what its events add up to. The same events give the same state, to the bit."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from openshape_ood.scene_map.association import Overlap, Place, dilated, read, written
from openshape_ood.scene_map.evidence import Evidence
from openshape_ood.scene_map.objects import KNOWN, NEW, UNSURE, Look, MapObject, Verdict

FORMAT = "openshape_ood map 1"
SCALARS = ("seen", "stability", "first", "last", "label", "whole")
ARRAYS = ("cells", "embeddings", "directions", "points", "ranks")


@dataclass(frozen=True)
class Settings:
    """Settings of a map; the first event of its log.

    dim: of the embeddings; n: calibration novelties; alpha: fraction of known objects that may be called new; combine:
    how p-values of looks are combined; cell: meters; identity, method: whose novelty it is; threshold: its value;
    guess: the value for best guesses; objects: novelties of the means of known objects, if verdicts are by these.
    """

    dim: int
    n: int
    alpha: float
    combine: str
    cell: float
    identity: Mapping[str, str]
    method: str
    threshold: float
    guess: float
    objects: Sequence[float] = ()


@dataclass(eq=False)
class NamedClass:
    """A class that a person named: examples (m, d) float32, and the cosine distance up to which others are of it."""

    name: str
    examples: np.ndarray
    reach: float
    objects: tuple[int, ...]


@dataclass(eq=False)
class MapState:
    """Objects, named classes, and where the stream is.

    Attributes
    ----------
    settings : Settings
    objects : dict
        Number -> MapObject.
    named : dict
        Name -> NamedClass, in the order of naming.
    origin : (3,) float64 or None
        Where the cells begin, meters; set by the first look.
    time, position : float, (3,) or None
        Of the last view: seconds, and meters.
    created, views : int
        Objects ever made, and views ever added.
    seq : int
        Of the last event.
    """

    settings: Settings
    objects: dict[int, MapObject] = field(default_factory=dict)
    named: dict[str, NamedClass] = field(default_factory=dict)
    origin: np.ndarray | None = None
    time: float | None = None
    position: np.ndarray | None = None
    created: int = 0
    views: int = 0
    seq: int = -1
    _bounds: np.ndarray = field(default_factory=lambda: np.empty((0, 2, 3), dtype=np.int64), repr=False)

    def apply(self, event: Mapping[str, Any]) -> None:
        """Take in an event of the log. Any other content raises one of `storage.DAMAGE`."""
        kind = event["kind"]
        if kind == "add":
            self._add(event)
        elif kind == "name":
            self._name(event)
        elif kind != "skip":
            raise ValueError(f"an event is of the unknown kind {kind!r:.40}")
        self.seq = int(event["seq"])

    def _add(self, event: Mapping[str, Any]) -> None:
        if event["origin"] is not None:
            self.origin = _vector(event["origin"])
        time = None if event["time"] is None else float(event["time"])
        draft = Draft(self)
        for told in event["looks"]:
            draft.see(int(told["object"]), read_look(told, self.settings.dim), time)
        for kept, gone in event["merged"]:
            draft.merge(int(kept), int(gone))
        self._commit(draft)
        self._judge(event["verdicts"])
        self.time = self.time if time is None else time
        if event["position"] is not None:
            self.position = _vector(event["position"])
        self.views += 1

    def _name(self, event: Mapping[str, Any]) -> None:
        name = str(event["name"])
        rows = read_rows(event["examples"], self.settings.dim)
        own = tuple(int(number) for number in event["objects"])
        before = self.named.get(name)
        if before is not None:
            rows, own = np.concatenate([before.examples, rows]), (*before.objects, *own)
        self.named[name] = NamedClass(name, rows, float(event["reach"]), own)
        for number in event["objects"]:
            self.objects[int(number)].label = name
        self._judge(event["verdicts"])

    def _judge(self, verdicts: Sequence[Mapping[str, Any]]) -> None:
        for told in verdicts:
            own = dict(told)
            number = int(own.pop("object"))
            self.objects[number].verdict = read_verdict(own)

    def _commit(self, draft: Draft) -> None:
        for number in draft.gone:
            self.objects.pop(number, None)
            self._set_bounds(number, None)
        for number, own in draft.changed.items():
            self.objects[number] = own
            self._set_bounds(number, own.cells)
        self.created = draft.created

    def _set_bounds(self, number: int, cells: np.ndarray | None) -> None:
        if number >= len(self._bounds):
            grown = np.full((max(64, 2 * (number + 1)), 2, 3), np.iinfo(np.int64).max)
            grown[: len(self._bounds)] = self._bounds
            self._bounds = grown
        self._bounds[number] = np.iinfo(np.int64).max if cells is None else Place.of(cells).bounds

    def near(self, place: Place) -> list[int]:
        """Numbers of the objects whose bounds meet those of a place, or lie beside it."""
        low, high = place.bounds[0] - 1, place.bounds[1] + 1
        meets = (self._bounds[:, 0] <= high).all(axis=1) & (self._bounds[:, 1] >= low).all(axis=1)
        return np.flatnonzero(meets).tolist()

    # the snapshot

    def snapshot(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and header of the whole state."""
        listed = [self.objects[number] for number in sorted(self.objects)]
        parts: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
        records = []
        for one in listed:
            ranks = np.array(sorted(one.evidence.counts.items()), dtype=np.int64).reshape(-1, 2)
            arrays = (one.cells, one.embeddings, one.directions, one.points, ranks)
            for name, array in zip(ARRAYS, arrays, strict=True):
                parts[name].append(array)
            record = {"number": one.number, "verdict": asdict(one.verdict)}
            records.append(record | {name: getattr(one, name) for name in SCALARS})
        dim, shapes = self.settings.dim, {"cells": (0,), "points": (0,), "directions": (0, 3), "ranks": (0, 2)}
        arrays_of: dict[str, np.ndarray] = {}
        for name, several in parts.items():
            kind = {"embeddings": np.float32, "directions": np.float64}.get(name, np.int64)
            nothing = np.empty(shapes.get(name, (0, dim)), dtype=kind)
            arrays_of[name] = np.concatenate([nothing, *several])
            arrays_of[f"{name}_counts"] = np.array([len(one) for one in several], dtype=np.int64)
        for i, own in enumerate(self.named.values()):
            arrays_of[f"named.{i}"] = own.examples
        named = [{"name": own.name, "reach": own.reach, "objects": own.objects} for own in self.named.values()]
        header: dict[str, Any] = {"settings": asdict(self.settings), "objects": records, "named": named}
        header |= {"origin": self.origin, "position": self.position}
        header |= {"time": self.time, "created": self.created, "views": self.views, "seq": self.seq}
        return arrays_of, header

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> MapState:
        """The state of a snapshot. Any other content raises one of `storage.DAMAGE`."""
        settings = Settings(**header["settings"])
        own = {"time": header["time"], "created": int(header["created"]), "views": int(header["views"])}
        state = cls(settings, seq=int(header["seq"]), **own)
        state.origin = None if header["origin"] is None else _vector(header["origin"])
        state.position = None if header["position"] is None else _vector(header["position"])
        rows = {name: _split(arrays[name], arrays[f"{name}_counts"], len(header["objects"])) for name in ARRAYS}
        for i, told in enumerate(header["objects"]):
            part: dict[str, Any] = {name: rows[name][i] for name in ARRAYS}
            evidence = Evidence(settings.n, {int(rank): int(times) for rank, times in part.pop("ranks")})
            made = MapObject(
                number=int(told["number"]),
                evidence=evidence,
                **part,
                verdict=read_verdict(told["verdict"]),
                origin=np.zeros(3) if state.origin is None else state.origin,
                size=settings.cell,
                **{name: told[name] for name in SCALARS},
            )
            if made.embeddings.shape[1:] != (settings.dim,) or not len(made.cells) or not len(made.points):
                raise ValueError(f"object {made.number} has no looks")
            state.objects[made.number] = made
            state._set_bounds(made.number, made.cells)
        for i, told in enumerate(header["named"]):
            own_objects = tuple(int(number) for number in told["objects"])
            rows_of = arrays[f"named.{i}"]
            state.named[told["name"]] = NamedClass(str(told["name"]), rows_of, float(told["reach"]), own_objects)
        return state


class Draft:
    """Objects as an event changes them; the state itself stays until the event is on the disk."""

    def __init__(self, state: MapState, origin: np.ndarray | None = None) -> None:
        self.state = state
        self.origin = state.origin if origin is None else origin
        self.changed: dict[int, MapObject] = {}
        self.gone: set[int] = set()
        self.created = state.created

    def get(self, number: int) -> MapObject:
        return self.changed[number] if number in self.changed else self.state.objects[number]

    def see(self, number: int, look: Look, time: float | None) -> None:
        """Give a look to an object; to a new one if the number is the next."""
        if number == self.created + 1:
            own, origin = self.state.settings, np.zeros(3) if self.origin is None else self.origin
            self.changed[number] = MapObject.empty(number, own.dim, own.n, origin, own.cell)
            self.created = number
        elif number not in self.changed:
            self.changed[number] = self.get(number).copy()
        self.changed[number].see(look, time)

    def merge(self, kept: int, gone: int) -> None:
        if kept not in self.changed:
            self.changed[kept] = self.get(kept).copy()
        self.changed[kept].join(self.get(gone))
        self.changed.pop(gone, None)
        self.gone.add(gone)

    def near(self, place: Place) -> list[int]:
        """As `MapState.near`, with what this event has changed."""
        low, high = place.bounds[0] - 1, place.bounds[1] + 1
        found = [number for number in self.state.near(place) if number not in self.changed and number not in self.gone]
        for number, own in self.changed.items():
            bounds = own.place.bounds
            if (bounds[0] <= high).all() and (bounds[1] >= low).all():
                found.append(number)
        return sorted(found)

    def overlaps(self, cells: np.ndarray) -> Iterator[tuple[int, Overlap]]:
        """The objects beside some cells, and how far each fills the same place."""
        wide = dilated(cells)
        for number in self.near(Place.of(cells)):
            yield number, Overlap.of(cells, wide, self.get(number).cells)


def written_look(number: int, look: Look) -> dict[str, Any]:
    """A look for the log."""
    told: dict[str, Any] = {"object": number, "embedding": written_rows(look.embedding)}
    told |= {"direction": look.direction.tolist(), "points": look.points, "rank": look.rank, "whole": look.whole}
    return told | {"stability": look.stability, "cells": written(look.cells)}


def read_look(told: Mapping[str, Any], dim: int) -> Look:
    rows = read_rows(told["embedding"], dim)
    if len(rows) != 1:
        raise ValueError(f"a look has {len(rows)} embeddings")
    about = int(told["points"]), int(told["rank"]), bool(told["whole"]), float(told["stability"])
    cells = read(told["cells"])
    if (np.diff(cells) <= 0).any():
        raise ValueError("the cells of a look are in no order")
    return Look(rows[0], _vector(told["direction"]), *about, cells)


def written_rows(rows: np.ndarray) -> str:
    return base64.b64encode(rows.astype("<f4").tobytes()).decode()


def read_rows(text: str, dim: int) -> np.ndarray:
    found = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32).reshape(-1, dim)
    if not np.isfinite(found).all():
        raise ValueError("an embedding is not finite")
    return found


def read_verdict(told: Mapping[str, Any]) -> Verdict:
    made = Verdict(**told)
    if made.verdict not in (KNOWN, NEW, UNSURE):
        raise ValueError(f"a verdict is {made.verdict!r:.40}")
    return made


def _vector(given: Any) -> np.ndarray:
    found = np.array(given, dtype=np.float64)
    if found.shape != (3,) or not np.isfinite(found).all():
        raise ValueError(f"three numbers are {given!r:.60}")
    return found


def _split(rows: np.ndarray, counts: np.ndarray, n: int) -> list[np.ndarray]:
    if len(counts) != n or counts.min(initial=0) < 0 or counts.sum() != len(rows):
        raise ValueError("its arrays do not fit its objects")
    return np.split(rows, np.cumsum(counts)[:-1]) if n else []
