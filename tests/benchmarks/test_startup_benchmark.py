"""benchmarks.startup: the checkpoint it makes up, what it refuses to report, and a whole run with small sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from published import published_shapes

from benchmarks.performance import networks, startup
from benchmarks.performance.harness import MIB, apart, medians
from openshape_ood.errors import OpenShapeError
from openshape_ood.registry.files import sha256
from openshape_ood.registry.rows import find_checkpoint


@pytest.mark.parametrize("model", ["vitb32", "vitl14", "vitg14"])
def test_the_layout_is_the_published_one(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = find_checkpoint(model)
    noise = lambda name, like, stream: torch.empty(like.shape, device="meta")  # noqa: E731
    monkeypatch.setattr(networks, "_noise", noise)
    content = startup.made_up_checkpoint(row)
    state = content["state_dict"] if row.keys.inside else content
    expected = {row.keys.prefix + key: shape for key, shape in published_shapes(model).items()}
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == expected


def test_the_optimizer_has_two_moments_of_each_weight(tmp_path: Path) -> None:
    checkpoint, _ = startup.write_download(tmp_path, "tiny")
    content = torch.load(checkpoint, weights_only=True)
    weights = [tensor for tensor in content["state_dict"].values() if tensor.is_floating_point()]
    moments = content["optimizer"]["state"].values()
    assert [(m["exp_avg"].shape, m["exp_avg_sq"].shape) for m in moments] == [(w.shape, w.shape) for w in weights]


def test_the_registry_is_the_row_with_a_file_of_its_own(tmp_path: Path) -> None:
    checkpoint, registry = startup.write_download(tmp_path, "tiny")
    found, row = find_checkpoint("tiny", registry), find_checkpoint("tiny")
    assert [checkpoint] == list(tmp_path.glob("cache/hub/models--made-up--checkpoint/snapshots/*/model.pt"))
    assert found.source.repo == "made-up/checkpoint" and found.source.sha256 == sha256(checkpoint)
    assert (found.sizes, found.text, found.spec) == (row.sizes, row.text, row.spec)
    assert found.keys == find_checkpoint("vitg14").keys


@pytest.mark.slow
def test_a_run_prints_ratios_and_leaves_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "own"))  # the caller's, to be left alone
    assert startup.main(["--model", "tiny", "--repeats", "1", "--out", str(tmp_path / "new"), "--quiet"]) == 0
    found = json.loads((tmp_path / "new" / "startup-tiny.json").read_text(encoding="utf-8"))
    assert list(found["ways"]) == list(found["runs"]) == ["before", "first", "later"]
    assert all(0 < way["seconds"] < way["first_embedding"] for way in found["ways"].values())
    assert found["equal_bit_for_bit"] and found["bytes"]["stripped"] < found["bytes"]["checkpoint"] / 2
    assert not (tmp_path / "own").exists()
    out, err = capsys.readouterr()
    assert "from the stripped file" in out and "(1.0×)" in out and "startup-tiny.json" in out and not err


def figures(seconds: float, mib: float | None) -> dict[str, Any]:
    held = None if mib is None else mib * MIB
    return {"seconds": seconds, "first_embedding": 2 * seconds} | dict.fromkeys(
        ("peak", "peak_embedding", "private"), held
    )


def test_the_table_is_of_medians_and_ratios() -> None:
    shown = tuple(startup.FIGURES)
    ways = {
        "before": medians([figures(1.0, 100), figures(9.0, 400), figures(2.0, 200)], shown),
        "first": medians([figures(4.0, None)], shown),
        "later": medians([figures(0.5, 0)], shown),
    }
    lines = [" ".join(line.split()) for line in startup.table(ways).splitlines()]
    assert ways["before"]["fastest"] == 1 and ways["before"]["slowest"] == 9
    assert lines[2:] == [
        "from the checkpoint 2.000 (1.0×) 4.000 (1.0×) 200.0 (1.0×) 200.0 (1.0×) 200.0 (1.0×)",
        "first, writes the stripped file 4.000 (0.5×) 8.000 (0.5×) – – –",
        "from the stripped file 0.500 (4.0×) 1.000 (4.0×) 0.0 0.0 0.0",
    ]


@pytest.mark.parametrize(
    "way, change, message",
    [
        ("before", {"embedding": "b"}, "not equal bit for bit"),
        ("later", {"embedding": "b"}, "not equal bit for bit"),
        ("later", {"file": [10, 2]}, "did not take the stripped file"),
        ("first", {"file": None}, "did not take the stripped file"),
    ],
)
def test_what_is_not_as_meant_is_no_result(way: str, change: dict[str, Any], message: str) -> None:
    runs = {name: [{"embedding": "a", "file": [10, 1]}] for name in startup.WAYS}
    startup.check_runs(runs)
    runs[way][0] |= change
    with pytest.raises(OpenShapeError, match=message):
        startup.check_runs(runs)


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(OpenShapeError, match=r"start 'later': .*cannot read the registry"):
        apart("start 'later'", startup.start, "later", "tiny", "", str(tmp_path / "none.toml"))


def test_repeats_that_cannot_be_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert startup.main(["--repeats", "0"]) == 1
    assert "--repeats is 0" in capsys.readouterr().err
