"""Scoring of the shapes of a session with `NoveltyPipeline`, and their novelty maps."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np

from openshape_ood.app.scan_tab import ScanInput, object_result, object_shapes
from openshape_ood.app.session import Example, Session, Shape, parse_names
from openshape_ood.app.verdicts import (
    BY_OBJECT,
    BY_PATCHES,
    BY_TEXT,
    MODEL,
    ORIGINS,
    SCAN,
    Basis,
    ScanVerdict,
    ShapeVerdict,
)
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.protocols import NamesEncoder
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
from openshape_ood.scoring import DEFAULTS, find_method, methods
from openshape_ood.scoring.methods import kind_of
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.shapes.batches import AUTO
from openshape_ood.synthetic import sample, scan
from openshape_ood.synthetic.calibration import FIRST_SEED, resolve

AUTOMATIC = "automatic"
GENERATED: dict[str, Generated] = {MODEL: "models", SCAN: "scans"}
COMPARED = 24  # generated shapes per class, for comparison and for the colors of maps
FIRST_COMPARED = FIRST_SEED + 10_000  # seed of the first of these shapes
KEPT = 512  # cached entries of each kind: embeddings of examples, calibration sets, thresholds
MEMORIES = 8  # cached memory banks, about 10 MB each


def method_names() -> list[str]:
    """Methods offered on the page."""
    return [AUTOMATIC, *methods.method_names()]


class Pipelines:
    """Encoders and caches shared by all sessions. Holds no data of a session."""

    def __init__(self, given: KnownClasses | None = None) -> None:
        """given: known classes from a file, used until a visitor changes names or encoder, or adds an example."""
        self.given = given
        self._loading = threading.Lock()  # separate lock, because a download may take minutes
        self._lock = threading.Lock()  # guards the attributes below
        self._encoders: dict[str, tuple[ShapeEncoder, TextEncoder]] = {}
        self._kept: OrderedDict[tuple[Hashable, ...], Any] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._warning = threading.Lock()

    def score(
        self, session: Session, model: str, method: str = AUTOMATIC, up: str = "file", origin: str = MODEL
    ) -> ShapeVerdict:
        """Score the session's shapes.

        model: name of a checkpoint. method: one of `method_names`. up: up axis of the shapes, as in `Shape.up`. origin:
        one of `ORIGINS`, the kind of generated shapes for the threshold. Raises `OpenShapeError` with a message for the
        visitor if there is no shape, the checkpoint is unavailable, or the method needs more examples.
        """
        if session.shape is None:
            raise InputError("there is no shape yet. Expected a shape to score. Drop one, or pick an example.")
        if origin not in ORIGINS:
            raise InputError(f"origin is {origin!r}. Expected one of {', '.join(ORIGINS)}. Choose one of them.")
        pipeline, remarks = self._prepared(session, model, method, origin)
        axis = _find_axis(session, pipeline) if up == AUTO else None
        silent = (axis and axis.axis) or "y"
        pipeline, basis = self._decided(pipeline, session, origin, (up, silent))
        clouds, ups = [shape.cloud for shape in session.shapes], [shape.up(up, silent) for shape in session.shapes]
        result, shown = pipeline(clouds, up=ups), session.shown
        novelty_map, compared = self._localized(session, session.shape, ups[shown], origin, pipeline)
        return ShapeVerdict(session, result, compared, basis, shown, origin, up, axis, remarks, map=novelty_map)

    def score_scan(self, given: ScanInput, session: Session, model: str, method: str = AUTOMATIC) -> ScanVerdict:
        """Score the objects of a scan.

        Without a calibration set, the threshold is calibrated on generated scans of single shapes. If the file of a
        calibration shape states no axis, the shape gets the axis chosen for the scan, else z, and a remark says so.
        """
        pipeline, remarks = self._prepared(session, model, method, SCAN)
        axis = crop_axis(None, given.up)
        pipeline, basis = self._decided(pipeline, session, SCAN, axis)
        scene = score_scene(given.scene, pipeline, proposals=given.proposals)
        objects = session.with_shapes(object_shapes(scene))
        remarks = (*given.remarks, *remarks, *_assumed(session, axis[1]))
        return ScanVerdict(objects, object_result(scene), BY_OBJECT, basis, origin=SCAN, remarks=remarks, scene=scene)

    def show(self, verdict: ShapeVerdict | ScanVerdict, shown: int) -> ShapeVerdict | ScanVerdict:
        """Copy of a verdict with another shape on display."""
        session = replace(verdict.session, shown=shown)
        if isinstance(verdict, ScanVerdict):
            return replace(verdict, session=session, shown=shown)
        provenance = verdict.result.provenance
        pipeline, _ = self._prepared(session, provenance.identity.checkpoint, provenance.method, verdict.origin)
        shape, axis = session.shapes[shown], verdict.result.up[shown]
        novelty_map, compared = self._localized(session, shape, axis, verdict.origin, pipeline)
        return replace(verdict, session=session, shown=shown, map=novelty_map, compared=compared)

    def _prepared(
        self, session: Session, model: str, method: str, origin: str
    ) -> tuple[NoveltyPipeline, tuple[str, ...]]:
        """Pipeline without a threshold, and remarks on its known classes."""
        encoder, text = self._loaded(model)
        given = self._unchanged(session, encoder)
        filled = given is None and session.kind == "both" and _can_fill(session, encoder)
        kind = "examples" if filled else session.kind if given is None else kind_of(given)
        saved = given.threshold.provenance if given is not None and given.threshold is not None else None
        chosen = find_method((saved.method if saved else DEFAULTS[kind]) if method == AUTOMATIC else method, kind)
        if given is None:
            known, remarks = self._known(session, encoder, text, origin if filled else None)
        else:
            known, remarks = given, (f"Known classes from the file: {given!r}.",)
        if chosen.needs == "negatives" and known.negatives is None:
            known = replace(known, negatives=self._negatives(session.names, text))
        if chosen.needs == "patches" and given is None:
            known = replace(known, patches=self._memory(session, encoder, "tokens", origin if filled else None))
        return NoveltyPipeline(known, chosen, Encoders(encoder=encoder, names=text)), remarks

    def _loaded(self, model: str) -> tuple[ShapeEncoder, TextEncoder]:
        if model not in self._encoders:
            with self._loading:
                if model not in self._encoders:
                    self._encoders[model] = ShapeEncoder.from_pretrained(model), TextEncoder.from_pretrained(model)
        return self._encoders[model]

    def _unchanged(self, session: Session, encoder: ShapeEncoder) -> KnownClasses | None:
        """Known classes from the file; None if the visitor has changed names or encoder, or added an example."""
        given = self.given
        if given is None or session.examples or session.names != parse_names(", ".join(given.names)):
            return None
        return given if given.identity.fits(encoder.identity) else None

    def _known(
        self, session: Session, encoder: ShapeEncoder, text: NamesEncoder, fill: str | None
    ) -> tuple[KnownClasses, tuple[str, ...]]:
        """Known classes and remarks on them.

        fill: origin of the generated examples for classes without examples; None to generate none.
        """
        examples = {
            name: np.stack([self._embedding(example, encoder) for example in class_examples])
            for name, class_examples in session.known().items()
            if class_examples
        }
        remarks = []
        if fill:
            without = [name for name in session.names if name not in examples]
            examples |= {name: self._filling(resolve(name) or name, encoder, fill) for name in without}
            remarks = [
                f"{', '.join(without)}: compared with {COMPARED} generated {fill}s each, because you gave no examples."
            ]
        elif len(examples) not in (0, len(session.names)):
            remarks = ["Examples are used when every class has one. Until then, all classes are known by their names."]

        def made() -> KnownClasses:
            if examples:
                return KnownClasses.from_both(session.names, examples, encoder, text)
            return KnownClasses.from_names(session.names, text, temperature=encoder.temperature)

        if encoder.row.text.kind == "open_clip":  # no lock: this encoder never warns, and its download may take minutes
            return made(), tuple(remarks)
        with self._warning, warnings.catch_warnings(record=True) as warned:  # locked: recording affects all threads
            warnings.simplefilter("always")
            known = made()
        if not fill and len(examples) < len(session.names):
            untrained = [one for one in warned if issubclass(one.category, UntrainedNameWarning)]
            # the last sentence of the warning tells how to give examples in Python
            remarks += [f"{str(one.message).partition(' Give ')[0]} Add examples of every class." for one in untrained]
        return known, tuple(remarks)

    def _filling(self, category: str, encoder: ShapeEncoder, origin: str) -> np.ndarray:
        key = ("filling", encoder.identity.sha256, category, origin)
        return self._once(key, lambda: encoder.encode(_compared(category, origin), up="y"))

    def _embedding(self, example: Example, encoder: ShapeEncoder) -> np.ndarray:
        key = ("example", encoder.identity.sha256, example.key)
        return self._once(key, lambda: encoder.encode(example.cloud, up="y")[0])

    def _negatives(self, names: tuple[str, ...], text: NamesEncoder) -> np.ndarray:
        others = [word for word in negative_words(text) if word not in names]
        key = ("negatives", text.identity, names)
        return self._once(key, lambda: KnownClasses.from_names(names, text, negatives=others).negatives)

    def _decided(
        self, pipeline: NoveltyPipeline, session: Session, origin: str, ups: tuple[str, str]
    ) -> tuple[NoveltyPipeline, Basis]:
        """Pipeline with its threshold, and the basis of its verdicts."""
        encoder, known, held_out = pipeline.encoders.shape, pipeline.known, session.calibration
        pipeline = replace(pipeline, up="y" if ups[0] == AUTO else ups[0], silent=ups[1])
        data = (encoder.identity.sha256, pipeline.method, session.key, known is self.given, held_out and held_out.key)
        basis: Basis = self._once(("basis", *data, origin, ups), lambda: _basis(pipeline, session, origin, ups))
        return replace(pipeline, threshold=basis.threshold), basis

    def _localized(
        self, session: Session, shape: Shape, axis: str, origin: str, pipeline: NoveltyPipeline
    ) -> tuple[NoveltyMap, str]:
        """Novelty map of a shape, and an explanation of its colors."""
        known, encoder = pipeline.known, pipeline.encoders.shape
        added = sum(map(len, session.known().values()))
        generated = _can_fill(session, encoder) and any(map(resolve, session.names))
        how: dict[str, Any] = {"encoder": encoder, "up": axis}
        if known is self.given and known.patches is not None:
            words = BY_PATCHES.format("the examples in the file")
        elif generated or (session.kind == "examples" and added >= 2):
            memory = self._memory(session, encoder, "local", origin if generated else None)
            alone = [name for name in session.names if not resolve(name)]
            but = f" except {', '.join(alone)}" if alone else ""
            sets = [f"{COMPARED} generated {origin}s of each class{but}"] if generated else []
            sets += [f"the {added} example{'s' if added > 1 else ''} that you added"] if added else []
            words = BY_PATCHES.format(" and of ".join(sets))
            known = KnownClasses(session.names, encoder.identity, patches=memory)
        else:
            words, how["by"] = BY_TEXT, "text"
            if known.text is None:
                known = self._known(session, encoder, self._loaded(encoder.row.name)[1], None)[0]
        return replace(localize(shape.cloud, known, **how), name=shape.name), words

    def _memory(self, session: Session, encoder: ShapeEncoder, stage: str, origin: str | None = None) -> MemoryBank:
        """Patches of the examples. origin: kind of generated shapes whose patches are added; None to add none."""

        def made() -> MemoryBank:
            shapes = {
                name: [*(_compared(name, origin) if origin else ()), *(example.cloud for example in examples)]
                for name, examples in session.known().items()
            }
            return MemoryBank.from_examples(shapes, encoder, stage=stage, up="y")

        key = ("patches", encoder.identity.sha256, stage, origin, session.key)
        return self._once(key, made, most=MEMORIES)

    def _once(self, key: tuple[Hashable, ...], make: Callable[[], Any], most: int = KEPT) -> Any:
        """Cached result of `make`. The first element of `key` is the kind of the entry.

        most: maximum number of cached entries of this kind; the least recently used are dropped. While an entry is
        computed, only requests for the same entry wait.
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
                for other in alike[: max(0, len(alike) - most)]:
                    del self._kept[other]
            return made


