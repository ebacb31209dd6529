"""`python -m benchmarks speed`, small; no time is asserted, only that it was taken."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toy_network

from benchmarks.performance.harness import Clock, Quartiles, Turns, take_turns
from benchmarks.performance.networks import made_up_encoder, made_up_weights
from benchmarks.performance.speed import products
from benchmarks.performance.speed.baselines import PlainPointBERT, Reference
from benchmarks.performance.speed.command import main, parse
from benchmarks.performance.speed.contenders import (
    LIMITS,
    STAGES,
    agreement,
    exact,
    prepared,
    read,
    relative,
    staged,
    write_files,
)
from benchmarks.performance.speed.measuring import Settings, measure
from openshape_ood.encoders.grouping.plain import ball_query, farthest_point_sampling
from openshape_ood.errors import InputError, MissingPackageError, OpenShapeError
from openshape_ood.registry import Row, find_checkpoint
from openshape_ood.registry.architectures import PointBERTSizes
from openshape_ood.registry.extensions import VARIABLE

CPU = torch.device("cpu")
LIMIT = LIMITS["float32"]
WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
SMALL = PointBERTSizes(
    width=16,
    depth=2,
    heads=2,
    head_width=8,
    mlp_width=32,
    patches=10,
    radius=0.3,
    patch_points=6,
    patch_width=20,
    channels=6,
    projection=12,
)


@pytest.fixture(scope="module")
def row() -> Row:
    return find_checkpoint("tiny")


@pytest.fixture(scope="module")
def points(row: Row, tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    """Three prepared clouds (3, 300, 6) that were files."""
    files = write_files(tmp_path_factory.mktemp("files"), 3, 300)
    return torch.from_numpy(prepared(row.spec, read(files["clouds"], 300), 300))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    out, printed = tmp_path_factory.mktemp("speed"), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(io.StringIO()):
        assert main(["--quick", "--threads", "1", "--no-memory", "--out", str(out)]) == 0
    return json.loads(next(out.glob("speed-cpu-quick*.json")).read_text(encoding="utf-8")), printed.getvalue(), out


def test_the_plain_way_gives_the_same_embeddings(row: Row, points: torch.Tensor) -> None:
    weights = made_up_weights(row)
    ours, plain = made_up_encoder(row, weights, CPU), PlainPointBERT(row.sizes, weights)
    found = agreement(ours.network, plain, points, "float32")
    assert found.embedding < LIMIT and found.whole < LIMIT
    assert found.picked == found.members == 1
    assert ours.encode_prepared(points.numpy()) == pytest.approx(plain(points).numpy(), abs=1e-4)


def test_other_weights_are_noticed(row: Row, points: torch.Tensor) -> None:
    ours = made_up_encoder(row, made_up_weights(row, seed=1), CPU)
    with pytest.raises(OpenShapeError, match="do not compute the same"):
        agreement(ours.network, PlainPointBERT(row.sizes, made_up_weights(row)), points, "float32")


def test_lower_precision_stays_near(row: Row, points: torch.Tensor) -> None:
    weights = made_up_weights(row)
    ours = made_up_encoder(row, weights, CPU, "bfloat16")
    found = agreement(ours.network, PlainPointBERT(row.sizes, weights, dtype=torch.bfloat16), points, "bfloat16")
    assert LIMIT < found.embedding < 0.1 and found.members == 1


def test_plain_grouping_is_that_of_the_library(points: torch.Tensor) -> None:
    """Duplicates and short groups included."""
    doubled = torch.cat([points[:, :100], points[:, :100]], dim=1)
    for clouds, radius in ((points, 0.3), (doubled, 0.05)):
        plain = PlainPointBERT(replace(SMALL, radius=radius), {})
        picked = plain.sample(clouds)
        assert torch.equal(picked, farthest_point_sampling(clouds[..., :3], 10))
        centers, members = plain.group(clouds, picked)
        assert torch.equal(members, ball_query(clouds[..., :3], centers, radius, 6))


def test_random_weights_are_those_of_a_seed(row: Row) -> None:
    small = replace(row, sizes=SMALL)
    first, again, other = (made_up_weights(small, seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["cls_token"], other["cls_token"])


def seen(row: Row, plain: bool, clouds: int = 2) -> list[products.Product]:
    """The products of one pass of clouds of 50 points through a network of the sizes SMALL."""
    small = replace(row, sizes=SMALL)
    weights = made_up_weights(small)
    network = PlainPointBERT(SMALL, weights) if plain else made_up_encoder(small, weights, CPU).network
    with exact(CPU):
        return products.products_of(staged(network, torch.rand(clouds, 50, 6)), ("abstract", "transform"))


def test_operations_of_the_plain_way(row: Row) -> None:
    # 2 clouds, 10 patches of 6: 120 members; 11 tokens each, 22 together
    abstraction = 2 * 120 * (9 * 64 + 64 * 64 + 64 * 20)
    lift = 2 * 20 * 23 * 16
    # qkv 16 -> 48, scores and mixing of 2 heads of 8, output 16 -> 16, feed-forward 16 -> 32 -> 16
    block = 2 * 22 * 16 * 48 + 2 * (2 * 2) * 11 * 11 * 8 * 2 + 2 * 22 * 16 * 16 + 2 * 22 * 16 * 32 * 2
    projection = 2 * 2 * 16 * 12
    assert products.flop(seen(row, plain=True)) == {
        "abstract": abstraction,
        "transform": lift + 2 * block + projection,
    }


def test_our_network_does_the_operations_that_are_needed_and_no_more(row: Row) -> None:
    """Which is what makes its own products a bound: counted by hand."""
    # the first layer on 2 x 50 points and, for the centers, on 2 x 10; then as in the plain way
    abstraction = 2 * 100 * 6 * 64 + 2 * 20 * 3 * 64 + 2 * 120 * (64 * 64 + 64 * 20)
    lift, projection = 2 * 20 * 23 * 16, 2 * 2 * 16 * 12
    whole = 2 * 22 * 16 * 48 + 2 * (2 * 2) * 11 * 11 * 8 * 2 + 2 * 22 * 16 * 16 + 2 * 22 * 16 * 32 * 2
    # keys and values of all 22 tokens; query, one row of scores, output and feed-forward of 2
    last = 2 * 22 * 16 * 32 + 2 * 2 * 16 * 16 + 2 * 4 * 11 * 8 * 2 + 2 * 2 * 16 * 16 + 2 * 2 * 16 * 32 * 2
    assert products.flop(seen(row, plain=False)) == {
        "abstract": abstraction,
        "transform": lift + whole + last + projection,
    }


def test_pieces_with_the_same_weights_are_one_product(row: Row) -> None:
    # each cloud goes through the first layer by itself, and its points are still one product with those of the others
    rows = [p.rows for p in seen(row, plain=False, clouds=3) if (p.stage, p.inner) == ("abstract", 6)]
    assert rows == [3 * 50]


def test_products_of_other_layers() -> None:
    """Fused layers, grouped and transposed convolutions: 2 flop a weight and place."""
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    x, image = torch.rand(3, 5, 16), torch.rand(2, 4, 10)
    grouped, up = torch.nn.Conv1d(4, 6, 3, groups=2), torch.nn.ConvTranspose1d(4, 6, 2, stride=2)

    def run(clock: Clock) -> None:
        layer(x)
        clock.mark("layer")
        grouped(image)
        clock.mark("grouped")
        up(image)
        clock.mark("up")
        x @ x.transpose(1, 2)
        clock.mark("left out")

    with torch.inference_mode():
        found = products.flop(products.products_of(run, ("layer", "grouped", "up")))
    attention = 2 * 3 * 2 * 5 * 5 * 8 * 2
    assert found["layer"] == attention + 2 * 15 * 16 * (48 + 16 + 32 + 32)
    assert found["grouped"] == 2 * (2 * 8) * 6 * (2 * 3) and found["up"] == 2 * (2 * 10) * 4 * (6 * 2)
    assert set(found) == {"layer", "grouped", "up"}


def test_the_bound_multiplies_what_is_counted(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a product is done in pieces: the multiplications of the pieces add up to the count."""
    monkeypatch.setattr(products, "LARGEST", 500)
    counted = {"abstract": 0, "transform": 0}
    stage = ["abstract"]
    real = {"mm": torch.mm, "bmm": torch.bmm}

    def counting(name: str) -> Any:
        def multiply(a: torch.Tensor, b: torch.Tensor, *, out: torch.Tensor) -> torch.Tensor:
            counted[stage[0]] += 2 * a.numel() * b.shape[-1]
            return real[name](a, b, out=out)

        return multiply

    needed = seen(row, plain=False, clouds=3)
    for name in real:
        monkeypatch.setattr(torch, name, counting(name))
    clock = Clock()
    monkeypatch.setattr(clock, "mark", lambda done: stage.__setitem__(0, "transform"))
    products.Bound(needed, CPU, torch.float32)(clock)
    assert counted == products.flop(needed)


