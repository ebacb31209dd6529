"""A session's shapes against its known classes: a verdict, and where they are novel. Knows nothing of the page."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np

from openshape_ood.app.rooms import Room, ranked, shapes
from openshape_ood.app.session import Example, Session, Shape, parse_names
from openshape_ood.app.verdicts import (
    BY_OBJECT,
    BY_PATCHES,
    BY_TEXT,
    MODEL,
    ORIGINS,
    SCAN,
    Basis,
    RoomVerdict,
    ShapeVerdict,
)
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.shape_encoder import ShapeEncoder
from openshape_ood.encoders.text.encoder import TextEncoder, UntrainedNameWarning
from openshape_ood.errors import InputError, MixedEncodersError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.novelty import NoveltyPipeline
from openshape_ood.novelty.generated import Generated, trained_on_generated
from openshape_ood.novelty.up_axis import UpAxis, find_up
from openshape_ood.novelty_map import NoveltyMap, localize
from openshape_ood.scenes import score_scene
from openshape_ood.scenes.crop_axis import assumed, crop_axis
from openshape_ood.scoring import DEFAULTS, Method, find_method, methods
from openshape_ood.scoring.methods import kind_of
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.shapes.batches import AUTO
from openshape_ood.synthetic import sample, scan
from openshape_ood.synthetic.calibration import FIRST_SEED, resolve

AUTOMATIC = "automatic"
GENERATED: dict[str, Generated] = {MODEL: "models", SCAN: "scans"}
COMPARED = 24  # generated shapes a class that the colors compare with
FIRST_COMPARED = FIRST_SEED + 10_000
KEPT = 512  # embeddings of examples, calibration sets and thresholds that are remembered
MEMORIES = 8  # memory banks that are remembered, some 10 MB each


def method_names() -> list[str]:
    """What the page offers: all methods that there are just now."""
    return [AUTOMATIC, *methods.method_names()]


class Judge:
    """Encoders, and what is computed once and serves every session; holds nothing of a session's own."""

    def __init__(self, given: KnownClasses | None = None) -> None:
        """given: known classes of a file, which count as long as a visitor changes nothing of them."""
        self.given = given
        self._loading = threading.Lock()  # a download may take minutes, and holds up nobody who does without
        self._lock = threading.Lock()  # of the three below
        self._encoders: dict[str, tuple[ShapeEncoder, TextEncoder]] = {}
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._warning = threading.Lock()

    def judge(
        self, session: Session, model: str, method: str = AUTOMATIC, up: str = "file", origin: str = MODEL
    ) -> ShapeVerdict:
        """The verdict on the session's shapes.

        model: name of a checkpoint; method: of `method_names`; up: gravity axis of the shapes, as `Shape.up` takes it;
        origin: of `ORIGINS`, where the shapes come from, so that they are judged among their like. Raises
        `OpenShapeError` with a message for the visitor: no shape, a checkpoint that cannot be had, a method that the
        known classes have not enough for.
        """
        if session.shape is None:
            raise InputError("there is no shape yet; drop one or pick an example")
        if origin not in ORIGINS:
            raise InputError(f"origin is {origin!r}; expected one of {', '.join(ORIGINS)}")
        settled = encoder, text, _, known, remarks = self._settled(session, model, method, origin)
        axis = _find_axis(session, known, encoder, text) if up == AUTO else None
        silent = (axis and axis.axis) or "y"
        pipeline, basis = self._pipeline(session, settled, origin, (up, silent))
        clouds, ups = [shape.cloud for shape in session.shapes], [shape.up(up, silent) for shape in session.shapes]
        result = pipeline(clouds, up=ups)
        shown = session.shown
        novelty_map, compared = self._localized(session, session.shape, encoder, ups[shown], origin, known)
        return ShapeVerdict(session, result, compared, basis, shown, origin, up, axis, remarks, map=novelty_map)

    def judge_room(
        self, room: Room, session: Session, model: str, method: str = AUTOMATIC, up: str = "file"
    ) -> RoomVerdict:
        """The verdict on the objects of a room, among scans of single shapes.

        up: of the calibration shapes; for "file" and "auto" what each file states, else the axis chosen for the room's
        file, else z, with a remark.
        """
        settled = self._settled(session, model, method, SCAN)
        axis = crop_axis(None if up == AUTO else up, room.up)
        pipeline, basis = self._pipeline(session, settled, SCAN, axis)
        scene = score_scene(room.scene, pipeline, proposals=room.proposals)
        objects, said = session.with_shapes(shapes(scene)), (*room.remarks, *settled[-1], *_assumed(session, axis))
        return RoomVerdict(objects, ranked(scene), BY_OBJECT, basis, origin=SCAN, remarks=said, scene=scene)

    def _settled(
        self, session: Session, model: str, method: str, origin: str
    ) -> tuple[ShapeEncoder, TextEncoder, Method, KnownClasses, tuple[str, ...]]:
        """Encoders, method and known classes, and what is to be said of these."""
        encoder, text = self._encoder(model)
        given = self._unchanged(session, encoder)
        filled = given is None and session.kind == "both" and _can_fill(session, encoder)
        kind = "examples" if filled else session.kind if given is None else kind_of(given)
        own = given.threshold.provenance if given is not None and given.threshold is not None else None
        found = find_method((own.method if own else DEFAULTS[kind]) if method == AUTOMATIC else method, kind)
        if given is None:
            known, remarks = self._known(session, encoder, text, origin if filled else None)
        else:
            known, remarks = given, (f"Known as in the file: {given!r}.",)
        if found.needs == "negatives" and known.negatives is None:
            known = replace(known, negatives=self._negatives(session.names, text))
        if found.needs == "patches" and given is None:
            known = replace(known, patches=self._memory(session, encoder, "tokens", origin if filled else None))
        return encoder, text, found, known, remarks

    def show(self, verdict: ShapeVerdict | RoomVerdict, shown: int) -> ShapeVerdict | RoomVerdict:
        """The same with another of its shapes shown."""
        session = replace(verdict.session, shown=shown)
        if isinstance(verdict, RoomVerdict):
            return replace(verdict, session=session, shown=shown)
        encoder, text = self._encoder(verdict.result.provenance.identity.checkpoint)
        known = self._unchanged(session, encoder) or self._known(session, encoder, text, None)[0]
        shape, axis = session.shapes[shown], verdict.result.up[shown]
        novelty_map, compared = self._localized(session, shape, encoder, axis, verdict.origin, known)
        return replace(verdict, session=session, shown=shown, map=novelty_map, compared=compared)

    def _encoder(self, model: str) -> tuple[ShapeEncoder, TextEncoder]:
        if model not in self._encoders:
            with self._loading:
                if model not in self._encoders:
                    self._encoders[model] = ShapeEncoder.from_pretrained(model), TextEncoder.from_pretrained(model)
        return self._encoders[model]

    def _unchanged(self, session: Session, encoder: ShapeEncoder) -> KnownClasses | None:
        """The known classes of the file, where the visitor has changed neither names nor encoder and added nothing."""
        given = self.given
        if given is None or session.examples or session.names != parse_names(", ".join(given.names)):
            return None
        return given if given.identity.fits(encoder.identity) else None

    def _known(
        self, session: Session, encoder: ShapeEncoder, text: TextEncoder, fill: str | None
    ) -> tuple[KnownClasses, tuple[str, ...]]:
        """The known classes, and what is to be said of them.

        fill: the origin of generated examples for classes of which the visitor gave none; None for no such examples.
        """
        examples = {
            name: np.stack([self._embedding(example, encoder) for example in own])
            for name, own in session.known().items()
            if own
        }
        remarks = []
        if fill:
            without = [name for name in session.names if name not in examples]
            examples |= {name: self._filling(resolve(name) or name, encoder, fill) for name in without}
            remarks = [
                f"{', '.join(without)}: compared with {COMPARED} generated {fill}s each, for you gave no examples."
            ]
        elif len(examples) not in (0, len(session.names)):
            remarks = ["Examples count once every class has one; until then all classes are known by their names."]

        def made() -> KnownClasses:
            if examples:
                return KnownClasses.from_both(session.names, examples, encoder, text)
            return KnownClasses.from_names(session.names, text, temperature=encoder.temperature)

        if encoder.row.text.kind != "static":  # these never warn, and may download
            return made(), tuple(remarks)
        with self._warning, warnings.catch_warnings(record=True) as said:  # not for several threads at once
            warnings.simplefilter("always")
            known = made()
        if not fill and len(examples) < len(session.names):
            strange = [one for one in said if issubclass(one.category, UntrainedNameWarning)]
            remarks += [f"{str(one.message).partition(';')[0]}; add examples of every class." for one in strange]
        return known, tuple(remarks)

    def _filling(self, category: str, encoder: ShapeEncoder, origin: str) -> np.ndarray:
        key = ("filling", encoder.identity.sha256, category, origin)
        return self._once(key, lambda: encoder.encode(_compared(category, origin), up="y"))

    def _embedding(self, example: Example, encoder: ShapeEncoder) -> np.ndarray:
        key = ("example", encoder.identity.sha256, example.key)
        return self._once(key, lambda: encoder.encode(example.cloud, up="y")[0])

    def _negatives(self, names: tuple[str, ...], text: TextEncoder) -> np.ndarray:
        others = [word for word in negative_words() if word not in names]
        key = ("negatives", text.identity, names)
        return self._once(key, lambda: KnownClasses.from_names(names, text, negatives=others).negatives)

    def _pipeline(
        self,
        session: Session,
        settled: tuple[ShapeEncoder, TextEncoder, Method, KnownClasses, tuple[str, ...]],
        origin: str,
        ups: tuple[str, str],
    ) -> tuple[NoveltyPipeline, Basis]:
        """The pipeline of a session, with its threshold, and the basis of this."""
        encoder, text, method, known, _ = settled
        own, encoders = session.calibration, Encoders(encoder=encoder, names=text)
        pipeline = NoveltyPipeline(known, method, encoders, up="y" if ups[0] == AUTO else ups[0], silent=ups[1])
        whose = (encoder.identity.sha256, method, session.key, known is self.given, own and own.key, origin, ups)
        basis: Basis = self._once(("basis", *whose), lambda: _basis(pipeline, session, origin, ups))
        return replace(pipeline, threshold=basis.threshold), basis

    def _localized(
        self, session: Session, shape: Shape, encoder: ShapeEncoder, axis: str, origin: str, known: KnownClasses
    ) -> tuple[NoveltyMap, str]:
        """Where a shape is novel, and in words what its colors compare with."""
        if known is self.given and known.patches is not None:
            found = localize(shape.cloud, known, encoder=encoder, up=axis)
            return replace(found, name=shape.name), BY_PATCHES.format("the examples in the file")
        added = sum(map(len, session.known().values()))
        generated = _can_fill(session, encoder) and any(map(resolve, session.names))
        if not generated and (session.kind != "examples" or added < 2):
            named = (
                known
                if known.text is not None
                else self._known(session, encoder, self._encoder(encoder.row.name)[1], None)[0]
            )
            found, words = localize(shape.cloud, named, encoder=encoder, by="text", up=axis), BY_TEXT
        else:
            memory = self._memory(session, encoder, "local", origin if generated else None)
            alone = [name for name in session.names if not resolve(name)]
            but = f" but {', '.join(alone)}" if alone else ""
            sets = [f"{COMPARED} generated {origin}s of each class{but}"] if generated else []
            sets += [f"the {added} example{'s' if added > 1 else ''} that you added"] if added else []
            words = BY_PATCHES.format(" and of ".join(sets))
            compared = KnownClasses(session.names, encoder.identity, patches=memory)
            found = localize(shape.cloud, compared, encoder=encoder, up=axis)
        return replace(found, name=shape.name), words

    def _memory(self, session: Session, encoder: ShapeEncoder, stage: str, origin: str | None = None) -> MemoryBank:
        """The patches of the examples, and with an origin those of generated shapes of every class."""

        def made() -> MemoryBank:
            shapes = {
                name: [*(_compared(name, origin) if origin else ()), *(example.cloud for example in own)]
                for name, own in session.known().items()
            }
            return MemoryBank.from_examples(shapes, encoder, stage=stage, up="y")

        key = ("patches", encoder.identity.sha256, stage, origin, session.key)
        return self._once(key, made, room=MEMORIES)

    def _once(self, key: tuple[Hashable, ...], make: Callable[[], Any], room: int = KEPT) -> Any:
        """What `make` gives, made once; of the longest unused of its kind more than `room` are forgotten.

        While one visitor's is made nobody waits but for the same.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            made = make()
            with self._lock:
                self._kept[key] = made
                self._making.pop(key, None)
                alike = [other for other in self._kept if isinstance(other, tuple) and other[0] == key[0]]
                for other in alike[: max(0, len(alike) - room)]:
                    del self._kept[other]
            return made


def _basis(pipeline: NoveltyPipeline, session: Session, origin: str, ups: tuple[str, str]) -> Basis:
    """By the calibration files or the threshold of the visitor, or else by the threshold that precedes the others."""
    own, calibrated = session.calibration, None
    try:
        if own is not None and own.shapes:
            shapes = [shape.cloud for shape in own.shapes]
            calibrated = pipeline(shapes, up=[shape.up(*ups) for shape in own.shapes])
            calibrated = replace(calibrated, shapes=tuple(shape.name for shape in own.shapes))
        source = f"{len(own.shapes)} calibration files" if own is not None else ""
        given, generated = None if own is None else own.threshold, GENERATED[origin]
        threshold = pipeline.decided(given, calibrated, generated=generated, source=source).threshold
    except MixedEncodersError as error:
        return Basis(missing=f"It does not fit: {error}.")
    except InputError as error:
        return Basis(missing=f"The calibration files: {error}.")
    if threshold is None:
        return Basis(missing="There is nothing to calibrate on.")
    if calibrated is not None:
        return Basis("files", threshold)
    if threshold in (given, pipeline.known.threshold):
        return Basis("threshold", threshold)
    return Basis("generated", threshold, uncovered=tuple(name for name in session.names if not resolve(name)))


def _assumed(session: Session, axis: tuple[str, str]) -> tuple[str, ...]:
    """The remark on calibration shapes beside a room whose axis nobody states."""
    up, silent = axis
    own = session.calibration.shapes if session.calibration is not None and up == "file" else ()
    count = sum(not shape.stated for shape in own)
    return (f"{assumed(count, silent, 'choose it as Up axis')}.",) if count else ()


def _find_axis(session: Session, known: KnownClasses, encoder: ShapeEncoder, text: TextEncoder) -> UpAxis | None:
    """Of all shapes together that state none, those of calibration too; None where all state theirs."""
    shapes = (*session.shapes, *(session.calibration.shapes if session.calibration else ()))
    silent = [shape.cloud for shape in shapes if not shape.stated]
    return find_up(silent, known, encoder=encoder, text=text) if silent else None


def _can_fill(session: Session, encoder: ShapeEncoder) -> bool:
    """Whether examples can be generated for all classes that have none, and mean something to the encoder."""
    return trained_on_generated(encoder.identity) and all(own or resolve(name) for name, own in session.known().items())


def _compared(name: str, origin: str) -> list[np.ndarray]:
    """Generated shapes of a class, other ones than for calibration; none of one that cannot be generated."""
    category, make = resolve(name), scan if origin == SCAN else sample
    return [make(category, 2048, FIRST_COMPARED + i) for i in range(COMPARED)] if category else []
