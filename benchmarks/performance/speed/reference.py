"""The reference implementation itself, from a checkout: github.com/Colin97/OpenShape_code's support library.

The library is OpenShape/openshape-demo-support on the Hugging Face Hub. Nothing of it is changed but two functions of
its module `pointnet_util`, by which the clock is told where its stages end; on a GPU its farthest-point sampling,
which needs a dgl built for CUDA, is replaced by the plain loop.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from benchmarks.performance.harness import Clock, Pass
from benchmarks.performance.speed.plain import PlainPointBERT
from openshape_ood.errors import InputError, MissingPackageError, OpenShapeError
from openshape_ood.registry.architectures import PointBERTSizes

MODULES = ("openshape.ppat_rgb", "openshape.pointnet_util")
CALLED = {"farthest_point_sample": "sample", "query_ball_point": "group"}
FROM = {"dgl": "openshape-ood[dgl]", "torch_redstone": "torch.redstone"}


class Reference:
    """The reference's network with given weights; `pass_of` times it.

    folder: a checkout whose `openshape/` can be imported. That runs its code.
    """

    def __init__(
        self, folder: Path, sizes: PointBERTSizes, weights: Mapping[str, Tensor], device: torch.device
    ) -> None:
        body, self._util = _modules(folder)  # functions of the second are replaced by ones that take the time
        self._network = _network(body, sizes, weights, folder).to(device).eval()
        self._clock: Clock | None = None
        if device.type == "cuda":
            self._util.farthest_point_sample = lambda xyz, _: PlainPointBERT(sizes, {}, device).sample(xyz)
        for name, stage in CALLED.items():
            self._time(name, stage)
        set_abstraction: Any = getattr(self._network, "ppat", self._network).sa
        set_abstraction.register_forward_hook(lambda *_: self._mark("abstract"))

    def pass_of(self, points: Tensor) -> Pass:
        """A pass of points (b, n, 6), which it takes as (b, 6, n)."""
        channels_first = points.transpose(1, 2).contiguous()

        def run(clock: Clock) -> Tensor:
            self._clock = clock
            embedding = self._run(channels_first)
            clock.mark("transform")
            return embedding

        return run

    def embed(self, points: Tensor, picked: Tensor) -> Tensor:
        """Embeddings (b, d) with given patch centers (b, p): its own sampling begins at a point drawn at random."""
        own = self._util.farthest_point_sample
        self._util.farthest_point_sample = lambda *_: picked
        try:
            return self._run(points.transpose(1, 2).contiguous())
        finally:
            self._util.farthest_point_sample = own

    def _run(self, channels_first: Tensor) -> Tensor:
        with redirect_stdout(io.StringIO()):  # some copies print the shape of every input
            embedding: Tensor = self._network(channels_first)
        return embedding

    def _time(self, name: str, stage: str) -> None:
        """Has the clock told whenever the function `name` of the checkout is done."""
        function = getattr(self._util, name)

        def marking(*args: Any) -> Any:
            found = function(*args)
            self._mark(stage)
            return found

        setattr(self._util, name, marking)

    def _mark(self, stage: str) -> None:
        if self._clock is not None:
            self._clock.mark(stage)


def _modules(folder: Path) -> tuple[Any, Any]:
    """The checkout's two modules, freshly imported: what is wrapped in one run is not wrapped again in the next."""
    for name in MODULES:
        if not (path := folder.joinpath(*name.split(".")).with_suffix(".py")).is_file():
            raise InputError(
                f"--reference {folder} has no {path.relative_to(folder)}; expected a checkout of the OpenShape support "
                "library, OpenShape/openshape-demo-support on the Hugging Face Hub"
            )
    with _importable(folder):
        try:
            body, util = (importlib.import_module(name) for name in MODULES)
        except ModuleNotFoundError as error:
            name = (error.name or "").partition(".")[0]
            raise MissingPackageError(
                f"the reference in {folder} needs {name}: pip install '{FROM.get(name, name)}'"
            ) from error
        except Exception as error:  # somebody else's code, and dgl's own libraries on top
            raise OpenShapeError(f"--reference {folder} cannot be imported: {type(error).__name__}: {error}") from error
    lacking = [name for name in CALLED if not hasattr(util, name)]
    if lacking or not hasattr(body, "PointPatchTransformer"):
        raise InputError(f"--reference {folder} lacks {', '.join(lacking or ['PointPatchTransformer'])}")
    return body, util


@contextmanager
def _importable(folder: Path) -> Any:
    os.environ.setdefault("DGLBACKEND", "pytorch")  # without it dgl writes a file under the home folder
    for name in [name for name in sys.modules if name == "openshape" or name.startswith("openshape.")]:
        del sys.modules[name]
    before = list(sys.path)
    sys.path.insert(0, str(folder.resolve()))
    try:
        yield
    finally:
        sys.path[:] = before


def _network(body: ModuleType, sizes: PointBERTSizes, weights: Mapping[str, Tensor], folder: Path) -> torch.nn.Module:
    set_abstraction = (sizes.patch_width, sizes.patches, sizes.radius, sizes.patch_points)
    numbers = (sizes.width, sizes.depth, sizes.heads, sizes.mlp_width, *set_abstraction, sizes.channels)
    try:
        network = body.PointPatchTransformer(*numbers, dim_head=sizes.head_width)
        if sizes.projection:
            network = body.Projected(network, torch.nn.Linear(sizes.width, sizes.projection))
        own = {key if key.startswith("proj.") else f"ppat.{key}": value for key, value in weights.items()}
        network.load_state_dict(own if sizes.projection else dict(weights))
    except (TypeError, RuntimeError, AttributeError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--reference {folder} does not build this network: {first}") from error
    return network