def _basis(pipeline: NoveltyPipeline, session: Session, origin: str, ups: tuple[str, str]) -> Basis:
    """Basis of the verdict: the visitor's calibration files or threshold, else the default threshold."""
    held_out, calibrated = session.calibration, None
    try:
        if held_out is not None and held_out.shapes:
            shapes = [shape.cloud for shape in held_out.shapes]
            calibrated = pipeline(shapes, up=[shape.up(*ups) for shape in held_out.shapes])
            calibrated = replace(calibrated, shapes=tuple(shape.name for shape in held_out.shapes))
        source = f"{len(held_out.shapes)} calibration files" if held_out is not None else ""
        given, generated = None if held_out is None else held_out.threshold, GENERATED[origin]
        threshold = pipeline.decided(given, calibrated, generated=generated, source=source).threshold
    except MixedEncodersError as error:
        return Basis(missing=f"The threshold does not fit: {str(error).rstrip('.')}.")
    except InputError as error:
        return Basis(missing=f"The calibration files cannot be used: {str(error).rstrip('.')}.")
    if threshold is None:
        return Basis(missing="There are no calibration shapes.")
    if calibrated is not None:
        return Basis("files", threshold)
    if threshold in (given, pipeline.known.threshold):
        return Basis("threshold", threshold)
    return Basis("generated", threshold, uncovered=tuple(name for name in session.names if not resolve(name)))


