"""A session's shape against its bank: novelty, p-value, verdict, and where it is novel. Knows nothing of the page."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.app.session import Example, Session, Shape
from openshape_ood.decisions import calibration
from openshape_ood.encoders.shape_encoder import ShapeEncoder
from openshape_ood.encoders.text.encoder import TextEncoder, UntrainedNameWarning
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, MemoryBank
from openshape_ood.localization import localize
from openshape_ood.novelty import NoveltyResult, score_novelty
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scoring import DEFAULTS, SCORES
from openshape_ood.scoring.words import negative_words
from openshape_ood.synthetic import sample, scan
from openshape_ood.synthetic.calibration import (
    FIRST_SEED,
    SCANS,
    calibration_models,
    calibration_scans,
    can_generate,
    resolve,
)

AUTOMATIC = "automatic"
METHODS = (AUTOMATIC, *(name for name, score in SCORES.items() if score.needs != "patches"))
COVERAGE = 0.95  # share of known shapes that the verdict keeps
COMPARED = 24  # generated shapes a class that the colors compare with
MODEL, SCAN = ORIGINS = ("whole model", "scan")
FIRST_COMPARED = FIRST_SEED + 10_000
KEPT = 512  # embeddings of examples, and calibration sets, that are remembered
BANKS = 8  # patch banks that are remembered, some 10 MB each
BY_TEXT = (
    "Each patch of the shape is compared with the class names, which says little; with two or more examples, and at "
    "least one of every class, it would be compared with the patches of these."
)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a verdict rests on: scores (n,) of known shapes of one origin, the threshold that keeps 95 % of such."""

    origin: str
    scores: np.ndarray
    threshold: float


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was found of one shape: result (of b = 1); calibration, None where there is none, and with it no p_value
    and no is_novel; novelty_map: where it is novel; compared: what its colors compare with; remarks for the visitor.
    """

    shape: Shape
    result: NoveltyResult
    calibration: Calibration | None
    p_value: float | None
    is_novel: bool | None
    novelty_map: NoveltyMap
    compared: str
    remarks: tuple[str, ...] = ()

    @property
    def novelty(self) -> float:
        return float(self.result.novelty[0])

    @property
    def nearest(self) -> str:
        return str(self.result.nearest[0])

    def ranked(self) -> list[tuple[str, float]]:
        """Class and cosine similarity, the most similar first."""
        order = np.argsort(-self.result.similarity[0], kind="stable")
        return [(str(self.result.classes[i]), float(self.result.similarity[0, i])) for i in order]


class Scorer:
    """Encoders, and what is computed once and serves every session; holds nothing of a session's own."""

    def __init__(self) -> None:
        self._loading = threading.Lock()  # a download may take minutes, and holds up nobody who does without
        self._lock = threading.RLock()
        self._encoders: dict[str, tuple[ShapeEncoder, TextEncoder]] = {}
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def judge(
        self, session: Session, model: str, method: str = AUTOMATIC, up: str = "y", origin: str = MODEL
    ) -> Verdict:
        """The verdict on the session's shape.

        model: name of a checkpoint; method: of `METHODS`; up: gravity axis of the shape; origin: of `ORIGINS`, where
        the shape comes from, so that it is judged among its like. Raises `OpenShapeError` with
        a message for the visitor: no shape, a checkpoint that cannot be had, a method that the bank has not enough
        for.
        """
        shape = session.shape
        if shape is None:
            raise InputError("there is no shape yet; drop one or pick an example")
        if method not in METHODS:
            raise InputError(f"method is {method!r}; expected one of {', '.join(METHODS)}")
        if origin not in ORIGINS:
            raise InputError(f"origin is {origin!r}; expected one of {', '.join(ORIGINS)}")
        encoder, text = self._encoder(model)
        bank, remarks = self._bank(session, encoder, text)
        chosen = DEFAULTS[_kind(session)] if method == AUTOMATIC else method
        if SCORES[chosen].needs == "negatives":
            bank = replace(bank, negatives=self._negatives(session.names, text))
        result = score_novelty(shape.cloud, bank, encoder=encoder, method=chosen, up=up)
        limits = self._calibration(session.names, encoder, bank, chosen, origin)
        novelty = float(result.novelty[0])
        novelty_map, compared = self._localize(session, shape, encoder, bank, up, origin)
        return Verdict(
            shape=shape,
            result=result,
            calibration=limits,
            p_value=None if limits is None else float(calibration.p_values([novelty], limits.scores)[0]),
            is_novel=None if limits is None else novelty > limits.threshold,
            novelty_map=replace(novelty_map, name=shape.name),
            compared=compared,
            remarks=remarks,
        )

    def _encoder(self, model: str) -> tuple[ShapeEncoder, TextEncoder]:
        if model not in self._encoders:
            with self._loading:
                if model not in self._encoders:
                    self._encoders[model] = ShapeEncoder.from_pretrained(model), TextEncoder.from_pretrained(model)
        return self._encoders[model]

    def _bank(self, session: Session, encoder: ShapeEncoder, text: TextEncoder) -> tuple[KnownClasses, tuple[str, ...]]:
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
            bank = made()
        remarks = [str(one.message).partition(";")[0] for one in said if issubclass(one.category, UntrainedNameWarning)]
        return bank, tuple(f"{remark}; add examples of them." for remark in remarks)

    def _embedding(self, example: Example, encoder: ShapeEncoder) -> np.ndarray:
        key = ("example", encoder.identity.sha256, example.key)
        return self._once(key, lambda: encoder.encode(example.cloud, up="y")[0])

    def _negatives(self, names: tuple[str, ...], text: TextEncoder) -> np.ndarray:
        others = [word for word in negative_words() if word not in names]
        return self._once(("negatives", text.identity, names), lambda: Known.from_names(names, text, others).negatives)

    def _calibration(
        self, names: tuple[str, ...], encoder: ShapeEncoder, bank: KnownClasses, method: str, origin: str
    ) -> Calibration | None:
        if not _generated(encoder, names):
            return None
        categories = [name for name in dict.fromkeys(map(resolve, names)) if name]
        shapes = np.concatenate([self._calibration_set(name, encoder, origin) for name in categories])
        scores = SCORES[method].novelty(shapes, bank)
        return Calibration(origin, scores, calibration.threshold(scores, COVERAGE))

    def _calibration_set(self, name: str, encoder: ShapeEncoder, origin: str) -> np.ndarray:
        clouds = calibration_scans if origin == SCAN else calibration_models
        key = ("calibration", encoder.identity.sha256, name, origin)
        return self._once(key, lambda: encoder.encode(clouds([name]), up="y"))

    def _localize(
        self, session: Session, shape: Shape, encoder: ShapeEncoder, bank: KnownClasses, up: str, origin: str
    ) -> tuple[NoveltyMap, str]:
        """Where the shape is novel, and in words what its colors compare with."""
        known = session.known()
        generated = _generated(encoder, session.names)
        added = sum(len(own) for own in known.values())
        if not generated and (not all(known.values()) or added < 2):
            return localize(shape.cloud, bank, encoder=encoder, by="text", up=up), BY_TEXT
        patches = self._patches(known, encoder, origin if generated else None)
        plural = "s" if added > 1 else ""
        words = [f"{COMPARED} generated {origin}s of each class"] if generated else []
        words += [f"the {added} example{plural} that you added"] if added else []
        return localize(shape.cloud, patches, encoder=encoder, up=up), (
            f"Each patch of the shape is compared with the patches of {' and of '.join(words)}: gray is usual among "
            "them, dark red is like none of them."
        )

    def _patches(
        self, known: Mapping[str, tuple[Example, ...]], encoder: ShapeEncoder, origin: str | None
    ) -> KnownClasses:
        def made() -> KnownClasses:
            shapes = {
                name: [*(_compared(name, origin) if origin else ()), *(example.cloud for example in own)]
                for name, own in known.items()
            }
            memory = MemoryBank.from_examples(shapes, encoder, stage="local", up="y")
            return KnownClasses(tuple(shapes), encoder.identity, patches=memory)

        own = tuple((name, tuple(example.key for example in examples)) for name, examples in known.items())
        return self._once(("patches", encoder.identity.sha256, own, origin), made, room=BANKS)

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


def _kind(session: Session) -> str:
    having = [bool(own) for own in session.known().values()]
    return "names" if not any(having) else "examples" if all(having) else "both"


def _generated(encoder: ShapeEncoder, names: Sequence[str]) -> bool:
    """Whether known shapes of all classes can be generated, and mean something to the encoder."""
    return encoder.identity.checkpoint == "tiny" and can_generate(names)


def _compared(name: str, origin: str) -> list[np.ndarray]:
    """Generated shapes of a class, other ones than for calibration."""
    category, make = resolve(name) or name, scan if origin == SCAN else sample
    return [make(category, 2048, FIRST_COMPARED + i) for i in range(COMPARED)]


__all__ = ["AUTOMATIC", "METHODS", "ORIGINS", "SCANS", "Calibration", "Scorer", "Verdict"]
