"""complete and locate: occupancy fields from a view and affinities."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_seed, check_whole, to_numpy
from openshape_ood.encoders.devices import find_device
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.encoders.text.encoder import clean_names
from openshape_ood.errors import CloudError, InputError
from openshape_ood.registry import find_checkpoint
from openshape_ood.registry.weights import load_network
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion.field import Field, VolumePart
from openshape_ood.views.completion.network import RELATIONS, CompletionNetwork
from openshape_ood.views.geometry import checked_matrix, in_bounds, moved
from openshape_ood.views.lifting import Lifted
from openshape_ood.views.view import View, ViewWarning

DEFAULT, RELATIONAL = "completion-rooms", "completion-rooms-relations"
MOST_POINTS = 80_000


class Completer:
    """Loaded completion network, with its name in the registry and the sha256 of its weights."""

    def __init__(self, network: CompletionNetwork, identity: Identity, device: torch.device) -> None:
        self.network, self.identity, self.device = network.eval().requires_grad_(False).to(device), identity, device

    @classmethod
    def from_pretrained(
        cls,
        name: str = DEFAULT,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        registry: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
    ) -> Completer:
        """Load a network from `list_checkpoints(registry, kind="completion")`.

        checkpoint: file in place of the registered one, such as from the archive of Semantic Abstraction. Raises
        `UnknownNameError`, `RegistryError`, and `CheckpointError` for an unusable file.
        """
        row, target = find_checkpoint(name, registry, kinds=("completion",)), find_device(device)
        network, sha256, _ = load_network(row, checkpoint)
        return cls(network, Identity(row.name, "completion", sha256), target)

    def __repr__(self) -> str:
        return f"Completer({self.identity.checkpoint!r}, of a {self.network.sizes.head}, device={str(self.device)!r})"


def complete(
    source: Any,
    names: Sequence[str],
    *,
    affinities: Affinities | None = None,
    model: str | Completer = DEFAULT,
    text: Any = None,
    frame: np.ndarray | None = None,
    num_points: int = MOST_POINTS,
    seed: int = 0,
) -> Field:
    """Complete the objects of each name, hidden parts included.

    Parameters
    ----------
    source : View or Lifted
        Visible surface of a scene.
    names : sequence of k str
    affinities : Affinities, optional
        Affinities of the view's pixels to at least these names, from any source, about -1 to 1. Default: relevancies of
        CLIP by `RelevancyEncoder.from_pretrained()`. Not for a `Lifted`, which contains affinities.
    model : str or Completer
        Name in `list_checkpoints(kind="completion")`, or a `Completer`.
    text : object, optional
        Text encoder `encode(names) -> (k, t)` with the weights of CLIP's ViT-B/32. Needed only by networks that compare
        with text embeddings.
    frame : ndarray (4, 4), optional
        Matrix from the world to the frame of the network's box. Default: `camera_frame` of the first view, which puts
        the box on the floor (z = 0) in front of the camera. Default for the released networks: the identity, because
        their published scenes are in the frame of the box.
    num_points, seed : int
        Maximum number of points for the network, and seed of their random choice.

    Returns
    -------
    Field

    Raises
    ------
    InputError
        For an invalid source, affinities of another image, or a network of relations.
    CloudError
        If no visible point is in the network's box.
    UnknownNameError
        For names without affinities.
    RegistryError, CheckpointError
        For an unusable file of the network.
    """
    wanted = tuple(clean_names(names))
    completer = model if isinstance(model, Completer) else Completer.from_pretrained(model)
    if completer.network.sizes.relates:
        raise InputError(
            f"{completer!r} was trained on relations. Expected a network of names. Call locate, or give another "
            "network."
        )
    phrases: list[tuple[str, ...]] = [(name,) for name in wanted]
    queries: tuple[torch.Tensor | None, ...] = (None,) * len(wanted)
    if completer.network.sizes.head == "text":
        phrases, queries = [()] * len(wanted), _embedded(text, wanted, completer)
    return _field(source, wanted, phrases, queries, affinities, completer, frame, num_points, seed)


def locate(
    source: Any,
    target: str,
    relation: str,
    reference: str,
    *,
    affinities: Affinities | None = None,
    model: str | Completer = RELATIONAL,
    text: Any = None,
    frame: np.ndarray | None = None,
    num_points: int = MOST_POINTS,
    seed: int = 0,
) -> Field:
    """Locate a target by its relation to a reference, even if no pixel of it is visible.

    Parameters
    ----------
    source, affinities, model, text, frame, num_points, seed
        As in `complete`. Networks of relations need affinities to target and reference. Networks of sentences need
        affinities to the sentence "target relation a reference".
    target, reference : str
    relation : {"in", "behind", "in front of", "on the left of", "on the right of", "on"}
        Relation as seen from the camera.

    Returns
    -------
    Field
        Field of one name, the sentence "target relation reference".

    Raises
    ------
    UnknownNameError
        For an unknown relation, and names without affinities.
    InputError
        For a network that was not trained on relations.
    InputError, RegistryError, CheckpointError
        As in `complete`.
    """
    check_choice(relation, "relation", RELATIONS)
    target, reference = clean_names([target])[0], clean_names([reference])[0]
    completer = model if isinstance(model, Completer) else Completer.from_pretrained(model)
    network, query = completer.network, None
    if network.sizes.head == "sentence":
        phrases: tuple[str, ...] = (f"{target} {relation} a {reference}",)
    elif not network.sizes.relates:
        raise InputError(
            f"{completer!r} was not trained on relations. Expected a network of relations. Give {RELATIONAL!r}, or a "
            "released one with its file, such as model=Completer.from_pretrained('semabs-vool', checkpoint=PATH)."
        )
    elif network.sizes.head == "text-relation":
        # encoded separately, because a text encoder refuses two equal names
        (first,), (second,) = (_embedded(text, (one,), completer) for one in (target, reference))
        phrases, query = (), network.relation_query([relation], (first, second))
    else:
        phrases, query = (target, reference), network.relation_query([relation])
    sentence = (f"{target} {relation} {reference}",)
    return _field(source, sentence, [phrases], (query,), affinities, completer, frame, num_points, seed)


def camera_frame(pose: np.ndarray) -> np.ndarray:
    """Matrix (4, 4) from the world to the frame of a camera's box: x forward, y left, z up.

    The origin is below the camera, at z = 0 of the world. If the camera looks straight down, x points to the upper edge
    of its image.
    """
    ahead = pose[:2, 2] if np.linalg.norm(pose[:2, 2]) > 1e-6 else -pose[:2, 1]
    ahead = ahead / np.linalg.norm(ahead)
    frame = np.eye(4)
    frame[:2, :2] = [ahead, [-ahead[1], ahead[0]]]
    frame[:2, 3] = -frame[:2, :2] @ pose[:2, 3]
    return frame


def _embedded(text: Any, names: tuple[str, ...], completer: Completer) -> tuple[torch.Tensor, ...]:
    """Text embeddings (1, t) of names, for a network that compares with them. Raises `InputError`."""
    width = completer.network.sizes.text
    vectors = np.empty(0) if text is None else np.asarray(to_numpy(text.encode(list(names))))
    if vectors.shape != (len(names), width):
        given = "is missing" if text is None else f"gives embeddings {vectors.shape}"
        raise InputError(
            f"{completer!r} needs text embeddings, but text {given}. Expected ({len(names)}, {width}). Give text=, an "
            "encoder with the weights of CLIP's ViT-B/32."
        )
    return torch.from_numpy(vectors).float().to(completer.device).split(1)


def _field(
    source: Any,
    names: tuple[str, ...],
    phrases: Sequence[tuple[str, ...]],
    queries: tuple[torch.Tensor | None, ...],
    affinities: Affinities | None,
    completer: Completer,
    frame: np.ndarray | None,
    num_points: int,
    seed: int,
) -> Field:
    """Field of names. phrases: for each name, the phrases whose affinities are the input; empty for color as input."""
    needed = tuple(dict.fromkeys(one for words in phrases for one in words))
    points, color, views, columns = _gathered(source, needed, affinities)
    matrix, grid = _frame(frame, views, completer), completer.network.grid
    places = moved(points, matrix)
    kept = np.flatnonzero(in_bounds(places, np.array([grid.low, grid.high])))  # False for NaN
    if not len(kept):
        raise CloudError(
            f"none of the {len(points)} pixels or points is in the box of {completer!r}, {grid.low} to {grid.high}. "
            "Expected a floor at z = 0, and a camera that looks at the scene. In Python, frame= moves the box."
        )
    rng = np.random.default_rng(check_seed(seed))
    if len(kept) > check_whole(num_points, "num_points"):
        kept = np.sort(rng.choice(kept, num_points, replace=False))
    shared = torch.from_numpy(places[kept]).float().to(completer.device)
    if not needed:
        if color is None:
            raise InputError(
                f"{completer!r} needs colors, but the points have none. Expected a View, or a scan in color. Add "
                "colors."
            )
        columns = [color]
    parts = []
    for i, column in enumerate(columns):
        numbers = torch.from_numpy(column[kept]).float().reshape(len(kept), -1).to(completer.device)
        known = torch.isfinite(numbers).all(dim=1)  # points without known affinity are dropped
        if not known.any():
            warnings.warn(
                f"no visible point has an affinity to {needed[i]!r}. Expected at least one. Check the affinities.",
                ViewWarning,
                stacklevel=3,
            )
        # names without unknown affinities share one copy of the points
        parts.append(VolumePart(shared, numbers) if known.all() else VolumePart(shared[known], numbers[known]))
    reads = tuple(tuple(needed.index(one) for one in words) or (0,) for words in phrases)
    provenance = Provenance(completer.identity, "completion", up="z", seed=seed, version=__version__)
    return Field(names, completer.network, tuple(parts), reads, queries, points[kept], matrix, views, provenance)


def _gathered(source: Any, names: tuple[str, ...], affinities: Affinities | None) -> tuple[Any, ...]:
    """Points (n, 3) in the world, colors (n, 3) or None, views, and affinities (n,) to each name."""
    if isinstance(source, View):
        if affinities is None and names:
            from openshape_ood.views.relevancy import RelevancyEncoder

            affinities = RelevancyEncoder.from_pretrained().encode_image(source.rgb, names)
        if affinities is not None:
            affinities.check_fits(source)
        given: tuple[Any, ...] = source.points, source.rgb.reshape(-1, 3), (source,)
    elif not isinstance(source, Lifted):
        raise InputError(
            f"source is {source!r:.60}. Expected a View or a Lifted. Give a view, or the result of lift(views, "
            "affinities)."
        )
    elif affinities is not None:
        raise InputError(
            "affinities are given, but source is a lifted scene. Expected them only for a View. Leave affinities= out."
        )
    else:
        given = source.scene.points, source.scene.color, source.views
        affinities = Affinities(source.affinities.T[:, None], source.names)
    return *given, [affinities[name].reshape(-1) for name in names if affinities is not None]


def _frame(frame: np.ndarray | None, views: tuple[View, ...], completer: Completer) -> np.ndarray:
    if frame is not None:
        given = checked_matrix(frame, "frame", (4, 4))
        if abs(np.linalg.det(given)) < 1e-9:
            raise InputError(f"frame is {given.tolist()}. Expected a matrix that can be inverted. Correct it.")
        return given
    if completer.network.sizes.legacy:
        return np.eye(4)
    if not views:
        raise InputError(
            "the points have no view, so the place of the box is unknown. Expected a view or a frame. Give the "
            "argument frame."
        )
    return camera_frame(views[0].pose)
