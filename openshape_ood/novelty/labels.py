"""LabelSample: a sample of shapes to label. It is saved as a CSV table with one column to edit.

For a random sample, `kept_by` estimates the fraction of known shapes that a threshold keeps, and `threshold` makes a
new threshold. The most novel shapes are not a random sample, so their labels cannot be used for these methods.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import array, check_seed, check_whole, given_path
from openshape_ood.decisions.calibration import calibration_needed
from openshape_ood.decisions.drift import Share
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import FileError, InputError
from openshape_ood.storage import csv_cell, read_regular, save_whole

NOVEL, KNOWN = "novel", "known"
RANDOM, INFORMATIVE = FOCUSES = ("random", "informative")
COLUMNS = ("label", "shape", "nearest", "novelty", "row", "place", "drawn")
DRAWN = re.compile(r"(random|informative) (\d+) of (\d+), seed (\d+), (.+)")
LARGEST = 50_000_000  # maximum number of bytes of a label file


@dataclass(frozen=True, eq=False)
class LabelSample:
    """Shapes to label, from `NoveltyResult.to_label`.

    Attributes
    ----------
    shapes, nearest : tuple of n str
    novelty : (n,) float64
    rows : tuple of n int
        Indices of these shapes in the result.
    places : tuple of n int
        Indices of these shapes among the objects to draw from. They differ from `rows` only if the result has groups.
    of, seed : int
        Number of objects to draw from, and seed of the draw.
    focus : {"random", "informative"}
        "informative" means the most novel shapes. They are for naming, not for calibration.
    scored_by : str
        Method and encoder that gave the novelties.
    labels : tuple of n str, optional
        Label of each shape: a class name, "known" or "novel". "" means that the label is missing.

    Examples
    --------
    >>> from openshape_ood import score_novelty
    >>> from openshape_ood.synthetic import sample
    >>> shapes = [sample("chair", 500, seed) for seed in range(5)]
    >>> drawn = score_novelty(shapes, ["chair", "sofa"], model="tiny").to_label(2)
    >>> labeled = drawn.labeled({name: "chair" for name in drawn.shapes})
    >>> labeled.is_known.tolist()
    [True, True]
    """

    shapes: tuple[str, ...]
    nearest: tuple[str, ...]
    novelty: np.ndarray
    rows: tuple[int, ...]
    places: tuple[int, ...]
    of: int
    seed: int
    focus: str
    scored_by: str
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def is_random(self) -> bool:
        """True if the shapes are the ones that a random draw with this seed gives."""
        drawn = draw(self.of, len(self), self.seed)
        return self.focus == RANDOM and drawn.tolist() == sorted(self.places)

    def labeled(self, labels: Mapping[Any, str | None] | Sequence[str | None]) -> LabelSample:
        """Copy of the sample with labels.

        Parameters
        ----------
        labels : mapping or sequence of n
            A label is a class name, "known" or "novel"; None means "novel". A mapping gives the label for the name or
            the row of a shape. A sequence gives one label for each shape, in order.

        Raises
        ------
        InputError
            If a shape was not drawn, has two labels, or has none.
        """
        if not isinstance(labels, Mapping):
            count = len(labels) if isinstance(labels, Sized) and not isinstance(labels, str) else 1
            if count != len(self) or isinstance(labels, str):
                raise InputError(f"there are {count} labels. Expected {len(self)}, one per shape. Label all shapes.")
            labels = dict(zip(self.rows, labels, strict=True))
        by_row: dict[int, str] = {}
        for key, label in labels.items():
            place = self._place(key)
            name = NOVEL if label is None else str(label).strip()
            if by_row.setdefault(place, name) != name:
                raise InputError(
                    f"{self.shapes[place]} has the labels {by_row[place]!r} and {name!r}. Expected one per shape. "
                    "Remove one of them."
                )
        return replace(self, labels=tuple(by_row.get(i, "") for i in range(len(self)))).complete()

    def complete(self) -> LabelSample:
        """Return self. Raises `InputError` if a label is missing."""
        missing = [name for name, label in zip(self.shapes, self.labels or [""] * len(self), strict=True) if not label]
        if missing:
            raise InputError(
                f"{len(missing)} of {len(self)} shapes have no label; the first is {missing[0]}. "
                "Expected a class, 'known' or 'novel' for each shape. Label these too, even if they are hard to decide."
            )
        return self

    def check_classes(self, classes: Sequence[str]) -> LabelSample:
        """Return self. Raises `InputError` if a label is missing, or is not one of `classes`, "known" or "novel"."""
        other = [label for label in self.complete().labels if label not in {*classes, KNOWN, NOVEL}]
        if other:
            raise InputError(
                f"the label {other[0]!r} is not a known class. "
                f"Expected {', '.join(map(str, classes))}, 'known' or 'novel'. "
                "Correct the label, or add the class to the known classes."
            )
        return self

    @property
    def is_known(self) -> np.ndarray:
        """Mask (n,) of the shapes labeled as known. Raises `InputError` if a label is missing."""
        return np.array([label != NOVEL for label in self.complete().labels], dtype=bool)

    def kept_by(self, threshold: Threshold) -> Share | None:
        """Fraction of the shapes labeled as known that a threshold keeps. None if no shape has this label.

        Raises `InputError` if the sample is not random.
        """
        self._check_random()
        known = self.novelty[self.is_known]
        return Share(int((~threshold.is_novel(known)).sum()), len(known)) if len(known) else None

    def threshold(
        self, classes: Sequence[str], coverage: float = 0.95, provenance: Provenance | None = None
    ) -> Threshold:
        """Conformal threshold from the shapes labeled as known.

        Raises `InputError` if the sample is not random, a label is invalid or missing, or too few shapes are known.
        """
        self._check_random()
        known, needed = self.novelty[self.check_classes(classes).is_known], calibration_needed(coverage)
        if len(known) < needed:
            raise InputError(
                f"{len(known)} of {len(self)} labeled shapes are known. A coverage of {coverage:g} needs {needed}. "
                "Label more shapes, or choose a smaller coverage."
            )
        source = f"{len(known)} known of {len(self)} labeled shapes"
        return Threshold.from_novelty(known, coverage, provenance=provenance, source=source)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a .csv table to edit. Fill in the column `label` with a class name, "known" or "novel".

        Raises `FileError` if writing fails.
        """
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(COLUMNS)
        drawn = f"{self.focus} {len(self)} of {self.of}, seed {self.seed}, {self.scored_by}"
        labels = self.labels or ("",) * len(self)
        for row in zip(labels, self.shapes, self.nearest, self.novelty.tolist(), self.rows, self.places, strict=True):
            writer.writerow([*map(csv_cell, row), drawn])
        return save_whole(path, buffer.getvalue().encode("utf-8", "surrogateescape"), "the labels")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LabelSample:
        """Read a table that `save` wrote, after editing. Raises `FileError` for any other file."""
        path = given_path(path, "path")
        try:
            content = read_regular(path)
            if len(content) > LARGEST:
                raise ValueError(f"it has more than {LARGEST:,} bytes")
            rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig", "surrogateescape"))))
            (drawn,) = {row["drawn"] for row in rows}
            focus, n, of, seed, scored_by = DRAWN.fullmatch(drawn).groups()  # type: ignore[union-attr]
            numbers = {name: tuple(int(row[name]) for row in rows) for name in ("row", "place")}
            novelty = array([float(row["novelty"]) for row in rows], "novelty", "n").astype(np.float64)
            texts = {name: tuple((row[name] or "").strip() for row in rows) for name in ("label", "shape", "nearest")}
            if len(set(numbers["place"])) != len(rows) or len(rows) != int(n):
                raise InputError(f"it has {len(rows)} rows for {n} shapes")
        except OSError as error:
            raise FileError(
                f"cannot read the labels {path} ({error.strerror or error}). Expected a .csv table. Check the path."
            ) from error
        except (InputError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
            raise FileError(
                f"{path} is not a table of labels ({str(error).rstrip('.')}). Expected a table that to_label(...).save "
                "or --label wrote, with all its rows. Edit only the column label."
            ) from error
        rows_of = numbers["row"], numbers["place"]
        names = (texts["shape"], texts["nearest"])
        return cls(*names, novelty, *rows_of, int(of), int(seed), focus, scored_by, texts["label"])

    def _place(self, key: Any) -> int:
        matches = [i for i, (name, row) in enumerate(zip(self.shapes, self.rows, strict=True)) if key in (name, row)]
        if len(matches) == 1 and not isinstance(key, bool):
            return matches[0]
        if len(matches) > 1:
            rows = ", ".join(str(self.rows[i]) for i in matches[:3])
            raise InputError(
                f"{key!r} is the name of {len(matches)} shapes. Expected one shape. Give its row: {rows}, ..."
            )
        raise InputError(
            f"{key!r} is not in the sample. Expected one of {', '.join(self.shapes[:3])}, ... Give its name or its row."
        )

    def _check_random(self) -> None:
        if not self.is_random:
            why = "was chosen for naming" if self.focus == INFORMATIVE else "is not the one that was drawn"
            raise InputError(
                f"this sample {why}, so it does not represent the other shapes. Expected a random sample from "
                "to_label(n). Draw one, and label all of it."
            )


def check_sample(labels: Any) -> None:
    """Raise `InputError` if the value is not a `LabelSample`."""
    if not isinstance(labels, LabelSample):
        raise InputError(
            f"labels is a {type(labels).__name__}. Expected a LabelSample from result.to_label(n). "
            "Give to_label(n).labeled({name: class})."
        )


def draw(of: int, n: int, seed: int) -> np.ndarray:
    """Random indices (n,) below `of`, sorted and without repetition."""
    drawn: np.ndarray = np.sort(np.random.RandomState(check_seed(seed)).permutation(of)[:n])
    return drawn


def scored_by(provenance: Provenance) -> str:
    """Method and encoder on one line."""
    return f"{provenance.method} by {provenance.identity.checkpoint} {provenance.identity.sha256[:8]}".strip()


def check_size(n: Any, of: int) -> int:
    """Validated number of shapes to draw. Raises `InputError` for more than `of`."""
    if check_whole(n, "n") > of:
        raise InputError(f"n is {n}, there are {of} shapes to draw from. Expected at most {of}. Score more shapes.")
    return int(n)
