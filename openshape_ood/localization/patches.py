"""localize: a shape and known classes in, a novelty a point out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood import __version__
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.loading import check_encoders, load_encoder, text_of
from openshape_ood.encoders.protocols import NamesEncoder, PatchEncoder, Provenance
from openshape_ood.errors import ClassNamesError, CloudError, InputError, UnknownNameError
from openshape_ood.known import KnownClasses, MemoryBank, check_examples, check_names, check_patches
from openshape_ood.localization.baseline import baseline
from openshape_ood.localization.interpolation import interpolate
from openshape_ood.novelty_map import Elements, NoveltyMap, PatchNovelty
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.shapes.points import check_up, in_frame, resample
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

BY = ("local", "tokens", "text")


def localize(
    shape: Any,
    known: Mapping[str, Any] | Sequence[str] | KnownClasses,
    *,
    encoder: PatchEncoder | None = None,
    text: NamesEncoder | None = None,
    model: str = "vitb32",
    by: str | None = None,
    up: str = "file",
    known_up: str | None = None,
    device: Any = None,
    seed: int = 0,
    batch_size: int = 32,
    progress: bool = False,
) -> NoveltyMap:
    """Where a shape is novel: every point's novelty, and the known class it is nearest to.

    The encoder divides the shape into patches. The novelty of a patch is 1 - cosine with the nearest patch of the
    examples, or with the nearest name; novelty and class are interpolated to the points by distance.

    Parameters
    ----------
    shape : array (n, 3|6), path or trimesh object
        One shape, in any form that `ShapeEncoder.encode` takes.
    known : mapping, KnownClasses or list of names
        Name -> example shapes; classes that have only a name (None) have no patches, and what is theirs looks novel.
        For more than one call: `KnownClasses.from_examples(..., patches="local")`. Names alone say far less.
    encoder, model, device
        Any `PatchEncoder`, or the checkpoint called `model`, on `device`.
    text : NamesEncoder, optional
        For names; that of the encoder's checkpoint unless given.
    by : {"local", "tokens", "text"}, optional
        "local" compares what the encoder makes of each patch alone, "tokens" the same after the transformer, "text"
        the tokens, projected, with the names. Unless given, "local" for examples and "text" for names; known classes
        with patches say it themselves. `python -m benchmarks.localize` measures all three.
    up, known_up : str
        Gravity axis, "y", "z" or "x" with an optional "-", or "file", which asks the file, else takes y; of the
        examples too, where they have no other.
    seed, batch_size, progress
        As in `ShapeEncoder.encode`.

    Returns
    -------
    NoveltyMap
        Of the shape's n points, in its own frame and units. Baseline and threshold are those of the examples, each
        compared with the others; by names there are none.

    Raises
    ------
    InputError
        For values that cannot be used, among them known classes without two different examples of one class.
    FileError
        For files that cannot be used.

    References
    ----------
    PatchCore, arXiv 2106.08265; OpenPatch, arXiv 2310.03388.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> examples = {"chair": [sample("chair", 1024, seed) for seed in range(10)]}
    >>> found = localize(sample("guitar", 1024, seed=1), examples, model="tiny")
    >>> len(found), bool(found.is_novel.mean() > 0.5)
    (1024, True)
    """
    one = _one(shape)
    axis = resolve_ups(up if up == "file" else check_up(up), [one])[0]
    by = _check_by(by, known)
    if known_up is not None and isinstance(known, KnownClasses):
        raise InputError("known_up is for example shapes; these were read when they were encoded. Leave known_up out")
    check_encoders(encoder, text, ("identity",))
    encoder = encoder or load_encoder(model, device, *([known.identity] if isinstance(known, KnownClasses) else []))
    check_patches(encoder)
    settings = {"batch_size": batch_size, "seed": seed, "progress": progress}
    if not isinstance(known, KnownClasses):
        known = _gathered(known, by, encoder, text, device, up if known_up is None else known_up, settings)
    known.check_fits(encoder.identity)
    against = _Against.of(known, by, encoder)
    cloud = one.cloud(encoder.spec.count, seed)
    patches = encoder.encode_patches([cloud], up=axis, batch_size=1, seed=seed, stage=against.stage)
    distance, index = nearest(patches.features[0], against.rows)
    novelty, labels = distance[:, 0], against.labels[index[:, 0]]
    # the points in the encoder's frame, where its patches are
    places = in_frame(cloud, count=encoder.spec.count, up=axis, to=encoder.spec.up, seed=seed)
    sampled = resample(len(cloud), encoder.spec.count, seed)
    centers = patches.centers[0]
    # each center is a sampled point, within the rounding
    own = sampled[nearest(centers.astype(np.float64), places[sampled], metric="euclidean")[1][:, 0]]
    point_novelty, point_labels = interpolate(places, centers, patches.radius, novelty, labels)
    names = np.array(against.names)
    return NoveltyMap(
        elements=Elements("points", cloud),
        novelty=point_novelty,
        nearest=names[point_labels],
        classes=names,
        baseline=against.baseline,
        threshold=against.threshold,
        provenance=Provenance(encoder.identity, by, up, seed, version=__version__),
        patches=PatchNovelty(cloud[own, :3], novelty, names[labels]),
        name=one.path or one.name,
        up=axis,
    )


def _gathered(
    known: Any, by: str, encoder: Any, text: NamesEncoder | None, device: Any, up: str, settings: Mapping[str, Any]
) -> KnownClasses:
    """What the patches of a shape are compared with by `by`, and nothing else."""
    if by == "text":
        return KnownClasses.from_names(check_names(list(known)), text or text_of(encoder, device))
    examples = {name: value for name, value in known.items() if value is not None}
    if not examples:
        raise InputError(f"by={by!r} compares with example shapes; the known classes have only names")
    names = check_examples(examples)
    return KnownClasses(
        names, encoder.identity, patches=MemoryBank.from_examples(examples, encoder, stage=by, up=up, **settings)
    )


@dataclass(frozen=True, eq=False)
class _Against:
    """What patches are compared with: unit vectors (m, w), and the class (m,) of each."""

    names: tuple[str, ...]
    rows: np.ndarray
    labels: np.ndarray
    stage: str
    baseline: float = float("nan")
    threshold: Threshold | None = None

    @classmethod
    def of(cls, known: KnownClasses, by: str, encoder: PatchEncoder) -> _Against:
        memory = known.patches
        if by == "text" or memory is None:
            return cls(known.names, np.asarray(known.text), np.arange(len(known.names)), "projected")
        half, threshold = baseline(memory)
        threshold = replace(threshold, provenance=Provenance(encoder.identity, by, version=__version__))
        shown, labels = np.unique(memory.labels, return_inverse=True)  # of other classes there is only the name
        return cls(tuple(known.names[i] for i in shown), memory.features, labels, by, half, threshold)


def _check_by(by: str | None, known: Any) -> str:
    """How to compare; before any model loads, with a word on what `known` lacks for it."""
    if by is not None and by not in BY:
        raise UnknownNameError(f"by is {by!r}; expected one of {', '.join(map(repr, BY))}")
    if isinstance(known, KnownClasses):
        return _check_held(by, known)
    if isinstance(known, Mapping):
        return by or ("local" if any(value is not None for value in known.values()) else "text")
    if isinstance(known, str) or not isinstance(known, Sequence | np.ndarray):
        raise ClassNamesError(
            f"known is {known!r:.40}; expected a list of names, a mapping from names to example shapes, or KnownClasses"
        )
    check_names(known)
    if by in ("local", "tokens"):
        raise InputError(f"by={by!r} compares with example shapes, known={{name: shapes}}; these are names only")
    return "text"


def _check_held(by: str | None, known: KnownClasses) -> str:
    """What the known classes can be compared by."""
    held = ([known.patches.stage] if known.patches else []) + (["text"] if known.text is not None else [])
    if by in held or (by is None and held):
        return by or held[0]
    if known.patches is not None and by is not None:
        raise InputError(f"by is {by!r}, but these known classes hold {' and '.join(map(repr, held))}; leave by out")
    raise InputError(
        "these known classes keep no patches to localize by; give the example shapes, known={name: shapes}, or "
        "KnownClasses.from_examples(..., patches='local')" + (", or by='text' for the names" if held else "")
    )


def _one(shape: Any) -> Shape:
    listed = list_shapes(shape)
    if len(listed) != 1:
        raise CloudError(
            f"there are {len(listed)} shapes; expected one. Call it for each, with one KnownClasses for all"
        )
    return listed[0]
