"""Files of trained baselines, in the layout of 3DOS's trainer: read without running what they hold, and written."""

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
# a key that only files of a network, or of a head, have
MARKS = {"dgcnn": "enco.conv1.0.weight", "pn2": "enco.SA_modules.0.mlps.0.0.weight"}
MARKS["pn2_torch"] = "enco.sa1.conv_blocks.0.0.weight"
ALIAS = "head.Dist.centers"  # the same tensor as head.points


def read(path: Path, classes: int, network: str | None = None, head: str | None = None) -> Classifier:
    """The classifier of a file, for evaluation, on the CPU; which it is, its tensors say.

    classes: known classes of the benchmark; network, head: what is expected. Raises `WeightsError` for another
    network, head or number of classes, for what is no checkpoint, would run code, or holds what is not finite.
    """
    if not path.is_file():
        raise WeightsError(f"no checkpoint file at {path}; `python -m benchmarks baselines train` makes one")
    state = {key.removeprefix("module."): one for key, one in read_weights(path, KEYS, path.name).items()}
    state.pop(ALIAS, None)
    found = Sizes(_network(state, path), _head(state, path, classes), classes)
    for wanted, own, what in ((network, found.network, "network"), (head, found.head, "head")):
        if wanted is not None and wanted != own:
            raise WeightsError(f"{path} holds a {what} {own!r}, not {wanted!r}; give --{what} {own}, or another file")
    with torch.device("meta"):
        built = Classifier(found)
    load_strictly(built, state, path, f"{found.network} with head {found.head}")
    if wrong := [key for key, one in built.state_dict().items() if not torch.isfinite(one).all()]:
        raise WeightsError(f"{path}: {wrong[0]} holds NaN or infinity; its training failed, or the file is damaged")
    return built.float().eval().requires_grad_(False)


def _network(state: Mapping[str, Tensor], path: Path) -> str:
    of = [name for name, key in MARKS.items() if key in state]
    if len(of) != 1:
        raise WeightsError(
            f"{path} has no tensors of {', '.join(MARKS)}; expected the file of a 3DOS trainer, with entry 'model'"
        )
    return of[0]


def _head(state: Mapping[str, Tensor], path: Path, classes: int) -> str:
    count = next((state[key].shape[0] for key in _HEADS if key in state and state[key].ndim), 0)
    counts = {"head.3.weight": {classes: "CE"}, "head.points": {classes: "ARPL"}}
    counts["head.weight"] = {classes: "cosine", 3 * classes: "subcenter_arcface"}
    found = next((counts[key].get(count) for key in _HEADS if key in state), None)
    if found is None:
        what = f"a head of {count} rows" if count else f"no head of {', '.join(HEADS)}"
        raise WeightsError(f"{path} has {what}; expected one for the {classes} known classes of the benchmark")
    return found


_HEADS = ("head.3.weight", "head.points", "head.weight")


def write(path: Path, network: Classifier, epoch: int) -> Path:
    """The network in the published layout, whole or not at all."""
    state = {f"module.{key}": one.detach().cpu() for key, one in network.state_dict().items()}
    with replacing(path) as partial:
        torch.save({"model": state, "epoch": epoch}, partial)
    return path
