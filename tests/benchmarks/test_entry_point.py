"""`python -m benchmarks NAME`, the way to every benchmark."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.__main__ import COMMANDS, main


def test_every_name_leads_to_a_command_that_calls_itself_so(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            main([name, "--help"])
        assert capsys.readouterr().out.split("\n")[0].startswith(f"usage: python -m benchmarks {name} ")


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2 and main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in COMMANDS)
    assert main(["scorse"]) == 2
    assert capsys.readouterr().err.startswith("unknown benchmark 'scorse'")


def test_every_command_has_one_way_in() -> None:
    modules = {module for module, _, _ in COMMANDS.values()}
    assert all(hasattr(import_module(f"benchmarks.{module}"), "main") for module in modules)


@pytest.mark.parametrize(
    "words",
    [
        ["baselines", "table"],
        ["semabs", "train", "views", "--steps", "1", "--out", "x.pth"],
        ["semabs", "evaluate", "views", "--split", "nyu", "--out", "x.csv"],
    ],
)
def test_commands_with_modes_import_a_module_of_the_user(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "refuses.py"
    path.write_text("raise SystemExit(7)\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main([*words, "--import", str(path)])
    assert ended.value.code == 7
    with pytest.raises(SystemExit) as ended:
        main([*words, "--import", "no_such_module"])
    assert ended.value.code == 2 and "there is no module 'no_such_module'" in capsys.readouterr().err
