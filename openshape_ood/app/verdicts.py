"""A session's shape against its known classes: a verdict, and where it is novel. Knows nothing of the page."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from openshape_ood.app.session import Example, Session, Shape
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings
from openshape_ood.encoders.shape_encoder import ShapeEncoder
from openshape_ood.encoders.text.encoder import TextEncoder, UntrainedNameWarning
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.localization import localize
from openshape_ood.novelty import score_novelty
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_result import NoveltyResult
from openshape_ood.scoring import DEFAULTS, METHODS, Method, find_method
from openshape_ood.scoring.words import negative_words
from openshape_ood.synthetic import sample, scan
from openshape_ood.synthetic.calibration import (
    FIRST_SEED,
    calibration_models,
    calibration_scans,
    can_generate,
    generated_threshold,
    resolve,
    trained_on_generated,
)

AUTOMATIC = "automatic"
COVERAGE = 0.95  # share of known shapes that the verdict keeps
COMPARED = 24  # generated shapes a class that the colors compare with
MODEL, SCAN = ORIGINS = ("whole model", "scan")
FIRST_COMPARED = FIRST_SEED + 10_000
KEPT = 512  # embeddings of examples, calibration sets and thresholds that are remembered
MEMORIES = 8  # memory banks that are remembered, some 10 MB each
BY_TEXT = (
    "Each patch of the shape is compared with the class names, which says little; with two or more examples, and at "
    "least one of every class, it would be compared with the patches of these."
)


def method_names() -> list[str]:
    """What the page offers: all that `METHODS` holds just now."""
    return [AUTOMATIC, *METHODS]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was found of one shape.

    result: of b = 1, with a threshold where there is something to calibrate on; novelty_map: where it is novel;
    compared: what its colors compare with; origin: of `ORIGINS`; remarks for the visitor.
    """

    shape: Shape
    result: NoveltyResult
    novelty_map: NoveltyMap
    compared: str
    origin: str = MODEL
    remarks: tuple[str, ...] = ()

    @property
    def novelty(self) -> float:
        return float(self.result.novelty[0])

    @property
    def nearest(self) -> str:
        return str(self.result.nearest[0])

    @property
    def threshold(self) -> Threshold | None:
        return self.result.threshold

    @property
    def p_value(self) -> float | None:
        return None if self.threshold is None else float(self.result.p_values[0])

    @property
    def answer(self) -> Literal["known", "novel"] | None:
        """None without a threshold."""
        if self.threshold is None:
            return None
        return "novel" if self.result.is_novel[0] else "known"

    def ranked(self) -> list[tuple[str, float]]:
        """Class and cosine similarity, the most similar first."""
        order = np.argsort(-self.result.similarity[0], kind="stable")
        return [(str(self.result.classes[i]), float(self.result.similarity[0, i])) for i in order]


