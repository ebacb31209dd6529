"""Baselines for speed: a plain implementation of PointBERT, and the reference implementation.

The plain implementation computes all distances by a matrix product, sorts them for the ball query, and samples farthest
points in a loop. Convolution and batch normalization are separate steps on the grouped tensor, attention has an
explicit matrix, and all tokens pass through all blocks. Network: `ppat` of Liu et al., "OpenShape", arXiv 2305.10764;
set abstraction of PointNet++, arXiv 1706.02413. Differences of centers, which the reference computes but never uses,
are left out.

The reference is a checkout of OpenShape/openshape-demo-support on the Hugging Face Hub. Two functions of its module
`pointnet_util` are wrapped to record the end of a stage. On a GPU the plain loop replaces its farthest-point sampling,
which needs a dgl built for CUDA.

Shapes: b clouds, n points, p patches of k points, s features per patch, t = p + 1 tokens of width w, d numbers per
embedding.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.performance.harness import Clock, Pass
from openshape_ood.errors import InputError, MissingPackageError, OpenShapeError
from openshape_ood.registry.architectures import PointBERTSizes

BATCH_NORM = ("running_mean", "running_var", "weight", "bias")
MODULES = ("openshape.ppat_rgb", "openshape.pointnet_util")
CALLED = {"farthest_point_sample": "sample", "query_ball_point": "group"}
FROM = {"dgl": "openshape-ood[dgl]", "torch_redstone": "torch.redstone"}


class PlainPointBERT:
    """Clouds (b, n, 6) -> embeddings (b, d), in the same stages as the encoder's network.

    sizes: sizes of the network; dtype: precision of the layers, not of sampling and grouping.
    """

    def __init__(
        self,
        sizes: Any,
        weights: Mapping[str, Tensor],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.sizes, self.device, self.dtype = sizes, torch.device(device), dtype
        self.weights = {key: tensor.to(device) for key, tensor in weights.items()}

    def __call__(self, points: Tensor) -> Tensor:
        centers, members = self.group(points, self.sample(points))
        return self.transform(centers, self.abstract(points, centers, members))

    def sample(self, points: Tensor) -> Tensor:
        """Farthest-point sampling: indices (b, p), beginning with point 0."""
        xyz = points[..., :3]
        rows = torch.arange(len(xyz), device=xyz.device)
        picked = torch.zeros(len(xyz), self.sizes.patches, dtype=torch.long, device=xyz.device)
        nearest = torch.full(xyz.shape[:2], torch.inf, device=xyz.device)
        for i in range(1, self.sizes.patches):
            last = xyz[rows, picked[:, i - 1]][:, None]
            nearest = torch.minimum(nearest, ((xyz - last) ** 2).sum(dim=-1))
            picked[:, i] = nearest.argmax(dim=-1)
        return picked

    def group(self, points: Tensor, picked: Tensor) -> tuple[Tensor, Tensor]:
        """Centers (b, p, 3), and the k lowest indices (b, p, k) in each ball.

        If it has fewer, the first is repeated.
        """
        xyz = points[..., :3]
        n, k = xyz.shape[1], self.sizes.patch_points
        centers = rows_at(xyz, picked)
        squared = -2 * centers @ xyz.transpose(1, 2)
        squared += (centers**2).sum(dim=-1)[:, :, None]
        squared += (xyz**2).sum(dim=-1)[:, None, :]
        indices = torch.arange(n, device=xyz.device).expand_as(squared)
        inside = torch.where(squared > self.sizes.radius**2, n, indices)
        lowest = inside.sort(dim=-1).values[..., :k]
        return centers, torch.where(lowest == n, lowest[..., :1], lowest)

    def abstract(self, points: Tensor, centers: Tensor, members: Tensor) -> Tensor:
        """Features (b, p, s): three layers per member of a group, then the maximum over the group."""
        group = rows_at(points, members)
        offsets = group[..., :3] - centers[:, :, None]
        x = torch.cat([offsets, group], dim=-1).permute(0, 3, 2, 1)
        with self._precision():
            for i in range(3):
                x = F.conv2d(x, self.weights[f"sa.mlp_convs.{i}.weight"], self.weights[f"sa.mlp_convs.{i}.bias"])
                x = F.relu(self._batch_norm(x, f"sa.mlp_bns.{i}"))
            return x.amax(dim=2).transpose(1, 2)

    def transform(self, centers: Tensor, features: Tensor) -> Tensor:
        """Embeddings (b, d) from centers (b, p, 3) and features (b, p, s)."""
        with self._precision():
            x = torch.cat([centers.to(features.dtype), features], dim=-1).transpose(1, 2)
            x = F.conv1d(x, self.weights["lift.0.weight"], self.weights["lift.0.bias"]).transpose(1, 2)
            x = self._layer_norm(x, "lift.2")
            first = self.weights["cls_token"].to(x.dtype).expand(len(x), 1, -1)
            x = torch.cat([first, x], dim=1)
            for i in range(self.sizes.depth):
                block = f"transformer.layers.{i}"
                x = self._attention(self._layer_norm(x, f"{block}.0.norm"), f"{block}.0.fn") + x
                x = self._feed_forward(self._layer_norm(x, f"{block}.1.norm"), f"{block}.1.fn.net") + x
            return self._linear(x[:, 0], "proj") if self.sizes.projection else x[:, 0]

    def _attention(self, x: Tensor, key: str) -> Tensor:
        b, t, _ = x.shape
        heads, wide = self.sizes.heads, self.sizes.head_width
        q, k, v = (
            part.view(b, t, heads, wide).transpose(1, 2) for part in self._linear(x, f"{key}.to_qkv").chunk(3, -1)
        )
        table = (q @ k.transpose(-1, -2) * wide**-0.5).softmax(dim=-1)  # (b, heads, t, t)
        mixed = (table @ v).transpose(1, 2).reshape(b, t, heads * wide)
        return self._linear(mixed, f"{key}.to_out.0")

    def _feed_forward(self, x: Tensor, key: str) -> Tensor:
        return self._linear(F.gelu(self._linear(x, f"{key}.0")), f"{key}.3")

    def _linear(self, x: Tensor, key: str) -> Tensor:
        return F.linear(x, self.weights[f"{key}.weight"], self.weights.get(f"{key}.bias"))

    def _layer_norm(self, x: Tensor, key: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.weights[f"{key}.weight"], self.weights[f"{key}.bias"])

    def _batch_norm(self, x: Tensor, key: str) -> Tensor:
        mean, variance, weight, bias = (self.weights[f"{key}.{name}"] for name in BATCH_NORM)
        return F.batch_norm(x, mean, variance, weight, bias)

    def _precision(self) -> Any:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def rows_at(points: Tensor, indices: Tensor) -> Tensor:
    """Rows of `points` (b, n, c) at `indices` (b, ...) -> (b, ..., c)."""
    cloud = torch.arange(len(points), device=points.device).view(-1, *(1,) * (indices.ndim - 1))
    return points[cloud, indices]


class Reference:
    """The network of the reference with given weights. It runs the code of the checkout."""

    def __init__(
        self, folder: Path, sizes: PointBERTSizes, weights: Mapping[str, Tensor], device: torch.device
    ) -> None:
        body, self._util = _modules(folder)  # functions of `_util` are wrapped below to record times
        self._network = _network(body, sizes, weights, folder).to(device).eval()
        self._clock: Clock | None = None
        if device.type == "cuda":
            self._util.farthest_point_sample = lambda xyz, _: PlainPointBERT(sizes, {}, device).sample(xyz)
        for name, stage in CALLED.items():
            self._time(name, stage)
        set_abstraction: Any = getattr(self._network, "ppat", self._network).sa
        set_abstraction.register_forward_hook(lambda *_: self._mark("abstract"))

    def pass_of(self, points: Tensor) -> Pass:
        """A pass of points (b, n, 6), which the reference expects as (b, 6, n)."""
        channels_first = points.transpose(1, 2).contiguous()

        def run(clock: Clock) -> Tensor:
            self._clock = clock
            embedding = self._run(channels_first)
            clock.mark("transform")
            return embedding

        return run

    def embed(self, points: Tensor, picked: Tensor) -> Tensor:
        """Embeddings (b, d) with given patch centers (b, p). The reference itself starts sampling at a random point."""
        before = self._util.farthest_point_sample
        self._util.farthest_point_sample = lambda *_: picked
        try:
            return self._run(points.transpose(1, 2).contiguous())
        finally:
            self._util.farthest_point_sample = before

    def _run(self, channels_first: Tensor) -> Tensor:
        with redirect_stdout(io.StringIO()):  # some copies print the shape of every input
            return self._network(channels_first)

    def _time(self, name: str, stage: str) -> None:
        """Wrap the function `name` of the checkout, so that its end is marked as the end of a stage."""
        function = getattr(self._util, name)

        def marking(*args: Any) -> Any:
            result = function(*args)
            self._mark(stage)
            return result

        setattr(self._util, name, marking)

    def _mark(self, stage: str) -> None:
        if self._clock is not None:
            self._clock.mark(stage)


def _modules(folder: Path) -> tuple[Any, Any]:
    """Import the two modules of the checkout again, so that no function is wrapped twice."""
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
        except Exception as error:  # foreign code, which may raise anything
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


def _network(body: Any, sizes: PointBERTSizes, weights: Mapping[str, Tensor], folder: Path) -> torch.nn.Module:
    set_abstraction = (sizes.patch_width, sizes.patches, sizes.radius, sizes.patch_points)
    numbers = (sizes.width, sizes.depth, sizes.heads, sizes.mlp_width, *set_abstraction, sizes.channels)
    try:
        network = body.PointPatchTransformer(*numbers, dim_head=sizes.head_width)
        if sizes.projection:
            network = body.Projected(network, torch.nn.Linear(sizes.width, sizes.projection))
        renamed = {key if key.startswith("proj.") else f"ppat.{key}": value for key, value in weights.items()}
        network.load_state_dict(renamed if sizes.projection else dict(weights))
    except (TypeError, RuntimeError, AttributeError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"--reference {folder} does not build this network: {first}") from error
    return network
