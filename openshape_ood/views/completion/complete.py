"""complete and locate: from a view and affinities to a field of occupancy."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from openshape_ood import __version__
from openshape_ood.checks import check_seed, check_whole, to_numpy
from openshape_ood.encoders.devices import find_device
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.encoders.text.encoder import clean_names
from openshape_ood.errors import CloudError, InputError, UnknownNameError
from openshape_ood.registry import find_checkpoint
from openshape_ood.registry.weights import load_network
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion.field import Field, Part
from openshape_ood.views.completion.network import CompletionNetwork
from openshape_ood.views.completion.relations import check_relation
from openshape_ood.views.view import View, ViewWarning

DEFAULT, RELATIONAL = "completion-rooms", "completion-rooms-relations"
MOST_POINTS = 80_000


class Completer:
    """A completion network, ready to use.

    Attributes
    ----------
    network : CompletionNetwork
        In evaluation mode.
    identity : Identity
        Its name in the registry and the sha256 of its weights.
    """

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
        """The network called `name`, a name of `list_checkpoints(registry, kind="completion")`.

        checkpoint: a file to load in place of the registered one; those of Semantic Abstraction come in one archive.
        Raises `UnknownNameError`, `RegistryError`, and `CheckpointError` for the file.
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
    """The whole of what each name means, hidden parts included.

    Parameters
    ----------
    source : View or Lifted
        What is seen.
    names : sequence of k str
    affinities : Affinities, optional
        Of the view's pixels to at least these names, and in the scale of relevancy, about -1 to 1; from wherever there
        are. None asks CLIP, by `RelevancyEncoder.from_pretrained()`; a `Lifted` brings its own.
    model : str or Completer
        A name of `list_checkpoints(kind="completion")`, or what `Completer.from_pretrained` gives.
    text : object, optional
        With `encode(names) -> (k, t)`: of the networks that compare with text, whose weights are CLIP's ViT-B/32.
    frame : ndarray (4, 4), optional
        From the world to the box of the network. By default the box stands before the first view's camera, on the
        floor, z = 0; the released networks take the world as it is, as the published scenes have it.
    num_points, seed : int
        So many of the points, drawn by this seed, where there are more.

    Returns
    -------
    Field

    Raises
    ------
    InputError
        For other sources, affinities of another image, a network of relations, and where no visible point lies in the
        network's box.
    UnknownNameError
        For names that the affinities do not have.
    RegistryError, CheckpointError
        The network's file.
    """
    wanted = tuple(clean_names(names))
    completer = model if isinstance(model, Completer) else Completer.from_pretrained(model)
    if completer.network.sizes.relates:
        raise InputError(
            f"{completer!r} is for targets in a relation; expected locate(view, target, relation, reference)"
        )
    if completer.network.sizes.head == "text":
        seen = _Seen(source, (), affinities, completer, frame, num_points, seed)
        queries = tuple(_embedded(text, [name], completer) for name in wanted)
        return seen.field(wanted, (seen.colors(),), ((0,),) * len(wanted), queries)
    seen = _Seen(source, wanted, affinities, completer, frame, num_points, seed)
    parts = tuple(seen.part(i) for i in range(len(wanted)))
    return seen.field(wanted, parts, tuple((i,) for i in range(len(wanted))), (None,) * len(wanted))


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
    """Where a target can be that stands in a relation to a reference, though no pixel of it may be visible.

    Parameters
    ----------
    source, affinities, model, text, frame, num_points, seed
        As those of `complete`; affinities to target and reference, or, of a network for sentences, to the sentence
        "target relation a reference".
    target, reference : str
    relation : {"in", "behind", "in front of", "on the left of", "on the right of", "on"}
        As the camera sees it.

    Returns
    -------
    Field
        Of one name, the sentence "target relation reference".

    Raises
    ------
    UnknownNameError
        For another relation, and names that the affinities do not have.
    InputError
        For a network that has not learned relations; else as `complete`.
    RegistryError, CheckpointError
        The network's file.
    """
    check_relation(relation)
    target, reference = clean_names([target])[0], clean_names([reference])[0]
    completer = model if isinstance(model, Completer) else Completer.from_pretrained(model)
    network, sentence = completer.network, (f"{target} {relation} {reference}",)
    if network.sizes.head == "sentence":
        seen = _Seen(source, (f"{target} {relation} a {reference}",), affinities, completer, frame, num_points, seed)
        return seen.field(sentence, (seen.part(0),), ((0,),), (None,))
    if not network.sizes.relates:
        raise InputError(
            f"{completer!r} has not learned relations; expected one that has: {RELATIONAL!r}, or a released one with "
            "its file, such as model=Completer.from_pretrained('semabs-vool', checkpoint=PATH)"
        )
    if network.sizes.head == "text-relation":
        seen = _Seen(source, (), affinities, completer, frame, num_points, seed)
        both = _embedded(text, [target], completer), _embedded(text, [reference], completer)
        return seen.field(sentence, (seen.colors(),), ((0,),), (network.relation_query([relation], both),))
    names = (target,) if target == reference else (target, reference)
    seen = _Seen(source, names, affinities, completer, frame, num_points, seed)
    parts = tuple(seen.part(i) for i in range(len(names)))
    return seen.field(sentence, parts, ((0, len(names) - 1),), (network.relation_query([relation]),))


def _embedded(text: Any, names: list[str], completer: Completer) -> torch.Tensor:
    """The text embeddings (k, t) of names for a network that compares with them; raises `InputError`."""
    width = completer.network.sizes.text
    found = np.empty(0) if text is None else np.asarray(to_numpy(text.encode(names)))
    if found.shape != (len(names), width):
        given = "none" if text is None else f"{found.shape}"
        raise InputError(f"{completer!r} compares with text embeddings ({len(names)}, {width}); given were {given}")
    return torch.from_numpy(found).float().to(completer.device)


