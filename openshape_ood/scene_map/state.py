"""State of a map, built from its events. The same events give exactly the same state."""

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

    dim: length of an embedding; n: number of calibration novelties; alpha: maximum fraction of known objects called
    new; combine: rule that combines p-values of looks; cell: side in meters; identity, method: encoder and novelty
    method; threshold: novelty threshold of the pipeline; guess: novelty threshold of best guesses;
    objects: novelties of mean embeddings of known objects, from `prepare(objects=...)`, or empty; least_seen: minimum
    number of looks at a new object.
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
    least_seen: int = 1


@dataclass(eq=False)
class NamedClass:
    """Class named by a person. examples: (m, d) float32; reach: see `naming.reach`."""

    name: str
    examples: np.ndarray
    reach: float
    objects: tuple[int, ...]


@dataclass(eq=False)
class MapState:
    """Objects, named classes, and the position in the stream.

    Attributes
    ----------
    settings : Settings
    objects : dict
        Number -> MapObject.
    named : dict
        Name -> NamedClass, in the order of naming.
    origin : (3,) float64 or None
        Origin of the cells in meters; set by the first look.
    time, position : float, (3,) or None
        Time in seconds and camera position in meters of the last input that states them.
    created, views : int
        Number of all objects ever created, and of all added views, scans and crops.
    seq : int
        Sequence number of the last event.
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
        """Apply an event of the log. Invalid content raises one of `storage.DAMAGE`."""
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
        for record in event["looks"]:
            draft.see(int(record["object"]), read_look(record, self.settings.dim), time)
        for kept, gone in event["merged"]:
            draft.merge(int(kept), int(gone))
        self._commit(draft)
        self._set_verdicts(event["verdicts"])
        self.time = self.time if time is None else time
        if event["position"] is not None:
            self.position = _vector(event["position"])
        self.views += 1

    def _name(self, event: Mapping[str, Any]) -> None:
        name = str(event["name"])
        rows = read_rows(event["examples"], self.settings.dim)
        numbers = tuple(int(number) for number in event["objects"])
        before = self.named.get(name)
        if before is not None:
            rows, numbers = np.concatenate([before.examples, rows]), (*before.objects, *numbers)
        self.named[name] = NamedClass(name, rows, float(event["reach"]), numbers)
        for number in event["objects"]:
            self.objects[int(number)].label = name
        self._set_verdicts(event["verdicts"])

    def _set_verdicts(self, verdicts: Sequence[Mapping[str, Any]]) -> None:
        for record in verdicts:
            fields = dict(record)
            number = int(fields.pop("object"))
            self.objects[number].verdict = read_verdict(fields)

    def _commit(self, draft: Draft) -> None:
        for number in draft.gone:
            self.objects.pop(number, None)
            self._set_bounds(number, None)
        for number, changed in draft.changed.items():
            self.objects[number] = changed
            self._set_bounds(number, changed.cells)
        self.created = draft.created

    def _set_bounds(self, number: int, cells: np.ndarray | None) -> None:
        if number >= len(self._bounds):
            grown = np.full((max(64, 2 * (number + 1)), 2, 3), np.iinfo(np.int64).max)
            grown[: len(self._bounds)] = self._bounds
            self._bounds = grown
        self._bounds[number] = np.iinfo(np.int64).max if cells is None else Place.of(cells).bounds

    def near(self, place: Place) -> list[int]:
        """Numbers of the objects whose bounds overlap the bounds of a place, or are next to them."""
        low, high = place.bounds[0] - 1, place.bounds[1] + 1
        meets = (self._bounds[:, 0] <= high).all(axis=1) & (self._bounds[:, 1] >= low).all(axis=1)
        return np.flatnonzero(meets).tolist()

    # the snapshot

    def snapshot(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and header of the state."""
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
        for i, entry in enumerate(self.named.values()):
            arrays_of[f"named.{i}"] = entry.examples
        named = [{"name": one.name, "reach": one.reach, "objects": one.objects} for one in self.named.values()]
        header: dict[str, Any] = {"settings": asdict(self.settings), "objects": records, "named": named}
        header |= {"origin": self.origin, "position": self.position}
        header |= {"time": self.time, "created": self.created, "views": self.views, "seq": self.seq}
        return arrays_of, header

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> MapState:
        """State of a snapshot. Invalid content raises one of `storage.DAMAGE`."""
        settings = Settings(**header["settings"])
        counted = {"time": header["time"], "created": int(header["created"]), "views": int(header["views"])}
        state = cls(settings, seq=int(header["seq"]), **counted)
        state.origin = None if header["origin"] is None else _vector(header["origin"])
        state.position = None if header["position"] is None else _vector(header["position"])
        rows = {name: _split(arrays[name], arrays[f"{name}_counts"], len(header["objects"])) for name in ARRAYS}
        for i, record in enumerate(header["objects"]):
            part: dict[str, Any] = {name: rows[name][i] for name in ARRAYS}
            evidence = Evidence(settings.n, {int(rank): int(times) for rank, times in part.pop("ranks")})
            made = MapObject(
                number=int(record["number"]),
                evidence=evidence,
                **part,
                verdict=read_verdict(record["verdict"]),
                origin=np.zeros(3) if state.origin is None else state.origin,
                size=settings.cell,
                **{name: record[name] for name in SCALARS},
            )
            if made.embeddings.shape[1:] != (settings.dim,) or not len(made.cells) or not len(made.points):
                raise ValueError(f"object {made.number} has no looks")
            state.objects[made.number] = made
            state._set_bounds(made.number, made.cells)
        for i, record in enumerate(header["named"]):
            numbers = tuple(int(number) for number in record["objects"])
            examples = arrays[f"named.{i}"]
            state.named[record["name"]] = NamedClass(str(record["name"]), examples, float(record["reach"]), numbers)
        return state