class Judge:
    """Encoders, and what is computed once and serves every session; holds nothing of a session's own."""

    def __init__(self) -> None:
        self._loading = threading.Lock()  # a download may take minutes, and holds up nobody who does without
        self._lock = threading.RLock()
        self._encoders: dict[str, tuple[ShapeEncoder, TextEncoder]] = {}
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def judge(
        self, session: Session, model: str, method: str = AUTOMATIC, up: str = "file", origin: str = MODEL
    ) -> Verdict:
        """The verdict on the session's shape.

        model: name of a checkpoint; method: of `method_names`; up: gravity axis of the shape; origin: of `ORIGINS`,
        where the shape comes from, so that it is judged among its like. Raises `OpenShapeError` with a message for the
        visitor: no shape, a checkpoint that cannot be had, a method that the known classes have not enough for.
        """
        shape = session.shape
        if shape is None:
            raise InputError("there is no shape yet; drop one or pick an example")
        if origin not in ORIGINS:
            raise InputError(f"origin is {origin!r}; expected one of {', '.join(ORIGINS)}")
        kind = session.kind
        found = find_method(DEFAULTS[kind] if method == AUTOMATIC else method, kind)
        encoder, text = self._encoder(model)
        known, remarks = self._known(session, encoder, text)
        if found.needs == "negatives":
            known = replace(known, negatives=self._negatives(session.names, text))
        if found.needs == "patches":
            known = replace(known, patches=self._memory(session, encoder, "tokens"))
        threshold = self._threshold(session, encoder, known, found, origin)
        result = score_novelty(shape.cloud, known, encoder=encoder, method=found, up=up, threshold=threshold)
        novelty_map, compared = self._localized(session, shape, encoder, known, up, origin)
        return Verdict(shape, result, replace(novelty_map, name=shape.name), compared, origin, remarks)

    def _encoder(self, model: str) -> tuple[ShapeEncoder, TextEncoder]:
        if model not in self._encoders:
            with self._loading:
                if model not in self._encoders:
                    self._encoders[model] = ShapeEncoder.from_pretrained(model), TextEncoder.from_pretrained(model)
        return self._encoders[model]

    def _known(
        self, session: Session, encoder: ShapeEncoder, text: TextEncoder
    ) -> tuple[KnownClasses, tuple[str, ...]]:
        """The known classes, and what the text encoder has to say of their names."""
        examples = {
            name: np.stack([self._embedding(example, encoder) for example in own])
            for name, own in session.known().items()
            if own
        }

        def made() -> KnownClasses:
            if examples:
                return KnownClasses.from_both(session.names, examples, encoder, text)
            return KnownClasses.from_names(session.names, text, temperature=encoder.temperature)

        if encoder.row.text.kind != "static":  # these never warn, and may download
            return made(), ()
        with self._lock, warnings.catch_warnings(record=True) as said:  # catching is not for several threads at once
            warnings.simplefilter("always")
            known = made()
        remarks = [str(one.message).partition(";")[0] for one in said if issubclass(one.category, UntrainedNameWarning)]
        return known, tuple(f"{remark}; add examples of them." for remark in remarks)

    def _embedding(self, example: Example, encoder: ShapeEncoder) -> np.ndarray:
        key = ("example", encoder.identity.sha256, example.key)
        return self._once(key, lambda: encoder.encode(example.cloud, up="y")[0])

    def _negatives(self, names: tuple[str, ...], text: TextEncoder) -> np.ndarray:
        others = [word for word in negative_words() if word not in names]
        key = ("negatives", text.identity, names)
        return self._once(key, lambda: KnownClasses.from_names(names, text, negatives=others).negatives)

    def _threshold(
        self, session: Session, encoder: ShapeEncoder, known: KnownClasses, method: Method, origin: str
    ) -> Threshold | None:
        if not _generated(session, encoder):
            return None

        def made() -> Threshold | None:
            categories = [name for name in dict.fromkeys(map(resolve, session.names)) if name]
            sets = np.concatenate([self._calibration_set(name, encoder, origin) for name in categories])
            ready = Embeddings(sets, encoder.identity)
            return generated_threshold(
                known, encoder, method=method, coverage=COVERAGE, clean=origin == MODEL, ready=ready
            )

        return self._once(("threshold", encoder.identity.sha256, method, origin, session.key), made)

    def _calibration_set(self, name: str, encoder: ShapeEncoder, origin: str) -> np.ndarray:
        clouds = calibration_scans if origin == SCAN else calibration_models
        key = ("calibration", encoder.identity.sha256, name, origin)
        return self._once(key, lambda: encoder.encode(clouds([name]), up="y"))

    def _localized(
        self, session: Session, shape: Shape, encoder: ShapeEncoder, known: KnownClasses, up: str, origin: str
    ) -> tuple[NoveltyMap, str]:
        """Where the shape is novel, and in words what its colors compare with."""
        generated, added = _generated(session, encoder), sum(map(len, session.known().values()))
        if not generated and (session.kind != "examples" or added < 2):
            return localize(shape.cloud, known, encoder=encoder, by="text", up=up), BY_TEXT
        memory = self._memory(session, encoder, "local", origin if generated else None)
        words = [f"{COMPARED} generated {origin}s of each class"] if generated else []
        words += [f"the {added} example{'s' if added > 1 else ''} that you added"] if added else []
        compared = KnownClasses(session.names, encoder.identity, patches=memory)
        return localize(shape.cloud, compared, encoder=encoder, up=up), (
            f"Each patch of the shape is compared with the patches of {' and of '.join(words)}: gray is known among "
            "them, dark red is like none of them."
        )

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
        """What `make` gives, made once; of the longest unused of its kind more than `room` are forgotten."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            made = make()
            self._kept[key] = made
            alike = [other for other in self._kept if isinstance(other, tuple) and other[0] == key[0]]
            for other in alike[: max(0, len(alike) - room)]:
                del self._kept[other]
            return made


def _generated(session: Session, encoder: ShapeEncoder) -> bool:
    """Whether known shapes of all classes can be generated, and mean something to the encoder."""
    return trained_on_generated(encoder) and can_generate(session.names)


def _compared(name: str, origin: str) -> list[np.ndarray]:
    """Generated shapes of a class, other ones than for calibration."""
    category, make = resolve(name) or name, scan if origin == SCAN else sample
    return [make(category, 2048, FIRST_COMPARED + i) for i in range(COMPARED)]