def test_turns_are_taken_in_turn() -> None:
    order: list[str] = []

    def named(name: str) -> Any:
        def run(clock: Clock) -> None:
            order.append(name)
            clock.mark("first")
            clock.mark("second")
            clock.mark("first")

        return run

    turns = take_turns({"a": named("a"), "b": named("b")}, {"a": Clock, "b": Clock}, 2, 0)
    assert order == ["a", "b"] * 3  # once to warm up
    assert turns.count == 2 and turns.stages("b") == ["first", "second"]
    assert take_turns({"a": named("a")}, {"a": Clock}, None, 0).count == 3  # the least


def test_ratios_are_taken_within_a_turn() -> None:
    turns = Turns({"slow": [{"x": 2.0, "y": 1.0}, {"x": 40.0, "y": 20.0}], "fast": [{"x": 1.0}, {"x": 10.0}]})
    assert turns.ratio("slow", "fast") == Quartiles(4.5, 3.75, 5.25)  # of 3 and 6
    assert turns.time("slow", ("x",)).median == 21


def test_all_passes_of_a_network_agree(row: Row, points: torch.Tensor) -> None:
    ours = made_up_encoder(row, made_up_weights(row), CPU)
    clock = Clock()
    with exact(CPU):
        embedding = staged(ours.network, points)(clock)
    assert isinstance(embedding, torch.Tensor)
    assert np.array_equal(embedding.numpy(), ours.encode_prepared(points.numpy()))
    assert tuple(clock.seconds()) == STAGES


