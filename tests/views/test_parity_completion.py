"""The completion networks against the numbers of the original code.

Where the environment variable OPENSHAPE_OOD_PARITY names a folder with `semabs_golden.npz`, its keys `small/*` and
`full/*` are compared; `seed` in it is that of weights and inputs. `python tests/views/test_parity_completion.py` prints
all differences.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden import FOLDER
from golden_completion import KINDS, Found, absent, check, differences, made, pack, seed
from published_completion import (
    FULL,
    LAYOUTS,
    NAMES,
    SMALL,
    affinities,
    box_points,
    completion_shapes,
    stream,
    text_embedding,
)

from openshape_ood.views.completion.grid import scatter
from openshape_ood.views.completion.network import RELATIONS

pytestmark = absent


def given(kind: torch.dtype, n: int = 700, m: int = 300) -> tuple[torch.Tensor, ...]:
    """Points (2, n, 3), affinities to targets and references (2, n, 1), queries (2, m, 3)."""
    points = box_points("input", seed(), (1, n)).repeat(2, axis=0)
    own = [affinities(name, seed(), (1, 2, n, 1))[0] for name in ("input", "reference")]
    arrays = (points, *own, box_points("query", seed(), (1, 2, m))[0])
    return tuple(torch.from_numpy(one).to(kind) for one in arrays)


def of_parts(kind: torch.dtype) -> Found:
    points, target, _, queries = given(kind)
    network = made("ovssc", kind)
    numbers = network.points(torch.cat([points, target], -1))
    yield "small/points_mlp", numbers
    index, size = network.grid.cells(points[0]), 16**3
    assert (index.unique().numpy() == pack()["small/scatter_cells"]).all()
    for pooling in ("mean", "max"):
        cells = torch.stack([scatter(one, index, size, pooling).T for one in numbers])
        yield f"small/scatter_{pooling}", cells[:, :, index.unique()]
        assert not np.delete(cells.numpy(), index.numpy(), axis=2).any()
    yield "small/unet_input_class0_norm", network.scattered(points, target)[0].norm()
    volume = network.volume(points, target)
    yield "small/unet", volume[0]
    yield "small/sampled", network.grid.read(volume, queries)
    axes = [torch.linspace(low, high, 16, dtype=kind) for low, high in ((-1, 1), (-1, 1), (-0.1, 1.9))]
    stored = torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]
    yield "small/positions_read_back", network.grid.read(stored, queries[:1])[0]
    yield "small/ovssc_logits", network(points, target, queries)[None]


def of_relations(kind: torch.dtype) -> Found:
    points, target, reference, queries = given(kind)
    network = made("vool", kind)
    joined = torch.cat([network.volume(points, one) for one in (target, reference)], 1)
    relation = network.relation_query(["behind", "in"])
    yield "small/vool_logits", network.decode(joined, queries, relation)[None]
    # another way to compare, which no released network has
    told = torch.cat([network.grid.read(joined, queries), network.grid.positions(queries)], -1)
    dots = (network.decoder(told) * relation[:, None]).sum(-1) / SMALL["pointing"] ** 0.5
    yield "small/vool_logits_dot_product", dots[None]
    six = network.relation_query(RELATIONS)
    yield (
        "small/vool_logits_six_relations",
        network.decode(joined[:1].repeat(6, 1, 1, 1, 1), queries[:1].repeat(6, 1, 1), six)[None],
    )
    sentence = made("clip_spatial", kind)
    yield "small/clip_spatial_logits", sentence(points, target, queries)[None]


def of_text(kind: torch.dtype) -> Found:
    points, _, _, queries = given(kind)
    color = stream("rgb", seed()).uniform(size=(1, 1, 700, 3)).astype(np.float32)[0].repeat(2, axis=0)
    rgb = torch.from_numpy(color).to(kind)
    text = torch.from_numpy(np.stack([text_embedding(name, SMALL["text"], seed()) for name in NAMES])).to(kind)
    yield "small/semaware_ovssc_logits", made("semaware_ovssc", kind)(points, rgb, queries, text[:2])[None]
    network = made("semaware_vool", kind)
    query = network.relation_query(["behind", "in"], (text[:2], text[2:4]))
    yield "small/semaware_vool_logits", network(points, rgb, queries, query)[None]


def of_full(kind: torch.dtype) -> Found:
    points, target, reference, queries = given(kind, 900, 200)
    network = made("ovssc", kind, 32, FULL)
    yield "full/points_mlp", network.points(torch.cat([points, target], -1))[:, :40]
    volume = network.volume(points, target)
    yield "full/unet_values", volume.flatten()[torch.from_numpy(pack()["full/unet_at"])]
    yield "full/unet_mean_std_norm", torch.stack([volume[0].mean(), volume[0].std(), volume[0].norm()])
    yield "full/ovssc_logits", network.decode(volume, queries)[None]
    network = made("vool", kind, 32, FULL)
    joined = torch.cat([network.volume(points, one) for one in (target, reference)], 1)
    yield "full/vool_logits", network.decode(joined, queries, network.relation_query(["behind", "in"]))[None]


QUICK: dict[str, Callable[[torch.dtype], Found]] = {"parts": of_parts, "relations": of_relations, "text": of_text}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", QUICK)
def test_parity_completion(what: str, kind: str) -> None:
    check(QUICK[what], kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_parity_completion_full(kind: str) -> None:
    check(of_full, kind)


def test_keys_of_the_published_completion_files() -> None:
    listed = json.loads(Path(FOLDER, "semabs_keys.json").read_text())
    for layout in LAYOUTS:
        for name, sizes in ((layout, FULL), (f"small/{layout}", SMALL)):
            assert completion_shapes(layout, sizes) == {key: tuple(shape) for key, shape in listed[name].items()}


def main() -> None:
    for kind in KINDS:
        for measure in (*QUICK.values(), of_full):
            for key, error, most in differences(measure, kind):
                print(f"{key:45} {error:.1e}  allowed {most:.1e}  {'' if error <= most else 'FAILS'}", flush=True)


if __name__ == "__main__":
    main()