class Draft:
    """Changes of one event. The state changes only after the event is on the disk."""

    def __init__(self, state: MapState, origin: np.ndarray | None = None) -> None:
        self.state = state
        self.origin = state.origin if origin is None else origin
        self.changed: dict[int, MapObject] = {}
        self.gone: set[int] = set()
        self.created = state.created

    def get(self, number: int) -> MapObject:
        return self.changed[number] if number in self.changed else self.state.objects[number]

    def see(self, number: int, look: Look, time: float | None) -> None:
        """Add a look to an object, or to a new object if the number is the next one."""
        if number == self.created + 1:
            settings, origin = self.state.settings, np.zeros(3) if self.origin is None else self.origin
            self.changed[number] = MapObject.empty(number, settings.dim, settings.n, origin, settings.cell)
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
        """As `MapState.near`, including the changes of this event."""
        low, high = place.bounds[0] - 1, place.bounds[1] + 1
        numbers = [
            number for number in self.state.near(place) if number not in self.changed and number not in self.gone
        ]
        for number, changed in self.changed.items():
            bounds = changed.place.bounds
            if (bounds[0] <= high).all() and (bounds[1] >= low).all():
                numbers.append(number)
        return sorted(numbers)

    def overlaps(self, cells: np.ndarray) -> Iterator[tuple[int, Overlap]]:
        """Objects near some cells, and the overlap with each."""
        wide = dilated(cells)
        for number in self.near(Place.of(cells)):
            yield number, Overlap.of(cells, wide, self.get(number).cells)


def written_look(number: int, look: Look) -> dict[str, Any]:
    """Record of a look for the log."""
    record: dict[str, Any] = {"object": number, "embedding": written_rows(look.embedding)}
    record |= {"direction": look.direction.tolist(), "points": look.points, "rank": look.rank, "whole": look.whole}
    return record | {"stability": look.stability, "cells": written(look.cells)}


def read_look(record: Mapping[str, Any], dim: int) -> Look:
    rows = read_rows(record["embedding"], dim)
    if len(rows) != 1:
        raise ValueError(f"a look has {len(rows)} embeddings")
    facts = int(record["points"]), int(record["rank"]), bool(record["whole"]), float(record["stability"])
    cells = read(record["cells"])
    if (np.diff(cells) <= 0).any():
        raise ValueError("the cells of a look are not sorted")
    return Look(rows[0], _vector(record["direction"]), *facts, cells)


def written_rows(rows: np.ndarray) -> str:
    return base64.b64encode(rows.astype("<f4").tobytes()).decode()


def read_rows(text: str, dim: int) -> np.ndarray:
    rows = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32).reshape(-1, dim)
    if not np.isfinite(rows).all():
        raise ValueError("an embedding is not finite")
    return rows


def read_verdict(fields: Mapping[str, Any]) -> Verdict:
    verdict = Verdict(**fields)
    if verdict.verdict not in (KNOWN, NEW, UNSURE):
        raise ValueError(f"a verdict is {verdict.verdict!r:.40}")
    return verdict


def _vector(given: Any) -> np.ndarray:
    vector = np.array(given, dtype=np.float64)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ValueError(f"a position or direction is {given!r:.60}")
    return vector


def _split(rows: np.ndarray, counts: np.ndarray, n: int) -> list[np.ndarray]:
    if len(counts) != n or counts.min(initial=0) < 0 or counts.sum() != len(rows):
        raise ValueError("its arrays do not fit its objects")
    return np.split(rows, np.cumsum(counts)[:-1]) if n else []
