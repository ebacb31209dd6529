"""Checkpoint files of trained baselines, in the layout of 3DOS's trainer. Reading a file runs no code from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.baselines.networks import HEADS, Classifier, Sizes
from openshape_ood.errors import WeightsError
from openshape_ood.registry.rows import Keys
from openshape_ood.registry.weights import load_strictly, read_weights
from openshape_ood.storage import replacing

KEYS = Keys(inside="model", prefix="")
# one key of each network that no other network has
MARKS = {"dgcnn": "enco.conv1.0.weight", "pn2": "enco.SA_modules.0.mlps.0.0.weight"}
MARKS["pn2_torch"] = "enco.sa1.conv_blocks.0.0.weight"
ALIAS = "head.Dist.centers"  # the same tensor as head.points


def read(path: Path, classes: int, network: str | None = None, head: str | None = None) -> Classifier:
    """Read the classifier of a checkpoint, for evaluation on the CPU. Keys and shapes identify its network and head.

    Parameters
    ----------
    classes : int
        Number of known classes of the benchmark.
    network, head : str, optional
        Expected network and head.

    Raises
    ------
    WeightsError
        For another network, head or number of classes, for a file that is no checkpoint or would run code, and for
        weights that are not finite.
    """
    if not path.is_file():
        raise WeightsError(f"no file {path}. Expected a checkpoint. `python -m benchmarks baselines train` writes one")
    state = {key.removeprefix("module."): one for key, one in read_weights(path, KEYS, path.name).items()}
    state.pop(ALIAS, None)
    sizes = Sizes(_network(state, path), _head(state, path, classes), classes)
    for wanted, actual, what in ((network, sizes.network, "network"), (head, sizes.head, "head")):
        if wanted is not None and wanted != actual:
            raise WeightsError(
                f"{path} has the {what} {actual!r}. Expected {wanted!r}. Give --{what} {actual}, or another file"
            )
    with torch.device("meta"):
        built = Classifier(sizes)
    load_strictly(built, state, path, f"{sizes.network} with head {sizes.head}")
    if wrong := [key for key, one in built.state_dict().items() if not torch.isfinite(one).all()]:
        raise WeightsError(
            f"{path} has NaN or infinity in {wrong[0]}. Expected finite weights. Train again, or copy it again"
        )
    return built.float().eval().requires_grad_(False)


def _network(state: Mapping[str, Tensor], path: Path) -> str:
    of = [name for name, key in MARKS.items() if key in state]
    if len(of) != 1:
        raise WeightsError(
            f"{path} has no weights of {', '.join(MARKS)}. Expected a file of the 3DOS trainer, with entry 'model'. "
            "Give another --ckpt"
        )
    return of[0]


def _head(state: Mapping[str, Tensor], path: Path, classes: int) -> str:
    count = next((state[key].shape[0] for key in _HEADS if key in state and state[key].ndim), 0)
    counts = {"head.3.weight": {classes: "CE"}, "head.points": {classes: "ARPL"}}
    counts["head.weight"] = {classes: "cosine", 3 * classes: "subcenter_arcface"}
    head = next((counts[key].get(count) for key in _HEADS if key in state), None)
    if head is None:
        what = f"a head with {count} rows" if count else f"none of the heads {', '.join(HEADS)}"
        raise WeightsError(
            f"{path} has {what}. Expected a head for {classes} known classes. Give the --set it was trained on"
        )
    return head


_HEADS = ("head.3.weight", "head.points", "head.weight")


def write(path: Path, network: Classifier, epoch: int) -> Path:
    """Write the network in the published layout, atomically."""
    state = {f"module.{key}": one.detach().cpu() for key, one in network.state_dict().items()}
    with replacing(path) as partial:
        torch.save({"model": state, "epoch": epoch}, partial)
    return path