def _assumed(session: Session, silent: str) -> tuple[str, ...]:
    """Remark on calibration shapes without a stated axis, for a scan."""
    count = sum(not shape.stated for shape in session.calibration.shapes) if session.calibration else 0
    return (f"{assumed(count, silent, 'drop files that state their axis, or rotated ones')}",) if count else ()


def _find_axis(session: Session, pipeline: NoveltyPipeline) -> UpAxis | None:
    """Up axis of shapes and calibration shapes whose files state none; None if every file states one."""
    shapes = (*session.shapes, *(session.calibration.shapes if session.calibration else ()))
    silent = [shape.cloud for shape in shapes if not shape.stated]
    encoders = pipeline.encoders
    return find_up(silent, pipeline.known, encoder=encoders.shape, text=encoders.text) if silent else None


def _can_fill(session: Session, encoder: ShapeEncoder) -> bool:
    """True if the encoder was trained on generated shapes, and all classes without examples can be generated."""
    return trained_on_generated(encoder.identity) and all(
        examples or resolve(name) for name, examples in session.known().items()
    )


def _compared(name: str, origin: str) -> list[np.ndarray]:
    """Generated shapes of a class. Calibration uses other seeds. Empty if the class cannot be generated."""
    category, make = resolve(name), scan if origin == SCAN else sample
    return [make(category, 2048, FIRST_COMPARED + i) for i in range(COMPARED)] if category else []