def test_the_report_has_what_the_tables_show(done: tuple[dict[str, Any], str, Path]) -> None:
    report, printed, out = done
    assert [(cell["model"], cell["batch"], cell["turns"]) for cell in report["cells"]] == [
        ("tiny", 1, 1),
        ("tiny", 2, 1),
    ]
    for cell in report["cells"]:
        assert set(cell["ratios"]) == {"plain / ours", "ours / bound", "plain / bound"}
        assert set(cell["ratios"]["plain / ours"]) == {"all", "all but sampling", *STAGES}
        assert set(cell["ratios"]["ours / bound"]) == {"all", "abstract", "transform"}
        assert set(cell["seconds"]["files"]) == {"read", "prepare", "score", "read meshes"}
        figures = [figure for who in cell["seconds"].values() for figure in who.values()]
        assert all(0 < figure["quartile_1"] <= figure["median"] <= figure["quartile_3"] for figure in figures)
        assert cell["agreement"]["embedding"] < LIMIT
        assert 0 < cell["flop"]["needed"]["transform"] < cell["flop"]["plain"]["transform"]
    assert report["settings"]["threads"] == 1 and report["versions"]["torch"] == torch.__version__
    assert "plain / ours" in printed and "ON THIS MACHINE" in printed and "set abstraction" in printed
    assert "Quote a range" in printed
    assert sorted(path.suffix for path in out.iterdir()) == [".json", ".png"]


def settings(memory: bool, **other: Any) -> Settings:
    return Settings("cpu", 1, 64, 1, 0, "", memory, **other)


def test_what_goes_wrong_in_the_other_process_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (cell,) = measure("tiny", "float32", [1], settings(memory=True))
    said = capsys.readouterr().err  # the times are kept
    assert cell.memory == {} and "note: peak memory of plain, tiny, batch 1: exit status 1" in said


def test_an_architecture_of_ones_own_is_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time, its bound and its memory, and nothing of a PointBERT's."""
    monkeypatch.setenv(VARIABLE, "")
    registry = toy_network.write_row(tmp_path)
    argv = ["--quick", "--threads", "1", "--registry", str(registry), "--model", "toy", "--batch", "2"]
    assert main([*argv, "--import", "toy_network", "--out", str(tmp_path)]) == 0
    (cell,) = json.loads(next(tmp_path.glob("speed-cpu-quick*.json")).read_text(encoding="utf-8"))["cells"]
    assert set(cell["ratios"]) == {"ours / bound"} and set(cell["ratios"]["ours / bound"]) == {"all", "network"}
    assert cell["flop"] == {"needed": {"network": 2 * 2 * 256 * 6 * 16 + 2 * 2 * 16 * 8}}
    assert cell["agreement"] is None and list(cell["peak_bytes"]) == ["ours"]
    assert 0 < cell["peak_bytes"]["ours"]["loaded"] <= cell["peak_bytes"]["ours"]["whole"]
    printed = capsys.readouterr().out
    assert "ours / bound" in printed and "plain / ours" not in printed and "network" in printed
    assert main([*argv, "--import", "toy_network", "--reference", "here", "--out", str(tmp_path)]) == 1
    assert "toy is of the architecture toy" in capsys.readouterr().err


