"""The program as a process: what it imports, its streams and its exit codes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import run, run_json, write_shape
from forks import COMMAND, Forks
from rich.console import Console

import openshape_ood
from openshape_ood.cli import console

PROGRAM = [sys.executable, "-m", "openshape_ood"]
ENV = {**os.environ, "PYTHONPATH": str(Path(openshape_ood.__file__).parent.parent)}
PATIENCE = 300  # seconds, on a machine that is very busy
COMMANDS = ["score", "embed", "localize", "discover", "known", "checkpoints", "doctor", "demo", "serve"]


def test_the_version() -> None:
    done = subprocess.run([*PROGRAM, "--version"], env=ENV, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, f"openshape-ood {openshape_ood.__version__}\n")
    assert run_json("--version") == {"openshape_ood": openshape_ood.__version__}


@pytest.mark.parametrize("words", [[], ["score"], ["checkpoints", "fetch"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom openshape_ood.cli import main\n"
        f"sys.argv = ['openshape-ood', *{words!r}, '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    heavy = {"torch", "open_clip", "numpy", "matplotlib", "gradio", "pyarrow", "trimesh", "huggingface_hub", "sklearn"}
    assert not heavy & set(done.stderr.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_and_says_that_an_encoder_works_offline(command: str) -> None:
    text = " ".join(run(command, "--help").stdout.split())
    assert ("Examples:" in text and "--json" in text) or command in ("known", "checkpoints")
    assert ("tiny" in text or "small" in text) and "offline" in text


def test_help_without_a_command() -> None:
    shown = run("--help").stdout
    assert all(command in shown for command in COMMANDS)
    assert "--install-completion" in shown


def test_a_reader_that_leaves_is_no_error(tmp_path: Path, forks: Forks) -> None:
    files = [write_shape(tmp_path / f"{i}.npy", "chair", seed=i) for i in range(3)]
    words = ["score", *files, "--known", "chair", "--model", "tiny", "--threshold", "1"]
    for extra in ([], ["--json"]):
        done = forks.run(COMMAND, *words, *extra, unread=True)
        assert (done.returncode, done.stderr) == (141, "")


def test_an_interrupt_ends_it_with_130_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("openshape_ood.encoders.shape_encoder.ShapeEncoder.encode_batches", interrupt)
    write_shape(tmp_path / "shapes" / "a.npy", "chair")
    result = run("embed", tmp_path / "shapes", "--out", tmp_path / "x.npz", "--model", "tiny")
    assert result.exit_code == 130 and not result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_a_bar_on_a_terminal_and_on_the_standard_error_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminals = {stderr: Console(file=io.StringIO(), force_terminal=True, width=80) for stderr in (False, True)}
    monkeypatch.setattr(console, "console", lambda stderr=False: terminals[stderr])
    with console.progress("embedding", 3) as bar:
        for _ in range(3):
            bar.step()
    said = {stderr: terminal.file.getvalue() for stderr, terminal in terminals.items()}
    assert "embedding" in said[True] and "3/3" in said[True] and said[False] == ""


def test_json_may_stand_before_the_command(tmp_path: Path) -> None:
    chair = write_shape(tmp_path / "chair.npy", "chair")
    words = ["score", chair, "--known", "chair", "--model", "tiny", "--threshold", "1"]
    before, behind = run("--json", *words), run(*words, "--json")
    assert before.exit_code == 0 and before.stdout == behind.stdout and before.stdout.startswith("{")
    assert run("--json", "checkpoints", "list").stdout.startswith("{")  # a command of a group, too
    alone = run("--json")
    assert alone.exit_code == 2 and "--json was given without a command" in alone.stderr


def test_where_no_terminal_is_a_line_comes_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with console.progress("scoring", 100) as bar:
        for _ in range(100):
            now += 1
            bar.step()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "scoring: 15 of 100, about 85 s left"
    assert len(lines) == 6 and lines[-1] == "scoring: 90 of 100, about 10 s left"


def test_serve_hands_over_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from openshape_ood import app as page

    asked: dict[str, object] = {}

    def serve(host: str, port: int, model: str, **rest: object) -> None:
        asked.update(host=host, port=port, model=model, **rest)
        print("the address")

    monkeypatch.setattr(page, "serve", serve)
    result = run("serve", "--port", "0", "--known", "chair", "night stand", "--open")
    assert result.exit_code == 0 and "the address" in result.stdout
    assert asked == {
        "host": "127.0.0.1",
        "port": 0,
        "model": None,
        "known": ["chair", "night stand"],
        "max_file_mb": None,
        "open_browser": True,
    }
    assert run_json("serve", "--port", "1")["known"] == list(page.KNOWN)


def test_the_demo_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.exit_code == 0 and "a chair with a guitar for a back" in result.stdout
    from openshape_ood.cli import demo
    from openshape_ood.shapes.reading import load_shape
    from openshape_ood.synthetic.planted import plant

    assert (tmp_path / "demo.png").stat().st_size > 10_000
    cloud = load_shape(tmp_path / "demo.ply")
    foreign = plant("chair", "guitar", demo.POINTS, demo.PLANTED_SEED, 0.52, "parsons", "acoustic").foreign
    # red: where green has gone from the gray (210, 214, 220), which only novel points have
    red = cloud[:, 4] < 0.5
    assert red[foreign].mean() > 0.6 > 0.2 > red[~foreign].mean()
