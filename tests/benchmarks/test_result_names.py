"""Names of results: a run with other settings overwrites no other run, and the committed names stay."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import options
from benchmarks.questions import harness

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "results"
# command -> the committed result, and options of another run
QUESTIONS: dict[str, tuple[str, list[str]]] = {
    "scores": ("scores-tiny-generated", ["--per-class", "3"]),
    "comparators": ("comparators-tiny-generated", ["--compounds", "9"]),
    "discovery": ("discovery-tiny-generated", ["--seeds", "1", "2"]),
    "localize": ("explain-tiny", ["--count", "3"]),
}


def of(*words: str, **usual: Any) -> str:
    parser = options.parser("x", "x", "model", "data_root", "seeds", "data_seed", "per_class", "draws", "batch_size")
    parser.add_argument("--name", nargs="+", default=["sr1", "sr2"])
    parser.add_argument("--method")
    parser.add_argument("--kill", action="store_true")
    return options.suffix(parser.parse_args(words), **usual)


def test_what_is_not_as_usual_is_in_the_name() -> None:
    assert of() == of("--out", "elsewhere", "--quiet", "--per-class", "60") == ""
    assert of("--name", "sr2", "--data-seed", "1", "--seeds", "3", "1") == "-seeds-3-1-data-seed-1-name-sr2"
    assert of("--method", "knn", "--kill") == "-method-knn-kill"
    assert of("--per-class", "90", per_class=90) == "" and of(per_class=90) == "-per-class-60"
    assert of(kill=True) == "-no-kill"
    long = of("--method", "a/b:" * 40)
    assert len(long) < 30 and long != of("--method", "a/b:" * 39) and "/" not in of("--method", "a/b")


def test_defaults_are_no_settings() -> None:
    args = options.parser("x", "x", "seed").parse_args([])
    assert "usual" not in vars(args) and args.usual["seed"] == 0
    assert options.suffix(argparse.Namespace(seed=3)) == ""  # of a caller who has no parser


def test_the_machine_and_the_model_are_none_for_figures() -> None:
    args = options.parser("x", "x", "model", "batch_size", "device", "workers", "seed").parse_args(
        ["--model", "vitb32", "--batch-size", "4", "--device", "cpu", "--workers", "0", "--seed", "3"]
    )
    assert harness.settings_of(args) == "-seed-3"


@pytest.mark.parametrize("command", QUESTIONS)
def test_another_run_leaves_the_committed_one_alone(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each command as far as its name, with what it measures left out."""
    module = __import__(f"benchmarks.questions.{command}", fromlist=["main"])
    committed, other = QUESTIONS[command]
    names = list[str]()

    def kept(path: Path, content: Any) -> Path:
        names.append(path.name)
        return path

    report = json.loads((COMMITTED / f"{committed}.json").read_text())
    monkeypatch.setattr(harness, "write_json", kept)

    def finished(args: argparse.Namespace) -> None:
        named = {"scores": ("data_root",), "comparators": ("save",)}.get(command, ())
        harness.finish(args, committed, report | {"other_weights": []}, [], named=named)

    monkeypatch.setattr(module, "run", finished)
    for words in ([], other):
        assert module.main([*words, "--out", str(tmp_path)]) == 0
    assert names[0] == f"{committed}.json" and names[1] not in {path.name for path in COMMITTED.iterdir()}