def camera_frame(pose: np.ndarray) -> np.ndarray:
    """The matrix (4, 4) from the world to the frame of a camera's box: x ahead, y to its left, z up.

    Its origin is below the camera where the world's z is 0. A camera that looks straight down has its upper edge ahead.
    """
    ahead = pose[:2, 2] if np.linalg.norm(pose[:2, 2]) > 1e-6 else -pose[:2, 1]
    ahead = ahead / np.linalg.norm(ahead)
    frame = np.eye(4)
    frame[:2, :2] = [ahead, [-ahead[1], ahead[0]]]
    frame[:2, 3] = -frame[:2, :2] @ pose[:2, 3]
    return frame


class _Seen:
    """The visible points in the box of a network, with their affinities to names (n, k) and their colors."""

    def __init__(
        self,
        source: Any,
        names: tuple[str, ...],
        affinities: Affinities | None,
        completer: Completer,
        frame: np.ndarray | None,
        num_points: int,
        seed: int,
    ) -> None:
        self.completer, self.names = completer, names
        points, columns, self.color, self.views = _gathered(source, names, affinities)
        self.frame = _frame(frame, self.views, completer)
        grid = completer.network.grid
        places = points @ self.frame[:3, :3].T + self.frame[:3, 3]
        with np.errstate(invalid="ignore"):
            kept = np.flatnonzero(((places >= grid.low) & (places <= grid.high)).all(axis=1))  # NaN is not
        if not len(kept):
            raise CloudError(
                f"none of the {len(points)} pixels or points lies in the box of {completer!r}, {grid.low} to "
                f"{grid.high}; is the floor at z = 0, and does the camera look at the scene? In Python, "
                "frame= moves the box"
            )
        if len(kept) > check_whole(num_points, "num_points"):
            kept = np.sort(np.random.default_rng(check_seed(seed)).choice(kept, num_points, replace=False))
        self.points, self.columns, self.seed = points[kept], [column[kept] for column in columns], seed
        self.places = torch.from_numpy(places[kept]).float().to(completer.device)
        self.color = None if self.color is None else self.color[kept]

    def part(self, i: int) -> Part:
        """What the network is given of a name; points whose affinity to it is not known are left out."""
        known = np.isfinite(self.columns[i])
        if not known.any():
            warnings.warn(f"no visible point has an affinity to {self.names[i]!r}", ViewWarning, stacklevel=4)
        # hundreds of names share one copy of the points
        places = self.places if known.all() else self.places[torch.from_numpy(known).to(self.places.device)]
        return self._part(places, self.columns[i][known, None])

    def colors(self) -> Part:
        """What a network that sees colors is given."""
        if self.color is None:
            raise InputError(
                f"{self.completer!r} sees colors, and the points have none; expected a View, or a scan in color"
            )
        return self._part(self.places, self.color)

    def _part(self, places: torch.Tensor, numbers: np.ndarray) -> Part:
        return Part(places, torch.from_numpy(numbers).float().to(places.device))

    def field(
        self,
        names: tuple[str, ...],
        parts: tuple[Part, ...],
        reads: tuple[tuple[int, ...], ...],
        queries: tuple[torch.Tensor | None, ...],
    ) -> Field:
        told = Provenance(self.completer.identity, "completion", up="z", seed=self.seed, version=__version__)
        network = self.completer.network
        return Field(names, network, parts, reads, queries, self.points, self.frame, self.views, told)


def _gathered(source: Any, names: tuple[str, ...], affinities: Affinities | None) -> tuple[Any, ...]:
    """Points (n, 3) in the world, affinities (n,) to each name, colors (n, 3) or None, and views."""
    if isinstance(source, View):
        columns: list[np.ndarray] = []
        if names:
            found = _asked(source, names) if affinities is None else affinities
            if found.values.shape[1:] != source.shape:
                raise InputError(
                    f"the affinities are of an image (h, w) of {found.values.shape[1:]}, {source.name} has "
                    f"{source.shape}; expected one a pixel"
                )
            columns = [found[name].reshape(-1) for name in names]
        return source.points, columns, source.rgb.reshape(-1, 3), (source,)
    if not hasattr(source, "scene") or not hasattr(source, "affinities"):
        raise InputError(f"source is {source!r:.60}; expected a View, or what lift(views, affinities) gives")
    if affinities is not None:
        raise InputError("a lifted scene brings its own affinities; leave out affinities=")
    if lacking := [name for name in names if name not in source.names]:
        raise UnknownNameError(f"there are no affinities to {lacking[0]!r}; there are to {', '.join(source.names)}")
    values = np.asarray(source.affinities, dtype=np.float32)
    columns = [values[:, list(source.names).index(name)] for name in names]
    return source.scene.points, columns, source.scene.color, tuple(getattr(source, "views", ()))


def _asked(view: View, names: tuple[str, ...]) -> Affinities:
    """What CLIP says of a view."""
    from openshape_ood.views.relevancy import RelevancyEncoder

    return RelevancyEncoder.from_pretrained().encode_image(view.rgb, names)


def _frame(frame: np.ndarray | None, views: tuple[View, ...], completer: Completer) -> np.ndarray:
    if frame is not None:
        given = np.asarray(frame, dtype=np.float64)
        if given.shape != (4, 4) or not np.isfinite(given).all() or abs(np.linalg.det(given[:3, :3])) < 1e-9:
            raise InputError(f"frame is {frame!r:.80}; expected (4, 4) finite numbers that can be inverted")
        return given
    if completer.network.sizes.legacy:
        return np.eye(4)
    if not views:
        raise InputError("the points come without a view, so that nothing says where they are seen from; give frame=")
    return camera_frame(views[0].pose)
