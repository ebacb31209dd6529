"""explain_novelty: a shape and known classes in, a novelty a point out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity, NamesEncoder
from openshape_ood.errors import ClassNamesError, CloudError, InputError, UnknownNameError
from openshape_ood.known import Known, check_names, unit
from openshape_ood.localization.bank import PatchBank, check_encoder
from openshape_ood.localization.interpolation import spread
from openshape_ood.localization.result import Explanation
from openshape_ood.registry.rows import find_checkpoint
from openshape_ood.scoring.neighbors import nearest
from openshape_ood.shapes.points import check_up, in_frame, resample
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

BY = ("local", "tokens", "text")
BLOCK = 1 << 13  # points whose weights are held at once


def explain_novelty(
    shape: Any,
    known: Mapping[str, Any] | PatchBank | Sequence[str] | Known,
    *,
    encoder: Any = None,
    text: NamesEncoder | None = None,
    model: str = "vitb32",
    by: str | None = None,
    up: str = "y",
    known_up: str | None = None,
    device: Any = None,
    batch_size: int = 32,
    seed: int = 0,
    progress: bool = False,
) -> Explanation:
    """Where a shape is novel: every point's novelty and nearest class.

    shape: one shape in any form that `ShapeEncoder.encode` takes. known: name -> example shapes, or a `PatchBank` of
    them for more than one call; or a list of names, or a `Known` bank with names. by: "local" compares what the
    encoder makes of each patch alone with the patches of the examples (1 - cosine with the nearest), "tokens" the same
    after the transformer, "text" the tokens, projected, with the names; None takes "local" for examples and "text" for
    names, which says far less: see `python -m benchmarks.localize`. Classes of a mapping that have only a name (None)
    have no patches, and what is theirs looks novel. The novelty of patches is spread to the points by distance.

    The encoder is `encoder`, or the checkpoint called `model`; up, known_up, device, batch_size and seed as in
    `score_novelty`. Raises `InputError` for values that cannot be used and `FileError` for files.
    """
    one = _one(shape)
    axis = resolve_ups(up if up == "file" else check_up(up), [one])[0]
    by = _check_by(by, known)
    if known_up is not None and isinstance(known, PatchBank):
        raise InputError("known_up is for example shapes; the bank's were read when it was made. Leave known_up out")
    if isinstance(encoder, str) or isinstance(text, str):
        raise InputError("encoder and text are objects, not names; give the name of a checkpoint as model=")
    encoder = encoder or _encoder(model, device, known)
    check_encoder(encoder)
    settings = {"batch_size": batch_size, "seed": seed, "progress": progress}
    reference = _reference(known, by, encoder, text, up if known_up is None else known_up, settings)
    cloud = one.cloud(encoder.spec.count, seed)
    features, centers, _ = encoder.encode_patches([cloud], up=axis, batch_size=1, seed=seed, stage=reference.stage)
    novelty, classes = reference.judge(features[0])
    frame = {"count": encoder.spec.count, "up": axis, "to": encoder.spec.up, "seed": seed}
    places = in_frame(cloud, **frame)
    sampled = resample(len(cloud), encoder.spec.count, seed)
    point_novelty, point_class = _spread(places, centers[0], encoder.row.sizes.radius, novelty, classes, reference)
    names = np.array(reference.names)
    return Explanation(
        points=cloud,
        novelty=point_novelty,
        nearest=names[point_class],
        classes=names,
        usual=reference.usual,
        limit=reference.limit,
        patch_centers=cloud[sampled[_nearest_places(centers[0], places[sampled])], :3],
        patch_novelty=novelty,
        patch_nearest=names[classes],
        shape=one.path or one.name,
        up=axis,
        by=by,
        encoder=encoder.identity.checkpoint,
        checkpoint_hash=encoder.identity.sha256,
    )


@dataclass(frozen=True, eq=False)
class _Reference:
    """What patches are compared with: rows (m, w), unit vectors, and the class of each."""

    names: tuple[str, ...]
    rows: np.ndarray
    labels: np.ndarray
    stage: str
    usual: float = float("nan")
    limit: float = float("nan")

    def judge(self, patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Novelty (p,), 1 - cosine with the nearest row, and class (p,) of patches (p, w)."""
        distance, index = nearest(patches, self.rows)
        return distance[:, 0], self.labels[index[:, 0]]


