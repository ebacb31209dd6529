"""KnownClasses: embeddings of the known classes, the input of every method."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from openshape_ood.checks import check_names, check_settings, grouped, unit, unit_or_zero
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.protocols import Embeddings, Encoder, Identity, NamesEncoder, Provenance
from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError
from openshape_ood.known.examples import ENCODING, Axes, check_examples, embedded
from openshape_ood.known.memory import MEMORY, MemoryBank, joined_memory
from openshape_ood.registry.sharing import Shared, shared_path
from openshape_ood.storage import loaded_arrays, save_arrays

ARRAYS = ("text", "negatives", "examples", "labels")
KIND = "set of known classes"


@dataclass(frozen=True, eq=False)
class KnownClasses(Shared):
    """k known classes: their names, with embeddings of the names, of example shapes, or of both.

    Attributes
    ----------
    names : tuple of k str
    identity : Identity
        Encoder of all embeddings in this object.
    text : (k, d) float, optional
        Unit embedding of the name of each class.
    negatives : (j, d) float, optional
        Unit embeddings of negative words, which name other things (NegLabel, arXiv 2403.20078).
    examples : (m, d) float, optional
        Embeddings of example shapes.
    labels : (m,) int64, optional
        Class of each example, an index into the names. Without `text`, every class has examples.
    patches : MemoryBank, optional
        Patches of the example shapes.
    temperature : float, optional
        Divisor of the cosines between shapes and text in the training of the encoder; None if unknown.
    threshold : Threshold, optional
        Default threshold. Modified classes, for example from `join`, have none.
    marks : Threshold, optional
        Default threshold of novelty maps, from `calibrate_marks` for these classes.
    """

    names: tuple[str, ...]
    identity: Identity
    text: np.ndarray | None = None
    negatives: np.ndarray | None = None
    examples: np.ndarray | None = None
    labels: np.ndarray | None = None
    patches: MemoryBank | None = None
    temperature: float | None = None
    threshold: Threshold | None = None
    marks: Threshold | None = None
    shared_file: ClassVar[str] = "known.safetensors"

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, revision: str = "main") -> KnownClasses:
        """Load known classes from a folder of `save_pretrained`, or from a Hub repository "owner/name".

        Raises `FileError` if the file has no known classes, else the same errors as `ShapeEncoder.from_pretrained`.
        """
        return cls.load(shared_path(name, cls.shared_file, revision))

    def card_facts(self) -> dict[str, Any]:
        """Rows of the model card."""
        names = [*self.names[:50], *(["…"] if len(self.names) > 50 else [])]
        patches = None if self.patches is None else self.patches.features
        rows = {"names": self.text, "examples": self.examples, "patches": patches}
        return {
            "title": f"{len(self.names)} known classes",
            "classes": names,
            "embeddings": [f"{len(one)} of {what}" for what, one in rows.items() if one is not None],
            "encoder": f"{self.identity.checkpoint} (sha256 {self.identity.sha256 or 'not stated'})",
            "threshold": self.threshold.describe() if self.threshold else "none",
        }

    @classmethod
    def from_names(
        cls,
        names: Sequence[str],
        text: NamesEncoder,
        *,
        negatives: Sequence[str] = (),
        temperature: float | None = None,
    ) -> KnownClasses:
        """Known classes by name.

        Parameters
        ----------
        names : sequence of k str
        text : NamesEncoder
            A `TextEncoder`, or any other object that encodes names.
        negatives : sequence of str
            Words for other things. Only the half that is least similar to the names is used, as in NegLabel.
        temperature : float, optional
            `encoder.temperature` of the shape encoder. A text encoder has no temperature.

        Raises
        ------
        ClassNamesError
            If there are no names, or a name is blank or occurs twice.
        """
        names = check_names(names)
        if isinstance(text, str) or hasattr(text, "spec"):
            raise InputError(f"text is {text!r}. Expected a TextEncoder. Give TextEncoder.from_pretrained(...).")
        vectors = unit(text.encode(names), "the text embedding of", names)
        words = _farther_half(vectors, check_names(negatives), text) if len(negatives) else None
        return cls(names, replace(text.identity, sha256=""), vectors, words, temperature=temperature)

    @classmethod
    def from_examples(
        cls,
        examples: Mapping[str, Any],
        encoder: Encoder,
        *,
        up: Axes = "file",
        patches: str | None = None,
        **settings: Any,
    ) -> KnownClasses:
        """Known classes by example.

        Parameters
        ----------
        examples : mapping from k names
            Example shapes of each class, in any form that `encode` takes, or their embeddings (m, d).
        encoder : Encoder
        up : str, sequence of str, or mapping
            Gravity axis of the example shapes: one axis for all, a sequence with the axis of each example, or a mapping
            from each class to such a sequence.
        patches : str, optional
            Stage of the patches to store, "local" or "tokens". Patches need shapes as examples, not embeddings.
            Default: no patches.
        **settings
            `seed`, `num_samples`, `batch_size` and `progress`, as in `encode`.

        Examples
        --------
        >>> from openshape_ood import ShapeEncoder
        >>> from openshape_ood.synthetic import sample
        >>> shapes = {"chair": [sample("chair", 500, seed) for seed in range(3)], "lamp": sample("lamp", 500, seed=0)}
        >>> known = KnownClasses.from_examples(shapes, ShapeEncoder.from_pretrained("tiny"))
        >>> known.examples.shape, known.labels.tolist()
        ((4, 192), [0, 0, 0, 1])
        """
        names = check_examples(examples)
        check_settings(settings, ENCODING, "KnownClasses.from_examples")
        rows_of_class = [embedded(examples[name], name, encoder, up, settings) for name in names]
        labels = np.repeat(np.arange(len(names)), [len(rows) for rows in rows_of_class])
        memory = None
        if patches is not None:
            memory = MemoryBank.from_examples(examples, encoder, stage=patches, up=up, **settings)
        rows = np.concatenate(rows_of_class)
        known = cls(names, encoder.identity, None, None, rows, labels, memory, encoder.temperature)
        unit(known.anchors, "the mean example of", names)  # raises if the mean of the examples is zero
        return known

    @classmethod
    def from_both(
        cls,
        names: Sequence[str],
        examples: Mapping[str, Any],
        encoder: Encoder,
        text: NamesEncoder,
        *,
        up: Axes = "file",
        patches: str | None = None,
        **settings: Any,
    ) -> KnownClasses:
        """Known classes by name, with examples for some or all of them.

        The parameters are as in `from_names` and `from_examples`. Raises `ClassNamesError` if a class with examples is
        not among the names.
        """
        check_settings(settings, ENCODING, "KnownClasses.from_both")
        by_name = cls.from_names(names, text)
        unknown = [name for name in check_examples(examples) if name not in by_name.names]
        if unknown:
            raise ClassNamesError(
                f"there are examples of {', '.join(map(repr, unknown))}. Expected examples of named classes only: "
                f"{', '.join(map(repr, by_name.names))}. Add the name, or leave these examples out."
            )
        shown = cls.from_examples(examples, encoder, up=up, patches=patches, **settings)
        by_name.check_fits(shown.identity)
        return shown.relabeled(by_name.names, [by_name.names.index(name) for name in shown.names], by_name.text)

    @classmethod
    def from_embeddings(
        cls, vectors: Any, labels: Sequence[str], identity: Identity, *, temperature: float | None = None
    ) -> KnownClasses:
        """Known classes from ready embeddings (m, d) and the class name of each (m,). Classes are sorted by name.

        Raises `InputError` for rows that are zero or not finite, and for invalid labels.
        """
        ready = Embeddings(vectors, identity)
        classes, index = grouped(labels, ready.vectors)
        unit(ready.vectors, "the embedding in")  # raises for zero rows
        return cls(check_names(classes), identity, examples=ready.vectors, labels=index, temperature=temperature)

    def __getstate__(self) -> dict[str, Any]:
        """State for pickle: the fields, without cached values."""
        return {field.name: self.__dict__[field.name] for field in fields(self)}

    def __repr__(self) -> str:
        patches = None if self.patches is None else self.patches.features
        tables = {"names": self.text, "examples": self.examples, "patches": patches}
        counts = ", ".join(f"{len(rows)} {what}" for what, rows in tables.items() if rows is not None)
        return f"KnownClasses({', '.join(self.names[:4])}{', …' * (len(self.names) > 4)}: {counts} of {self.identity})"

    @property
    def dim(self) -> int:
        return self.labeled_examples()[0].shape[1] if self.text is None else self.text.shape[1]

    def labeled_examples(self) -> tuple[np.ndarray, np.ndarray]:
        """Examples (m, d) and their classes (m,). Raises `InputError` if the classes have only names."""
        if self.examples is None or self.labels is None:
            raise InputError(
                f"the known classes of {self.identity} have only names. Expected example shapes. "
                "Make the classes with KnownClasses.from_examples."
            )
        return self.examples, self.labels

    @cached_property
    def shown(self) -> np.ndarray:
        """Classes with examples, as indices (p,) into the names."""
        return np.empty(0, dtype=np.int64) if self.labels is None else np.unique(self.labels)

    @cached_property
    def anchors(self) -> np.ndarray:
        """Unit vector (k, d) of each class: its normalized mean example, or else the embedding of its name."""
        if self.examples is None or self.labels is None:
            if self.text is None:
                raise InputError(
                    f"known classes of {self.identity} have neither embeddings of names nor examples. Expected one of "
                    "them. Make the classes with from_names or from_examples."
                )
            return self.text
        anchors = np.zeros((len(self.names), self.dim)) if self.text is None else self.text.astype(np.float64)
        for c in self.shown:
            anchors[c] = unit_or_zero(unit_or_zero(self.examples[self.labels == c]).mean(axis=0)[None])[0]
        return anchors

    def normalized(self) -> KnownClasses:
        """Copy with examples as unit vectors in float64. Returns self if all lengths are 1 to within 1e-6.

        Examples
        --------
        >>> known = KnownClasses.from_embeddings([[3.0, 4.0]], ["chair"], Identity("mine", "mine"))
        >>> known.normalized().examples.tolist()
        [[0.6, 0.8]]
        """
        if self.examples is None or np.allclose(np.linalg.norm(self.examples, axis=1), 1, rtol=0, atol=1e-6):
            return self
        return replace(self, examples=unit_or_zero(self.examples))

    def with_temperature(self, temperature: float | None) -> KnownClasses:
        """Copy with a temperature, if these classes have none. The copy is cached, so its fitted scorers are reused."""
        if temperature is None or self.temperature is not None:
            return self
        made = self.__dict__.get("_warm")
        if made is None or made.temperature != temperature:
            made = self.__dict__["_warm"] = replace(self, temperature=temperature)
        return made

    def check_fits(self, identity: Identity) -> None:
        """Raise `MixedEncodersError` if these classes come from another encoder than `identity`."""
        self.identity.check_fits(identity)

    def subset(self, kept: np.ndarray) -> KnownClasses:
        """Copy with only the examples of a mask (m,), without patches. Classes without examples are dropped."""
        examples, labels = self.labeled_examples()
        names, index = np.unique(labels[kept], return_inverse=True)
        kept_names = tuple(self.names[i] for i in names)
        text = None if self.text is None else self.text[names]
        return replace(
            self, names=kept_names, text=text, examples=examples[kept], labels=index, patches=None, threshold=None,
            marks=None,
        )  # fmt: skip

    def relabeled(self, names: tuple[str, ...], places: Sequence[int], text: np.ndarray | None) -> KnownClasses:
        """Copy with other names. Class i of this object becomes the class `places[i]` among the new names."""
        index = np.asarray(places)
        memory = self.patches and replace(self.patches, labels=index[self.patches.labels])
        labels = None if self.labels is None else index[self.labels]
        cleared: dict[str, Any] = {"threshold": None, "marks": None}
        return replace(self, names=names, text=text, labels=labels, patches=memory, **cleared)

    def with_examples(
        self, examples: Mapping[str, Any], encoder: Encoder, *, up: Axes = "file", **settings: Any
    ) -> KnownClasses:
        """Copy with more examples. A class that had only a name can get its first examples.

        Parameters
        ----------
        examples : mapping
            Shapes, or their embeddings (m, d), for names of known classes, as in `from_examples`.
        encoder : Encoder
            Encoder of these classes.
        up, **settings
            As in `from_examples`.

        Returns
        -------
        KnownClasses
            It has no threshold, because a threshold holds only for the examples that made it. It has patches if these
            classes have patches.

        Raises
        ------
        ClassNamesError
            For an unknown class. To add classes, use `join`.
        MixedEncodersError
            For another encoder.

        Examples
        --------
        >>> from openshape_ood import ShapeEncoder
        >>> from openshape_ood.synthetic import sample
        >>> encoder = ShapeEncoder.from_pretrained("tiny")
        >>> shapes = {name: sample(name, 500, seed=0) for name in ("chair", "lamp")}
        >>> known = KnownClasses.from_examples(shapes, encoder)
        >>> known.with_examples({"lamp": [sample("lamp", 500, 1), sample("lamp", 500, 2)]}, encoder).labels.tolist()
        [0, 1, 1, 1]
        """
        stage = None if self.patches is None else self.patches.stage
        unknown = [name for name in check_examples(examples) if name not in self.names]
        if unknown:
            raise ClassNamesError(
                f"there are examples of {', '.join(map(repr, unknown))}. Expected examples of known classes only: "
                f"{', '.join(map(repr, self.names))}. To add classes, use KnownClasses.join."
            )
        self.check_fits(encoder.identity)
        made = KnownClasses.from_examples(examples, encoder, up=up, patches=stage, **settings)
        made = made.relabeled(self.names, [self.names.index(name) for name in made.names], None)
        rows, labels = made.labeled_examples()
        if self.examples is not None and self.labels is not None:
            rows, labels = np.concatenate([self.examples, rows]), np.concatenate([self.labels, labels])
        memory = joined_memory([one.patches for one in (self, made) if one.patches is not None])
        known = replace(
            self, identity=encoder.identity, examples=rows, labels=labels, patches=memory, threshold=None, marks=None,
            temperature=made.temperature if self.temperature is None else self.temperature,
        )  # fmt: skip
        unit(known.anchors, "the mean example of", self.names)  # raises if the mean of the examples is zero
        return known

    def with_threshold(self, threshold: Threshold) -> KnownClasses:
        """Copy with a threshold, which `save` stores too.

        Raises `MixedEncodersError` for a threshold of another encoder.
        """
        check_threshold(threshold)
        if threshold.provenance is not None:
            self.check_fits(threshold.provenance.identity)
        return replace(self, threshold=threshold)

    def with_marks(self, threshold: Threshold) -> KnownClasses:
        """Copy with a threshold of novelty maps from `calibrate_marks`, which `save` stores too.

        Raises `InputError` for a threshold of shapes, `MixedEncodersError` for a threshold of another encoder.
        """
        check_threshold(threshold)
        if threshold.marks is None or threshold.provenance is None:
            raise InputError(
                f"the threshold is {threshold}. Expected a threshold of maps. Make one with calibrate_marks(maps), or "
                "give this one to with_threshold."
            )
        self.check_fits(threshold.provenance.identity)
        return replace(self, marks=threshold)

    def marks_for(self, provenance: Provenance) -> Threshold | None:
        """Threshold of maps, if it was made with this encoder and method; else None."""
        return self.marks if self.marks is not None and self.marks.fits(provenance) else None

    def save(self, path: str | os.PathLike[str], note: Mapping[str, Any] | None = None) -> Path:
        """Write a .safetensors file atomically. Raises `FileError` if writing fails.

        `note` has additional values that JSON can store. `load` ignores them, and `read_note` returns them.
        """
        arrays = {name: getattr(self, name) for name in ARRAYS if getattr(self, name) is not None}
        header: dict[str, Any] = {"names": self.names, "identity": asdict(self.identity)}
        header |= {"temperature": self.temperature, "threshold": self.threshold and self.threshold.state()}
        if self.marks is not None:
            header["marks"] = self.marks.state()
        if note is not None:
            header["note"] = dict(note)
        if self.patches is not None:
            arrays |= {f"patches.{name}": getattr(self.patches, name) for name in MEMORY}
            header["patches"] = {"stage": self.patches.stage, "radius": self.patches.radius}
        return save_arrays(path, arrays, header, KIND)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KnownClasses:
        """Read a file that `save` wrote. Raises `FileError` for any other file. No code in the file is executed."""
        with loaded_arrays(path, KIND) as (header, arrays):
            tables: dict[str, Any] = {name: a for name, a in arrays.items() if not name.startswith("patches.")}
            memory: dict[str, Any] = {n.removeprefix("patches."): a for n, a in arrays.items() if n not in tables}
            unknown = sorted({*tables} - {*ARRAYS} | {*memory} - {*MEMORY})
            if unknown:
                raise ValueError(f"it contains {', '.join(unknown)}; expected {', '.join(ARRAYS)}, and patches")
            temperature, threshold, about = header["temperature"], header.get("threshold"), header.get("patches")
            if about is not None:
                about = {**about, "radius": float(about["radius"])}
            known = cls(
                names=check_names(header["names"]),
                identity=Identity(**{field: str(value) for field, value in header["identity"].items()}),
                patches=MemoryBank(**memory, **about) if memory else None,
                temperature=None if temperature is None else float(temperature),
                **tables,
            )
            _check_state(known)
            if threshold is not None:
                known = known.with_threshold(Threshold.from_state(threshold))
            marks = header.get("marks")  # missing in older files
            return known if marks is None else known.with_marks(Threshold.from_state(marks))

    @classmethod
    def join(cls, *several: KnownClasses) -> KnownClasses:
        """Union of several sets of classes, in order.

        All sets must have embeddings of the same kinds: of examples, of names, or of both. A negative word that is the
        name of a class in another set is dropped. The result has no threshold, because a threshold holds only for the
        classes that it was made with.

        Raises
        ------
        MixedEncodersError, ClassNamesError
            If sets belong to different encoders, or a class occurs twice.
        """
        if not several:
            raise InputError("there are no known classes to join. Expected at least one set. Give one or more.")
        _check_joinable(several)
        starts = np.cumsum([0, *(len(one.names) for one in several)])
        names = tuple(name for one in several for name in one.names)
        moved = [
            one.relabeled(names, start + np.arange(len(one.names)), one.text)
            for one, start in zip(several, starts, strict=False)
        ]
        arrays: dict[str, Any] = {}
        for name in ARRAYS:
            filled = [getattr(one, name) for one in moved if getattr(one, name) is not None]
            arrays[name] = np.concatenate(filled) if filled else None
        temperatures = [one.temperature for one in several if one.temperature is not None]
        memory = joined_memory([one.patches for one in moved if one.patches is not None])
        if arrays["negatives"] is not None and arrays["text"] is not None:
            kept = ~_same(arrays["negatives"], arrays["text"])
            arrays["negatives"] = arrays["negatives"][kept] if kept.any() else None
        return cls(names, several[0].identity, patches=memory, temperature=next(iter(temperatures), None), **arrays)


def read_note(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Note that `KnownClasses.save` wrote; empty if there is none. Raises `FileError` for any other file."""
    with loaded_arrays(path, KIND) as (header, _):
        return dict(header.get("note") or {})


