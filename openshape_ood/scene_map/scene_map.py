"""SceneMap: input views of a place, one after the other; output objects that are known, new or unsure."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice, check_length, check_name, check_positive, check_whole, unit_or_zero
from openshape_ood.decisions.calibration import calibration_needed, p_values
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.protocols import Embeddings
from openshape_ood.errors import FileError, InputError, MixedEncodersError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.scene_map.association import Candidate, are_one, cells_of, chosen, dilated
from openshape_ood.scene_map.association import Overlap as Overlap
from openshape_ood.scene_map.events import EventLog, MapWarning, as_line, read_events
from openshape_ood.scene_map.evidence import COMBINATIONS, ROUNDED, least_p_value, ranks_of
from openshape_ood.scene_map.looks import Looks, looks_at
from openshape_ood.scene_map.naming import Question, nearest_class, questions, reach
from openshape_ood.scene_map.objects import KNOWN, NEW, UNSURE, Look, MapObject, Verdict
from openshape_ood.scene_map.state import FORMAT, Draft, MapState, Settings, written_look, written_rows
from openshape_ood.scenes.crop_axis import SCANS
from openshape_ood.storage import DAMAGE, loaded_arrays, make_folder, save_arrays

KIND = "map of objects"
KNOWN_FILE, SNAPSHOT, EVENTS = "known.safetensors", "objects.safetensors", "events.jsonl"
CELL = 0.05  # meters
LEAST = 100  # minimum number of points of a whole look
RUNS = 3  # runs of find_objects for each view
MOST = 10_000  # maximum number of objects
JUMP = 5.0  # maximum distance in meters between consecutive views
FAR_LOOKS = 33  # a warning appears if "new" is impossible with 2 looks or with this number


class SceneMap:
    """Map of the objects of a place over many views: positions, known classes, and unknown objects.

    Create it by `prepare` or `load`. Each added view, scan or crop gives looks: one for each object found in it. A look
    is whole if it has at least `least` points. In a view, the image border must also not cut off the object, and an
    occluder may hide at most a quarter of its outline. Only whole looks are evidence.

    The first rule that applies gives the verdict of an object:

    1. Named by a person, or near a class that a person named: "known".
    2. No whole look: "unsure".
    3. p-value at most 1 - coverage of the threshold, and at least `least_seen` looks: "new".
    4. Mean embedding within the threshold: "known".
    5. Otherwise: "unsure".

    A map with a folder syncs each event to the disk before it applies the event. After a kill, `load` gives the same
    map.

    Attributes
    ----------
    pipeline : NoveltyPipeline
        Known classes, encoder and threshold; the map does not change it.
    path : Path or None
        Folder of the map.
    state : MapState
        Result of all events; read only.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> home = SceneMap.prepare(["chair", "sofa", "table"], model="tiny", least=50)
    >>> for seed in range(6):  # one guitar, six looks at it, z up
    ...     changes = home.add(sample("guitar", 2000, seed=1)[seed::6, [0, 2, 1]])
    >>> [(one.number, one.verdict.verdict, one.seen) for one in home]
    [(1, 'new', 6)]
    >>> changes = home.name(1, "guitar")
    >>> home[1].verdict.verdict, home[1].verdict.name
    ('known', 'guitar')
    """

    def __init__(
        self,
        pipeline: NoveltyPipeline,
        state: MapState,
        *,
        path: Path | None = None,
        log: EventLog | None = None,
        least: int = LEAST,
        runs: int = RUNS,
        most: int = MOST,
        max_jump: float | None = JUMP,
    ) -> None:
        self.pipeline = _for_crops(pipeline)
        self.state, self.path, self._log = state, path, log
        self.least, self.runs, self.most = (
            check_whole(least, "least"),
            check_whole(runs, "runs"),
            check_whole(most, "most"),
        )
        self.max_jump = None if max_jump is None else check_positive(max_jump, "max_jump")

    @classmethod
    def prepare(
        cls,
        known: Sequence[str] | Mapping[str, Any] | KnownClasses | NoveltyPipeline,
        *,
        path: str | os.PathLike[str] | None = None,
        combine: str = "median",
        objects: Threshold | None = None,
        cell: float = CELL,
        least: int = LEAST,
        least_seen: int = 1,
        runs: int = RUNS,
        most: int = MOST,
        max_jump: float | None = JUMP,
        **settings: Any,
    ) -> SceneMap:
        """An empty map.

        Parameters
        ----------
        known : sequence of str, mapping, KnownClasses or NoveltyPipeline
            As in `score_novelty`. It needs a threshold calibrated on known shapes. With 39 or more shapes, two looks
            can give the verdict "new".
        path : path, optional
            New folder of the map. Default: in memory only, until `save`.
        combine : {"median", "mean", "e"}
            Rule that combines the p-values of looks, see `evidence`: twice the median, twice the mean, mean of
            e-values. All are valid for any dependence.
        objects : Threshold, optional
            Threshold for mean embeddings, calibrated on known objects by `object_threshold` of another map. An object
            then has one p-value: the rank of the novelty of its mean embedding among them. This finds more unknown
            objects. The guarantee holds only for objects seen in a similar way. Default: the p-values of the looks are
            combined. Best guesses then use the threshold of single looks.
        cell : float
            Side in meters of the cells that represent the place of an object. Default: 0.05.
        least : int
            Minimum number of points of a whole look. Default: 100.
        least_seen : int
            Minimum number of looks, whole or partial, for the verdict "new". A larger number rejects fragments of
            objects, which are found in few views. Use the same value for the map that gave `objects`. Default: 1.
        runs : int
            As in `find_objects`. Default: 3.
        most : int
            Maximum number of objects in the map. Default: 10,000.
        max_jump : float, optional
            Maximum distance in meters between consecutive camera positions; None: no limit. Default: 5.
        **settings
            Arguments of `NoveltyPipeline.prepare`: model, encoder, method, threshold, calibration, ...

        Raises
        ------
        InputError
            For invalid values, and for a threshold without calibration shapes.
        FileError
            If the folder is not empty.

        Warns
        -----
        MapWarning
            If there are too few calibration shapes for the verdict "new".
        """
        check_choice(combine, "combine", tuple(COMBINATIONS))
        if isinstance(known, NoveltyPipeline):
            if settings:
                raise InputError(
                    f"known is a pipeline, and {', '.join(settings)} were given. Expected one of them. Prepare the "
                    "pipeline with these settings."
                )
            pipeline = known
        else:
            pipeline = NoveltyPipeline.prepare(known, **{"up": SCANS, **settings})
        pipeline = _for_crops(pipeline)
        threshold = pipeline.threshold
        if threshold is None or not threshold.n or threshold.coverage is None:
            raise InputError(
                "the pipeline has no calibrated threshold. Expected one with the novelties of known shapes, for "
                "p-values. Give calibration= with 39 or more known shapes."
            )
        alpha = round(1 - threshold.coverage, 12)
        if objects is None:
            _warn_of_few(threshold.n, alpha, combine)
        else:
            _check_objects(objects, pipeline, alpha)
        identity, method = asdict(pipeline.provenance.identity), pipeline.method.name
        made_settings = Settings(
            pipeline.known.dim, threshold.n, alpha, combine, check_positive(cell, "cell"), identity, method,
            threshold.value, (threshold if objects is None else objects).value,
            [] if objects is None else objects.scores.tolist(), check_whole(least_seen, "least_seen"),
        )  # fmt: skip
        made = cls(pipeline, MapState(made_settings, seq=0), least=least, runs=runs, most=most, max_jump=max_jump)
        if path is not None:
            made.save(path)
        return made

    @classmethod
    def load(cls, path: str | os.PathLike[str], known: NoveltyPipeline | None = None, **settings: Any) -> SceneMap:
        """Load the map of a folder from its snapshot and the later events. New events are appended to its log.

        Parameters
        ----------
        path : path
        known : NoveltyPipeline, optional
            Pipeline of the map. Default: the pipeline in the folder.
        **settings
            `least`, `runs`, `most` and `max_jump` as in `prepare`; further arguments of `NoveltyPipeline.load`.

        Raises
        ------
        FileError
            If the folder is no map, is damaged, or has another writing process.
        MixedEncodersError
            For a pipeline of another encoder, method or threshold.

        Warns
        -----
        MapWarning
            If the last event is torn. It is dropped.
        """
        folder = Path(path).expanduser()
        if not (folder / EVENTS).is_file():
            raise FileError(
                f"{folder} is no map: it has no {EVENTS}. Expected a folder that SceneMap.save wrote. Check the path."
            )
        limits = {name: settings.pop(name) for name in ("least", "runs", "most", "max_jump") if name in settings}
        state, end = _replayed(folder)
        pipeline = NoveltyPipeline.load(folder / KNOWN_FILE, **settings) if known is None else known
        made = cls(pipeline, state, path=folder, **limits)
        made._check_settings()
        made._log = EventLog(folder / EVENTS, end, state.seq)
        return made

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write a snapshot atomically; `load` starts from it.

        path: new folder of the map; None for the current folder. Raises `InputError` without a folder, and `FileError`
        if the new folder is not empty or cannot be written.
        """
        if path is not None and (self.path is None or Path(path).expanduser() != self.path):
            self._move(Path(path).expanduser())
        if self.path is None or self._log is None:
            raise InputError("the map has no folder. Expected a path. Give save(path), or prepare(..., path=...).")
        arrays, header = self.state.snapshot()
        save_arrays(self.path / SNAPSHOT, arrays, {**header, "end": self._log.end}, KIND)
        return self.path

    def _move(self, folder: Path) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileError(
                f"{folder} is not empty. Expected a new folder. Load an existing map by SceneMap.load(path)."
            )
        make_folder(folder)
        self.pipeline.save(folder / KNOWN_FILE)
        arrays, header = self.state.snapshot()
        started = {"kind": "map", "format": FORMAT, "settings": asdict(self.state.settings)}
        end = len(as_line({"seq": self.state.seq, **started}))
        save_arrays(folder / SNAPSHOT, arrays, {**header, "end": end}, KIND)
        # the log is last: it marks the folder as a map
        log = EventLog(folder / EVENTS, 0, self.state.seq - 1)
        log.append(started)
        self.close()
        self.path, self._log = folder, log

    def close(self) -> None:
        """Close the log, so that another process can write to the folder."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> SceneMap:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # reading

    def __len__(self) -> int:
        return len(self.state.objects)

    def __iter__(self) -> Iterator[MapObject]:
        """Iterate over the objects by number."""
        return iter([self.state.objects[number] for number in sorted(self.state.objects)])

    def __getitem__(self, number: int) -> MapObject:
        if number not in self.state.objects:
            raise InputError(
                f"there is no object {number!r:.40}. Expected the number of one of {len(self)} objects. Iterate over "
                "the map."
            )
        return self.state.objects[number]

    def counts(self) -> dict[str, int]:
        """Number of all objects, and of objects with each verdict."""
        verdicts = [one.verdict.verdict for one in self]
        return {"objects": len(verdicts), **{name: verdicts.count(name) for name in (KNOWN, NEW, UNSURE)}}

    def object_threshold(
        self, numbers: Sequence[int] | None = None, coverage: float = 0.95, *, least_seen: int | None = None
    ) -> Threshold:
        """Threshold of mean embeddings of known objects, for `prepare(objects=...)` of other maps.

        Valid for objects that were seen as often, and from as many sides, as the objects of this map.

        Parameters
        ----------
        numbers : sequence of int, optional
            Numbers of known objects, 19 or more for 0.95. Default: all with a whole look and `least_seen` looks.
        coverage : float
            Fraction of known objects to keep.
        least_seen : int, optional
            As in `prepare`. Default: the value of this map.

        Raises
        ------
        InputError
            For too few objects, and for unknown numbers.
        """
        seen = self.state.settings.least_seen if least_seen is None else check_whole(least_seen, "least_seen")
        usable = [one for one in self if one.whole and one.seen >= seen]
        chosen_objects = usable if numbers is None else [self[number] for number in numbers]
        novelty = [one.verdict.novelty for one in chosen_objects]
        provenance, source = self.pipeline.provenance, f"{len(novelty)} objects of a map"
        return Threshold.from_novelty(novelty, coverage, provenance=provenance, source=source)

    def as_json(self) -> dict[str, Any]:
        """Settings, counts, named classes and a record for each object, as JSON values."""
        state = self.state
        named = [{"name": one.name, "objects": list(one.objects), "reach": one.reach} for one in state.named.values()]
        record: dict[str, Any] = {"settings": asdict(state.settings), "views": state.views, "time": state.time}
        record |= {"counts": self.counts(), "named": named, "threshold": self._threshold.as_json()}
        return record | {"objects": [one.as_json() for one in self]}

    def describe(self) -> str:
        """Number of objects and views, and objects by verdict, as one line."""
        counts = self.counts()
        shown = ", ".join(f"{counts[name]} {name}" for name in (KNOWN, NEW, UNSURE))
        return f"{counts['objects']} objects after {self.state.views} views: {shown}"

    def __repr__(self) -> str:
        return f"SceneMap({self.describe()})"

    @property
    def _threshold(self) -> Any:
        return self.pipeline.threshold

    # adding

    def add(
        self, given: Any, pose: Any = None, time: float | None = None, *, source: str = "", digest: str = ""
    ) -> list[dict[str, Any]]:
        """Add a view, a scan, or a crop.

        Parameters
        ----------
        given : View, Scene, or points (n, 3|6)
            A view or a scan with several objects, or the points of one object. Meters, z up.
        pose : (4, 4), optional
            Sensor to map. Default: the pose of a view; scans and crops are in the frame of the map.
        time : float, optional
            Time in seconds, not before the last view.
        source, digest : str
            Name of the input and a digest of its content, for the log.

        Returns
        -------
        list of dict
            Changes in order: "object" (a new object), "look", "merged" and "verdict", with the reason.

        Raises
        ------
        InputError, CloudError
            For invalid input, an invalid pose, a jump of the pose, time that runs backwards, and a full map. The map
            does not change.
        FileError
            If the event cannot be written. The map does not change.
        """
        self._check_open()
        check_length(source, "source", InputError)
        check_length(digest, "digest", InputError)
        seconds = self._checked_time(time)
        looks = looks_at(given, pose, self.pipeline, self.least, self.runs)
        self._check_jump(looks.position)
        origin = self.state.origin
        if origin is None and looks.crops:
            origin = np.floor(np.concatenate(looks.crops).mean(axis=0))
        event, draft = self._event(looks, origin)
        position = None if looks.position is None else looks.position.tolist()
        started = origin.tolist() if origin is not None and self.state.origin is None else None
        about = {"kind": "add", "source": source, "digest": digest, "time": seconds}
        event = {**about, "position": position, "origin": started, **event}
        numbers = {*draft.changed, *(look["object"] for look in event["looks"])}
        before = {number: self.state.objects[number].verdict for number in numbers & self.state.objects.keys()}
        self._record(event)
        return list(_changes(event, before))

    def _event(self, looks: Looks, origin: np.ndarray | None) -> tuple[dict[str, Any], Draft]:
        """Event of a view for the log. The map does not change yet."""
        draft = Draft(self.state, origin)
        listed, touched, seen = list[dict[str, Any]](), set[tuple[int, int]](), set[int]()
        start = np.zeros(3) if origin is None else origin  # no origin: a view without crops
        rows = looks.result.embeddings
        vectors = np.empty((0, 0)) if rows is None else unit_or_zero(rows.vectors).astype(np.float32)
        ranks = ranks_of(looks.result.p_values, self.state.settings.n) if looks.crops else ()
        for i in sorted(range(len(looks.crops)), key=lambda i: (-len(looks.crops[i]), i)):
            cells = cells_of(looks.crops[i], start, self.state.settings.cell)
            candidates = [
                Candidate(number, overlap, float(vectors[i] @ draft.get(number).mean))
                for number, overlap in draft.overlaps(cells)
            ]
            number, certain = chosen(candidates)
            if number is None:
                if not looks.whole[i] and not certain:
                    continue  # a partial look that touches existing objects creates no object
                number = draft.created + 1
                self._check_room(len(self) + len(draft.changed) + 1)
            # a second, smaller piece of one object in one view is not the whole object
            whole = bool(looks.whole[i]) and number not in seen
            fresh = _fresh(cells, whole, draft.get(number) if number <= draft.created else None)
            look = Look(
                vectors[i], looks.direction(i), len(looks.crops[i]), int(ranks[i]), whole,
                float(looks.stability[i]), fresh,
            )  # fmt: skip
            draft.see(number, look, None)
            listed.append({**written_look(number, look), "certain": certain})
            touched |= {(number, one.number) for one in candidates if one.number != number and one.overlap.most}
            seen.add(number)
        merged = self._merges(draft, touched)
        return {"looks": listed, "merged": merged, "verdicts": self._verdicts(draft.changed)}, draft

    def _merges(self, draft: Draft, pairs: set[tuple[int, int]]) -> list[tuple[int, int]]:
        """Merge duplicate objects. Returns (kept number, removed number) of each merge."""
        made, into = list[tuple[int, int]](), dict[int, int]()
        for first, second in sorted(pairs):
            kept, gone = sorted((_followed(first, into), _followed(second, into)))
            if kept == gone:
                continue
            one, other = draft.get(kept), draft.get(gone)
            if one.label and other.label and one.label != other.label:
                continue
            overlap = Overlap.of(one.cells, dilated(one.cells), other.cells)
            if are_one(overlap, float(one.mean @ other.mean), (one.whole, other.whole)):
                draft.merge(kept, gone)
                into[gone] = kept
                made.append((kept, gone))
        return made

    def skip(self, source: str, reason: str, *, digest: str = "") -> None:
        """Record an input that is not added, so that it is not read again."""
        self._check_open()
        self._record({"kind": "skip", "source": source[:256], "digest": digest[:256], "reason": reason[:1000]})

    # verdicts

    def _verdicts(self, objects: Mapping[int, MapObject]) -> list[dict[str, Any]]:
        listed = sorted(objects)
        if not listed:
            return []
        means = np.stack([objects[number].mean for number in listed])
        result = self.pipeline(Embeddings(means, self.pipeline.provenance.identity))
        return [
            {"object": number, **asdict(self._verdict(objects[number], means[i], result, i))}
            for i, number in enumerate(listed)
        ]

    def _verdict(self, one: MapObject, mean: np.ndarray, result: Any, i: int) -> Verdict:
        settings, new = self.state.settings, bool(result.novelty[i] > self.state.settings.guess)
        p, nearest = self._p_value(one, float(result.novelty[i])), str(result.nearest[i])
        guess, looks = NEW if new else KNOWN, one.evidence.looks
        common: dict[str, Any] = {"guess": guess, "nearest": nearest, "novelty": float(result.novelty[i]), "p_value": p}
        if one.label is not None:
            return Verdict(KNOWN, name=one.label, reason=f"named {one.label} by a person", **common)
        beyond = f"{one.evidence.beyond(settings.alpha)} of {looks} looks are beyond the threshold"
        kind = f"p among {len(settings.objects)} known objects" if settings.objects else "combined p"
        if not looks:
            reason = "seen in part only: cut off, hidden, or few points"
            return self._by_name(Verdict(UNSURE, name=None, reason=reason, **common), mean)
        if p <= settings.alpha * ROUNDED and one.seen >= settings.least_seen:
            verdict = Verdict(NEW, name=None, reason=f"{beyond}; {kind} {p:.3g} <= {settings.alpha:.3g}", **common)
        elif not new:
            reason = f"its mean is within the threshold, nearest {nearest}; {beyond}"
            return Verdict(KNOWN, name=nearest, reason=reason, **common)
        elif one.seen < settings.least_seen:
            reason = (
                f"its mean is beyond the threshold, but it has {one.seen} looks, and {settings.least_seen} are needed"
            )
            verdict = Verdict(UNSURE, name=None, reason=reason, **common)
        else:
            reason = f"its mean is beyond the threshold, but {beyond}; {kind} {p:.3g} > {settings.alpha:.3g}"
            verdict = Verdict(UNSURE, name=None, reason=reason, **common)
        return self._by_name(verdict, mean)

    def _p_value(self, one: MapObject, novelty: float) -> float:
        """p-value of an object: among known objects if the map has them, else combined over its whole looks."""
        settings = self.state.settings
        if settings.objects and one.evidence.looks:
            return float(p_values([novelty], settings.objects)[0])
        return one.evidence.p_value(settings.combine)

    def _by_name(self, verdict: Verdict, mean: np.ndarray) -> Verdict:
        """Verdict "known" if a class named by a person is near the mean embedding (d,); otherwise the given verdict."""
        if not self.state.named:
            return verdict
        name, away = nearest_class(mean, {named.name: named.examples for named in self.state.named.values()})
        most = self.state.named[name].reach
        if away > most:
            return verdict
        reason = f"its distance to {name}, named by a person, is {away:.2f}; the maximum is {most:.2f}"
        return replace(verdict, verdict=KNOWN, name=name, reason=reason)

    # asking and naming

    def ask(self, n: int = 5) -> list[Question]:
        """Unknown objects to show a person first: one question for each group of similar objects.

        `discover` finds the groups among the mean embeddings of new and unsure objects with a whole look. The order is
        number of objects x novelty x stability.

        Parameters
        ----------
        n : int
            Maximum number of questions.

        Returns
        -------
        list of Question
        """
        check_whole(n, "n")
        unknown = [one for one in self if one.verdict.verdict != KNOWN and one.whole]
        return questions(unknown, self._threshold, self.pipeline.provenance.identity)[:n]

    def name(self, objects: int | Question | Sequence[int], name: str) -> list[dict[str, Any]]:
        """Make objects examples of a named class. One look is enough.

        Other known objects keep their verdicts. New and unsure objects become known if they are near the examples, see
        `naming.reach`. This reach is no calibrated threshold: further objects are needed to measure its errors.

        Parameters
        ----------
        objects : int, Question, or sequence of int
            Numbers of objects; for a `Question`, its central object.
        name : str

        Returns
        -------
        list of dict
            Changes, as from `add`.

        Raises
        ------
        InputError, ClassNamesError
            For unknown numbers and invalid names.
        FileError
            If the event cannot be written.
        """
        self._check_open()
        check_name(name, "the name")
        chosen_objects = [objects.object] if isinstance(objects, Question) else objects
        listed = [chosen_objects] if isinstance(chosen_objects, int | np.integer) else list(chosen_objects)
        if not listed:
            raise InputError("no objects are given. Expected numbers of objects. Give an object of ask().")
        numbers = list(dict.fromkeys(self[number].number for number in listed))
        rows = unit_or_zero(np.concatenate([self[number].embeddings for number in numbers])).astype(np.float32)
        others = [
            one.mean
            for one in self
            if one.verdict.verdict == KNOWN and one.verdict.name != name and one.number not in numbers
        ]
        known = self.pipeline.known
        anchors = unit_or_zero(known.anchors) if known.examples is not None and known.text is None else None
        before = self.state.named.get(name)
        spread = reach(rows, np.array([*others, *(() if anchors is None else anchors)]))
        spread = spread if before is None else max(spread, before.reach)
        draft = {number: replace(self[number], label=name) for number in numbers}
        verdicts = self._verdicts(draft)
        changed = {verdict["object"]: verdict for verdict in verdicts}
        for one in self:
            if one.verdict.verdict == KNOWN or one.number in changed:
                continue
            away = nearest_class(one.mean, {name: rows})[1]
            if away <= spread:
                reason = f"its distance to {name}, named by a person, is {away:.2f}; the maximum is {spread:.2f}"
                changed[one.number] = {
                    "object": one.number, **asdict(replace(one.verdict, verdict=KNOWN, name=name, reason=reason)),
                }  # fmt: skip
        event = {"kind": "name", "objects": numbers, "name": name, "reach": spread, "examples": written_rows(rows)}
        event["verdicts"] = [changed[number] for number in sorted(changed)]
        previous = {number: self[number].verdict for number in changed}
        self._record(event)
        return list(_changes(event, previous))

    # checks

    def _record(self, event: Mapping[str, Any]) -> None:
        numbered = self._log.append(event) if self._log is not None else {"seq": self.state.seq + 1, **event}
        self.state.apply(numbered)

    def _check_open(self) -> None:
        if self.path is not None and self._log is None:
            raise InputError(f"the map {self.path} is closed. Expected an open one. Load it again by SceneMap.load.")

    def _checked_time(self, time: float | None) -> float | None:
        if time is None:
            return None
        if isinstance(time, bool) or not np.isreal(time) or not np.isfinite(time):
            raise InputError(
                f"time is {time!r:.40}. Expected seconds, a finite number. Leave time out if it is unknown."
            )
        if self.state.time is not None and time < self.state.time:
            raise InputError(
                f"time runs backwards: {float(time):.3f} s after {self.state.time:.3f} s. Expected views in the order "
                "of time. Sort the views."
            )
        return float(time)

    def _check_jump(self, position: np.ndarray | None) -> None:
        before = self.state.position
        if position is None or before is None or self.max_jump is None:
            return
        away = float(np.linalg.norm(position - before))
        if away > self.max_jump:
            raise InputError(
                f"the pose jumps by {away:.1f} m. Expected at most {self.max_jump:g} m between views. Correct the "
                "pose, or give a larger max_jump."
            )

    def _check_room(self, count: int) -> None:
        if count > self.most:
            raise InputError(
                f"the map has {len(self):,} objects. Expected at most {self.most:,}. Give a larger most to load or "
                "prepare, or start another map."
            )

    def _check_settings(self) -> None:
        settings, pipeline = self.state.settings, self.pipeline
        threshold, identity = pipeline.threshold, pipeline.provenance.identity
        same = settings.dim == pipeline.known.dim and settings.method == pipeline.method.name
        same &= dict(settings.identity) == asdict(identity) or not settings.identity.get("sha256")
        same &= threshold is not None and (threshold.n, threshold.value) == (settings.n, settings.threshold)
        if not same:
            made = f"{settings.method} by {settings.identity.get('checkpoint')} with {settings.n} calibration shapes"
            given = f"{pipeline.method.name} by {identity} with {0 if threshold is None else threshold.n}"
            raise MixedEncodersError(
                f"the map was made with {made}, the pipeline is {given}. Expected the same encoder, method and "
                "threshold. Load the map without the argument known."
            )


def _check_objects(objects: Threshold, pipeline: NoveltyPipeline, alpha: float) -> None:
    check_threshold(objects)
    objects.check_fits(pipeline.provenance)
    needed = calibration_needed(1 - alpha)
    if objects.n < needed:
        raise InputError(
            f"objects is a threshold of {objects.n} objects. Coverage {1 - alpha:g} needs {needed} or more. "
            "Map more known objects, and give object_threshold() of that map."
        )


def _for_crops(pipeline: NoveltyPipeline) -> NoveltyPipeline:
    """Pipeline for crops of scans: z up, and an invalid crop raises."""
    return replace(pipeline, up=SCANS, errors="raise", progress=False)


def _warn_of_few(n: int, alpha: float, combine: str) -> None:
    least = max(least_p_value(n, combine, looks) for looks in (2, FAR_LOOKS))
    if least > alpha * ROUNDED:
        warnings.warn(
            f"{n} calibration shapes are too few for the verdict new: the combined p is {least:.3g} or "
            f"more. Expected at most {alpha:g}. Calibrate on more known shapes, 39 or more with combine='median'.",
            MapWarning,
            stacklevel=3,
        )


def _fresh(cells: np.ndarray, whole: bool, one: MapObject | None) -> np.ndarray:
    """Cells that a look adds to an object; none if the look is partial and the object already has a whole look."""
    if one is None or (whole and not one.whole):
        return cells
    return cells[:0] if one.whole and not whole else np.setdiff1d(cells, one.cells, assume_unique=True)


def _followed(number: int, into: Mapping[int, int]) -> int:
    while number in into:
        number = into[number]
    return number


def _changes(event: Mapping[str, Any], before: Mapping[int, Verdict]) -> Iterator[dict[str, Any]]:
    """Changes of an event: records for `add` and `name`."""
    seen = set(before)
    for look in event.get("looks", ()):
        kind = "look" if look["object"] in seen else "object"
        seen.add(look["object"])
        yield {"event": kind, **{name: look[name] for name in ("object", "points", "whole", "certain")}}
    for kept, gone in event.get("merged", ()):
        yield {"event": "merged", "object": kept, "gone": gone}
    for verdict in event["verdicts"]:
        was = before.get(verdict["object"])
        if was is None or (was.verdict, was.name) != (verdict["verdict"], verdict["name"]):
            yield {"event": "verdict", "from": None if was is None else was.verdict, **verdict}


def _replayed(folder: Path) -> tuple[MapState, int]:
    """State of the map in a folder, and the byte offset after its last event."""
    path = folder / EVENTS
    state, start = _snapshot(folder)
    try:
        for event, end in read_events(path, start, -1 if state is None else state.seq):
            if state is None:
                if event["kind"] != "map" or event["format"] != FORMAT:
                    raise ValueError(f"its first event does not name {FORMAT!r}")
                if event["seq"] != 0:
                    raise ValueError(f"{SNAPSHOT} is missing or damaged")
                state = MapState(Settings(**event["settings"]), seq=0)
            else:
                state.apply(event)
            start = end
    except FileError:
        raise
    except DAMAGE as error:
        raise FileError(
            f"{path} is no log of a map, or it is damaged: {str(error).rstrip('.')}. Expected a log. Use a backup."
        ) from error
    if state is None:
        raise FileError(f"{path} is empty. Expected the log of a map. Remove the folder and prepare the map again.")
    return state, start


def _snapshot(folder: Path) -> tuple[MapState | None, int]:
    """State of the snapshot and byte offset after its last event; None and 0 without a usable snapshot."""
    path = folder / SNAPSHOT
    if not path.is_file():
        return None, 0
    try:
        with loaded_arrays(path, KIND) as (header, arrays):
            return MapState.restored(arrays, header), int(header["end"])
    except FileError as error:
        warnings.warn(f"{str(error).rstrip('.')}. All events are replayed instead.", MapWarning, stacklevel=4)
        return None, 0