def _reference(
    known: Any, by: str, encoder: Any, text: NamesEncoder | None, up: str, settings: Mapping[str, Any]
) -> _Reference:
    if by == "text":
        return _names(known, encoder, text)
    if not isinstance(known, PatchBank):
        examples = {name: value for name, value in known.items() if value is not None}
        if not examples:
            raise InputError(f"by={by!r} compares with example shapes; the known classes have only names")
        known = PatchBank.from_examples(examples, encoder, up, stage=by, **settings)
    known.identity.check_fits(encoder.identity)
    return _Reference(known.names, known.patches, known.labels, known.stage, known.usual, known.limit)


def _names(known: Any, encoder: Any, text: NamesEncoder | None) -> _Reference:
    if isinstance(known, Known):
        known.check_fits(encoder.identity)
        names, rows = known.names, known.text
    else:
        names = check_names(list(known))
        rows = unit((text or _text_of(encoder)).encode(names), "the text embedding of", names)
    return _Reference(names, rows, np.arange(len(names)), "projected")


def _check_by(by: str | None, known: Any) -> str:
    """How to compare; before any model loads, with a word on what `known` lacks for it."""
    if by is not None and by not in BY:
        raise UnknownNameError(f"by is {by!r}; expected one of {', '.join(map(repr, BY))}")
    if isinstance(known, PatchBank):
        if by not in (None, known.stage):
            raise InputError(f"by is {by!r}, but the bank holds patches of the stage {known.stage!r}; leave by out")
        return known.stage
    if isinstance(known, Known):
        if by in ("local", "tokens") or not known.text.size:
            raise InputError(
                "a Known bank keeps no patches to explain by; give the example shapes, known={name: shapes}, or "
                "PatchBank.from_examples(...)" + ("" if not known.text.size else ", or by='text' for its names")
            )
        return "text"
    if isinstance(known, Mapping):
        return by or ("local" if any(value is not None for value in known.values()) else "text")
    if isinstance(known, str) or not isinstance(known, Sequence | np.ndarray):
        raise ClassNamesError(
            f"known is {known!r:.40}; expected a list of names, a mapping from names to example shapes, or a PatchBank"
        )
    check_names(known)
    if by in ("local", "tokens"):
        raise InputError(f"by={by!r} compares with example shapes, known={{name: shapes}}; these are names only")
    return "text"


def _one(shape: Any) -> Shape:
    listed = list_shapes(shape)
    if len(listed) != 1:
        raise CloudError(f"there are {len(listed)} shapes; expected one. Call it for each, with one PatchBank for all")
    return listed[0]


def _spread(
    places: np.ndarray,
    centers: np.ndarray,
    radius: float,
    novelty: np.ndarray,
    classes: np.ndarray,
    reference: _Reference,
) -> tuple[np.ndarray, np.ndarray]:
    """Novelty (n,) and class (n,) of points in the encoder's frame: the mean of the patches, and their vote."""
    votes = np.eye(len(reference.names))[classes]
    found = []
    for i in range(0, len(places), BLOCK):
        weights = spread(places[i : i + BLOCK], centers, radius)
        found.append((weights @ novelty, (weights @ votes).argmax(axis=1)))
    return np.concatenate([n for n, _ in found]), np.concatenate([c for _, c in found])


def _nearest_places(centers: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Index (p,) of the place that each center is: the same point, within rounding."""
    return nearest(centers.astype(np.float64), places, metric="euclidean")[1][:, 0]


def _encoder(model: str, device: Any, known: Any) -> Any:
    from openshape_ood.encoders.shape_encoder import ShapeEncoder

    row = find_checkpoint(model)
    if isinstance(known, PatchBank | Known):  # said before anything is downloaded
        known.identity.check_fits(Identity(row.name, row.text.space, row.source.sha256))
    return ShapeEncoder.from_pretrained(model, device=device)


def _text_of(encoder: Any) -> NamesEncoder:
    from openshape_ood.encoders.text.encoder import TextEncoder

    return TextEncoder(encoder.row, device=encoder.device)