def test_how_long_a_cloud_takes_beside_the_first_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    registry = toy_network.write_row(tmp_path)
    argv = ["--quick", "--registry", str(registry), "--model", "tiny", "toy", "--batch", "1", "--import", "toy_network"]
    argv += ["--cpu-seconds", "--no-plain", "--no-memory", "--no-picture", "--out", str(tmp_path)]
    assert main([*argv, "--threads", "2"]) == 1
    assert "expected --threads 1" in capsys.readouterr().err
    assert main([*argv, "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "Time per cloud relative to tiny (float32, batches of 1): toy " in printed and "plain / ours" not in printed


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--batch", "0"], "--batch is 0"),
        (["--quick", "--points", "-1"], "--points is -1"),
        (["--quick", "--device", "nonsense"], "'nonsense' cannot be used"),
        (["--quick", "--device", "meta"], "cannot be used"),
        pytest.param(["--quick", "--device", "cuda"], "device 'cuda' cannot be used here", marks=WITHOUT_GPU),
        (["--quick", "--no-memory", "--reference", "/no/such/folder"], "expected a checkout"),
        (["--quick", "--model", "tiny+vitb32"], "expected single networks: --model tiny vitb32"),
    ],
)
def test_wrong_options_are_said(argv: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*argv, "--threads", "1", "--out", str(tmp_path)]) == 1
    assert said in capsys.readouterr().err


def test_quick_is_small_but_for_what_is_asked() -> None:
    args = parse(["--quick", "--batch", "3"])
    assert (args.model, args.batch, args.points, args.repeats) == (["tiny"], [3], 256, 1)
    assert parse([]).model == ["vitg14", "vitb32"]


# the reference's modules, their network a stand-in of the plain way with the same parameters by other means
BODY = """
import torch
from . import pointnet_util

class SetAbstraction(torch.nn.Module):
    def forward(self, points):
        picked = pointnet_util.farthest_point_sample(points[..., :3], 48)
        return pointnet_util.query_ball_point(0.3, 24, points[..., :3], picked)

class PointPatchTransformer(torch.nn.Module):
    def __init__(self, *sizes, dim_head):
        super().__init__()
        self.sizes, self.sa, self.given = sizes, SetAbstraction(), {}
    def load_state_dict(self, weights):
        self.given = weights
    def forward(self, x):
        print("said by a stand-in")
        return self.sa(x.transpose(1, 2))

class Projected(torch.nn.Module):
    def __init__(self, ppat, proj):
        super().__init__()
        self.ppat, self.proj = ppat, proj
    def load_state_dict(self, weights):
        assert all(key.startswith(("ppat.", "proj.")) for key in weights)
    def forward(self, x):
        return self.ppat(x)
"""
UTIL = """
def farthest_point_sample(xyz, npoint):
    return xyz[:, :npoint]

def query_ball_point(radius, nsample, xyz, new_xyz):
    return new_xyz.sum(dim=1)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    package = tmp_path / "openshape"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "ppat_rgb.py").write_text(BODY)
    (package / "pointnet_util.py").write_text(UTIL)
    before = list(sys.path)
    yield tmp_path
    assert sys.path == before
    for name in [name for name in sys.modules if name.partition(".")[0] == "openshape"]:
        del sys.modules[name]


def test_the_stages_of_a_reference_are_timed(
    checkout: Path, row: Row, points: torch.Tensor, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, clock = Reference(checkout, row.sizes, made_up_weights(row), CPU), Clock()
    found = reference.pass_of(points)(clock)
    assert tuple(clock.seconds()) == STAGES
    assert torch.equal(torch.as_tensor(found), points[:, :48, :3].sum(dim=1))
    picked = points[:, 5:9, :3]
    assert torch.equal(reference.embed(points, picked), picked.sum(dim=1))
    assert torch.equal(torch.as_tensor(reference.pass_of(points)(clock)), points[:, :48, :3].sum(dim=1))  # put back
    assert capsys.readouterr().out == ""


def test_a_missing_package_of_the_reference_is_named(checkout: Path, row: Row) -> None:
    (checkout / "openshape" / "pointnet_util.py").write_text("import torch_redstone_of_the_tests\n")
    with pytest.raises(MissingPackageError, match="needs torch_redstone_of_the_tests: pip install"):
        Reference(checkout, row.sizes, made_up_weights(row), CPU)


def test_a_checkout_that_is_not_whole_is_said(checkout: Path, row: Row) -> None:
    util = checkout / "openshape" / "pointnet_util.py"
    util.write_text("")
    with pytest.raises(InputError, match="lacks farthest_point_sample, query_ball_point"):
        Reference(checkout, row.sizes, made_up_weights(row), CPU)
    util.unlink()
    with pytest.raises(InputError, match=r"has no openshape/pointnet_util\.py"):
        Reference(checkout, row.sizes, made_up_weights(row), CPU)


def test_relative_difference_is_the_worst_row() -> None:
    a = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert relative(a, torch.tensor([[3.0, 4.0], [0.0, 1.0]])) == 1
