"""localize: novelty of every point of a shape, with baseline and threshold from known shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_whole, originals, words
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.protocols import NamesEncoder, PatchEncoder, Provenance, check_encoders
from openshape_ood.errors import ClassNamesError, CloudError, InputError
from openshape_ood.known import KnownClasses, MemoryBank, check_examples, check_names, check_patches
from openshape_ood.novelty_map.result import Elements, NoveltyMap, PatchNovelty
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.shapes.points import check_up, in_frame, resample, resampled_size
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

BY = ("local", "tokens", "text")
BLOCK = 1 << 13  # number of points interpolated at once
COMPARED = 32  # maximum number of shapes to compare with all others; more take time and hardly change the result
COVERAGE = 0.95

_MEASURED: WeakKeyDictionary[MemoryBank, tuple[float, Threshold]] = WeakKeyDictionary()


def localize(
    shape: Any,
    known: Mapping[str, Any] | Sequence[str] | KnownClasses,
    *,
    encoder: PatchEncoder | None = None,
    text: NamesEncoder | None = None,
    model: str | None = None,
    by: str | None = None,
    up: str = "file",
    known_up: str | None = None,
    threshold: Threshold | None = None,
    device: Any = None,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
) -> NoveltyMap:
    """Locate the novelty of a shape: novelty and nearest known class of every point.

    The encoder divides the shape into patches. The novelty of a patch is 1 - cosine with the nearest patch of the
    examples, or with the nearest name. The values of the patches are interpolated to the points, weighted by distance.

    Parameters
    ----------
    shape : array (n, 3|6), path or trimesh object
        One shape, in any form that `ShapeEncoder.encode` takes.
    known : mapping, KnownClasses or list of names
        Mapping from names to example shapes. If a class has only a name (None), its parts look novel. A list of names
        gives much less precise maps. For repeated calls use `KnownClasses.from_examples(..., patches="local")`, which
        can be saved.
    encoder, model, device
        Any `PatchEncoder`, or the checkpoint `model` on `device`.
    text : NamesEncoder, optional
        Text encoder for names. Default: the one of the encoder's checkpoint.
    by : {"local", "tokens", "text"}, optional
        Features to compare. "local": features that depend only on the patch. "tokens": features after the transformer.
        "text": projected tokens, which are compared with the names. Default: the stage of the stored patches; else
        "local" for examples and "text" for names.
    up, known_up : str
        Gravity axis of the shape and of the examples: "y", "z" or "x" with an optional "-", or "file". "file" is the
        axis that each file states; y if it states none. Default of `known_up`: `up`.
    threshold : Threshold, optional
        Threshold of points, for example from `calibrate_marks`. Default: the threshold that the known classes have from
        `with_marks`. Else, for examples: the 95 % quantile of the novelty of their patches, each shape compared with
        the others. For names there is no default.
    seed, batch_size, progress
        As in `ShapeEncoder.encode`.

    Returns
    -------
    NoveltyMap
        Map of the n points of the shape, in the frame and units of the shape. The baseline is the median novelty of the
        examples, each compared with the others. For names there is no baseline.

    Raises
    ------
    InputError
        For invalid values. Also if no known class has two different examples.
    MixedEncodersError
        If the threshold belongs to another encoder or to other features.

    References
    ----------
    PatchCore, arXiv 2106.08265; OpenPatch, arXiv 2310.03388.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> from openshape_ood.synthetic.planted import plant
    >>> examples = {"chair": [sample("chair", 1024, seed) for seed in range(10)]}
    >>> chair = plant("chair", "guitar", points=1024, seed=3)  # with a guitar for a back
    >>> found = localize(chair.cloud, examples, model="tiny")
    >>> bool(found.novelty[chair.foreign].mean() > found.novelty[~chair.foreign].mean())
    True
    """
    listed = list_shapes(shape)
    if len(listed) != 1:
        raise CloudError(f"there are {len(listed)} shapes. Expected one. For several, use localize_many.")
    how = {"seed": seed, "batch_size": batch_size, "progress": progress}
    ups = resolve_ups(up if up == "file" else check_up(up), listed)
    compared = _Compared.of(known, encoder, text, model, by, up, known_up, threshold, device, how)
    return next(compared.maps(listed, ups, up, seed, 1))


def localize_many(
    shapes: Any,
    known: Mapping[str, Any] | Sequence[str] | KnownClasses,
    *,
    encoder: PatchEncoder | None = None,
    text: NamesEncoder | None = None,
    model: str | None = None,
    by: str | None = None,
    up: str | Sequence[str] = "file",
    known_up: str | None = None,
    threshold: Threshold | None = None,
    device: Any = None,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
) -> Iterator[NoveltyMap]:
    """Novelty maps of many shapes. Results and errors are as in `localize`.

    Parameters
    ----------
    shapes : shapes
        b shapes, in any form that `ShapeEncoder.encode` takes. They are read and encoded `batch_size` at a time.
    up : str or sequence of str
        As in `localize`, or one axis per shape. If there is one axis per shape, example shapes require `known_up`.
    known, encoder, text, model, by, known_up, threshold, device, seed, batch_size, progress
        As in `localize`.

    Returns
    -------
    iterator of NoveltyMap
        One map per shape, in order. At most one batch is in memory.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> chairs = [sample("chair", 500, seed) for seed in range(4)]
    >>> [len(found) for found in localize_many(chairs[2:], {"chair": chairs[:2]}, model="tiny")]
    [500, 500]
    """
    listed = list_shapes(shapes)
    how = {"seed": seed, "batch_size": check_whole(batch_size, "batch_size"), "progress": progress}
    ups, given_up = resolve_ups(up, listed), up if isinstance(up, str) else ", ".join(dict.fromkeys(up))
    if not isinstance(up, str) and known_up is None and isinstance(known, Mapping):
        raise InputError("up is one axis per shape. Expected an axis for the example shapes too. Give known_up.")
    compared = _Compared.of(known, encoder, text, model, by, given_up, known_up, threshold, device, how)
    return compared.maps(listed, ups, given_up, seed, batch_size)


@dataclass(frozen=True, eq=False)
class _Compared:
    """Known classes in the form for comparison.

    `rows` (m, w) are features of patches, or embeddings of class names. Their classes are `classes[owners]`. `half` is
    the median novelty of known patches, the baseline of the maps.
    """

    encoder: Any
    by: str
    rows: np.ndarray
    owners: np.ndarray
    classes: np.ndarray
    half: float = float("nan")
    threshold: Threshold | None = None

    @classmethod
    def of(
        cls,
        known: Any,
        encoder: Any,
        text: NamesEncoder | None,
        model: str | None,
        by: str | None,
        up: str,
        known_up: str | None,
        given: Threshold | None,
        device: Any,
        how: Mapping[str, Any],
    ) -> _Compared:
        by = _check_by(by, known)
        if given is not None:
            check_threshold(given)
        if known_up is not None and isinstance(known, KnownClasses):
            why = "known_up is given with ready KnownClasses. Expected known_up only with example shapes"
            raise InputError(f"{why}. Leave it out.")
        check_encoders(encoder, text, ("identity",))
        others = [known.identity] if isinstance(known, KnownClasses) else []
        encoders = Encoders(model, encoder, text, device=device, others=others)
        encoder = encoders.shape
        check_patches(encoder)
        if not isinstance(known, KnownClasses):
            read = {"up": up if known_up is None else known_up, **how}
            known = _gathered(known, by, encoders, read)
        known.check_fits(encoder.identity)
        provenance = Provenance(encoder.identity, by, version=__version__)
        if given is not None:
            given.check_fits(provenance)
        marks = given or known.marks_for(provenance)
        if by == "text" or known.patches is None:
            owners = np.arange(len(known.names))
            return cls(encoder, by, known.text, owners, words(known.names), threshold=marks)
        half, threshold = baseline(known.patches)
        threshold = marks or replace(threshold, provenance=provenance)
        shown, owners = np.unique(known.patches.labels, return_inverse=True)  # classes that have patches
        return cls(encoder, by, known.patches.features, owners, words(known.names)[shown], half, threshold)

    def maps(
        self, shapes: Sequence[Shape], ups: Sequence[str], given_up: str, seed: int, batch_size: int
    ) -> Iterator[NoveltyMap]:
        stage: Any = "projected" if self.by == "text" else self.by
        for start in range(0, len(shapes), batch_size):
            some, axes = shapes[start : start + batch_size], ups[start : start + batch_size]
            clouds = [one.cloud(self.encoder.spec.count, seed) for one in some]
            patches = self.encoder.encode_patches(clouds, up=axes, batch_size=len(some), seed=seed, stage=stage)
            for i, (one, cloud, up) in enumerate(zip(some, clouds, axes, strict=True)):
                radius = float(np.broadcast_to(patches.radius, len(some))[i])
                novelty_map = self._map(cloud, up, patches.features[i], patches.centers[i], radius, seed)
                provenance = Provenance(self.encoder.identity, self.by, given_up, seed, version=__version__)
                yield replace(novelty_map, name=one.path or one.name, provenance=provenance)

    def _map(
        self, cloud: np.ndarray, up: str, features: np.ndarray, centers: np.ndarray, radius: float, seed: int
    ) -> NoveltyMap:
        distance, index = nearest(features, self.rows)
        novelty, labels = distance[:, 0], self.owners[index[:, 0]]
        # points in the frame of the encoder, like the patches
        spec = self.encoder.spec
        places = in_frame(cloud, spec, up=up, seed=seed)
        sampled = resample(len(cloud), resampled_size(len(cloud), spec), seed)
        # each center is one of the sampled points, except for rounding
        patch_points = sampled[nearest(centers.astype(np.float64), places[sampled], metric="euclidean")[1][:, 0]]
        point_novelty, point_labels = interpolate(places, centers, radius, novelty, labels)
        return NoveltyMap(
            elements=Elements("points", cloud),
            novelty=point_novelty,
            nearest=self.classes[point_labels],
            classes=self.classes,
            baseline=self.half,
            threshold=self.threshold,
            provenance=Provenance(self.encoder.identity, self.by),
            patches=PatchNovelty(cloud[patch_points, :3], novelty, self.classes[labels]),
            up=up,
        )


def _gathered(known: Any, by: str, encoders: Encoders, settings: Mapping[str, Any]) -> KnownClasses:
    """Known classes in any form, completed with the data that the method `by` needs."""
    if by == "text":
        return KnownClasses.from_names(check_names(list(known)), encoders.text)
    examples = {name: value for name, value in known.items() if value is not None}
    if not examples:
        raise InputError(f"by={by!r} needs example shapes. The known classes have only names. Give examples.")
    names = check_examples(examples)
    memory = MemoryBank.from_examples(examples, encoders.shape, stage=by, **settings)
    return KnownClasses(names, encoders.shape.identity, patches=memory)


def _check_by(by: str | None, known: Any) -> str:
    """Kind of comparison, validated before any model loads."""
    check_choice("local" if by is None else by, "by", BY)
    if isinstance(known, KnownClasses):
        held = ([known.patches.stage] if known.patches else []) + (["text"] if known.text is not None else [])
        if by in held or (by is None and held):
            return by or held[0]
        if known.patches is not None and by is not None:
            raise InputError(
                f"by is {by!r}, but these known classes have {' and '.join(map(repr, held))}. Expected one of these. "
                "Leave by out."
            )
        or_names = ", or by='text' for the names" if held else ""
        raise InputError(
            "these known classes have no patches. Expected patches of examples. Give known={name: shapes}, or "
            f"KnownClasses.from_examples(..., patches='local'){or_names}."
        )
    if isinstance(known, Mapping):
        return by or ("local" if any(value is not None for value in known.values()) else "text")
    if isinstance(known, str) or not isinstance(known, Sequence | np.ndarray):
        raise ClassNamesError(
            f"known is {known!r:.40}. Expected a list of names, a mapping from names to example shapes, or KnownClasses"
            ". Convert it."
        )
    check_names(known)
    if by in ("local", "tokens"):
        raise InputError(
            f"by={by!r} needs example shapes. The known classes have only names. Give known={{name: shapes}}."
        )
    return "text"


def baseline(memory: MemoryBank) -> tuple[float, Threshold]:
    """Median novelty of the patches of known shapes, and the threshold at the 95 % quantile of this novelty.

    Each of up to 32 shapes is compared with all other shapes in the memory bank, of any class. Use 40 or more examples
    per class. With five examples, each differs so much from the other four that the threshold is too high. Copies of a
    shape count as one shape. Classes with a single shape are not used. Raises `InputError` if no class remains.
    """
    if memory not in _MEASURED:
        _MEASURED[memory] = _measure(memory)
    return _MEASURED[memory]


def _measure(memory: MemoryBank) -> tuple[float, Threshold]:
    order = np.argsort(memory.shapes, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(memory.shapes[order])) + 1)
    owners = originals(np.stack([memory.features[row].mean(axis=0) for row in rows]))
    owner = np.empty(len(order), dtype=np.int64)  # shape of each patch; for copies, the first of the equal shapes
    owner[order] = np.repeat(owners, [len(row) for row in rows])
    first = np.unique(owners).tolist()
    classes = [memory.labels[rows[i][0]] for i in first]
    alike = [i for i, label in zip(first, classes, strict=True) if classes.count(label) > 1]
    if not alike:
        raise InputError(
            "no class has two different example shapes. The threshold needs at least two of one class. Add examples."
        )
    novelty = []
    for i in (alike[j] for j in np.unique(np.linspace(0, len(alike) - 1, min(COMPARED, len(alike))).astype(int))):
        distance, _ = nearest(memory.features[rows[i]], memory.features[owner != i])
        centers = memory.centers[rows[i]]
        novelty.append(weights(centers, centers, memory.radius) @ distance[:, 0])
    scores = np.concatenate(novelty)
    source = f"patches of {len(novelty)} known shapes, each against the other shapes"
    half, value = np.quantile(scores, (0.5, COVERAGE)).tolist()
    return half, Threshold(value, COVERAGE, scores, source=source)


def weights(points: np.ndarray, centers: np.ndarray, radius: float) -> np.ndarray:
    """Weight (n, p) of each patch at each point: exp(-d² / 2 r²) of the distance d, normalized so that rows sum to 1.

    The nearest patches have the largest weights. A point far from all patches gets the value of the nearest.

    >>> weights(np.zeros((1, 3)), np.array([[0.0, 0, 0], [0, 0, 9]]), radius=1.0).round(2).tolist()
    [[1.0, 0.0]]
    """
    squares = np.zeros((len(points), len(centers)))
    for axis in range(3):  # (n, p, 3) at once would take three times the memory
        squares += (points[:, axis, None] - centers[None, :, axis]) ** 2
    # the nearest has the weight 1 before the division, so that no row is all zeros
    kernel = np.exp((squares.min(axis=1, keepdims=True) - squares) / (2 * radius**2))
    return kernel / kernel.sum(axis=1, keepdims=True)


def interpolate(
    points: np.ndarray, centers: np.ndarray, radius: float, novelty: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean (n,) of the novelty of p patches at each point, and label (n,) with the largest sum of weights."""
    votes = np.eye(labels.max() + 1)[labels]
    blocks = []
    for i in range(0, len(points), BLOCK):
        kernel = weights(points[i : i + BLOCK], centers, radius)
        blocks.append((kernel @ novelty, (kernel @ votes).argmax(axis=1)))
    return np.concatenate([n for n, _ in blocks]), np.concatenate([label for _, label in blocks])