def _same(words: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Mask (j,) of the unit vectors in `words` (j, d) that equal a vector in `anchors` (k, d)."""
    return (words @ anchors.T).max(axis=1) >= 1 - 1e-6


def _farther_half(anchors: np.ndarray, words: Sequence[str], text: NamesEncoder) -> np.ndarray:
    """Unit embeddings (j, d) of the half of the words that is farthest from the classes (k, d).

    The distance is 1 minus the largest cosine with a class. Words that name a class are never in the result.
    """
    with warnings.catch_warnings():
        # no warning about words that the text encoder hardly knows; a poor negative word does no harm
        warnings.simplefilter("ignore")
        vectors = unit(text.encode(words), "the text embedding of", words)
    best = (vectors @ anchors.T).max(axis=1)
    kept = (best <= np.median(best)) & ~_same(vectors, anchors)
    if not kept.any():
        raise ClassNamesError(
            "every negative word is the name of a known class. Expected words for other things. Give more words."
        )
    return vectors[kept]


def _check_state(known: KnownClasses) -> None:
    """Raise `ValueError` for arrays that do not fit the names or each other."""
    k = len(known.names)
    if known.text is None and known.examples is None:
        raise ValueError("it contains neither embeddings of names nor examples")
    d = known.dim
    _check_labels("labels", known.labels, k)
    if (known.labels is None) != (known.examples is None):
        raise ValueError("examples and labels do not fit each other")
    m = 0 if known.labels is None else len(known.labels)
    expected = {"text": (k, d), "examples": (m, d), "negatives": (None, d)}
    for name, shape in expected.items():
        rows = getattr(known, name)
        if rows is not None:
            _check_rows(name, rows, shape)
            _check_length(name, rows)
    if known.text is None and len(known.shown) != k:
        raise ValueError("there are classes with neither name nor examples")
    if known.patches is not None:
        n = len(known.patches.features)
        _check_rows("patches", known.patches.features, (n, None))
        _check_length("patches", known.patches.features)
        _check_rows("centers", known.patches.centers, (n, 3))
        _check_labels("patch labels", known.patches.labels, k, n)
        _check_labels("patch shapes", known.patches.shapes, n, n)
        if not 0 < float(known.patches.radius) < np.inf or not isinstance(known.patches.stage, str):
            raise ValueError("its patches have no radius or stage")
    if known.temperature is not None and not 0 < known.temperature < np.inf:
        raise ValueError(f"its temperature is {known.temperature}")


def _check_joinable(several: Sequence[KnownClasses]) -> None:
    """Raise an error if the sets cannot be joined.

    `InputError`: an argument is not a `KnownClasses`. `MixedEncodersError` or `ClassNamesError`: sets conflict.
    """
    for one in several:
        if not hasattr(one, "identity") or not hasattr(one, "names"):
            raise InputError(
                f"cannot join {one!r:.60}, a {type(one).__name__}. Expected KnownClasses. "
                "Give each set as a separate argument."
            )
    first = several[0]
    for other in several[1:]:
        first.check_fits(other.identity)
        if _kind(first) != _kind(other):
            raise MixedEncodersError(
                f"cannot join known classes of {first.identity}, with embeddings of {first.dim} numbers, and of "
                f"{other.identity}, with {other.dim} numbers. Expected one encoder, and embeddings of the same kinds: "
                "of examples, of names, or of both. Prepare both sets alike."
            )
    names = [name for one in several for name in one.names]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ClassNamesError(
            f"more than one set contains {', '.join(map(repr, twice))}. Expected each class once. "
            "Rename or remove one of them."
        )
    temperatures = sorted({one.temperature for one in several if one.temperature is not None})
    if len(temperatures) > 1:
        raise MixedEncodersError(
            f"the sets have the temperatures {temperatures}. Expected the temperature of one encoder. "
            "Prepare all sets with the same encoder."
        )
    stages = sorted({one.patches.stage for one in several if one.patches is not None})
    if len(stages) > 1:
        raise MixedEncodersError(
            f"the sets have patches of the stages {', '.join(stages)}. Expected one stage. "
            "Prepare all sets with the same stage."
        )


def _kind(known: KnownClasses) -> tuple[int, bool, bool]:
    return known.dim, known.text is None, bool(known.identity.sha256)


def _check_rows(name: str, rows: np.ndarray, shape: tuple[int | None, ...]) -> None:
    fits = rows.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, rows.shape, strict=True))
    if not fits or rows.dtype.kind != "f" or not np.isfinite(rows).all():
        raise ValueError(f"{name} is {rows.shape} {rows.dtype}; expected finite numbers {shape}")


def _check_length(name: str, rows: np.ndarray) -> None:
    length = np.linalg.norm(rows, axis=-1)
    if name == "examples":  # examples may have any length above 0
        if not (length > 0).all():
            raise ValueError("examples contain a row of zeros")
    elif not np.allclose(length, 1, atol=1e-3):
        raise ValueError(f"{name} are not unit vectors")


def _check_labels(name: str, labels: np.ndarray | None, k: int, n: int | None = None) -> None:
    if labels is None:
        return
    if labels.ndim != 1 or labels.dtype.kind != "i" or (n is not None and len(labels) != n):
        raise ValueError(f"{name} are not one whole number per row")
    if len(labels) and not 0 <= labels.min() <= labels.max() < k:
        raise ValueError(f"{name} are not all from 0 to {k - 1}")
