"""`python -m benchmarks NAME`, the way to every benchmark."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_name_leads_to_a_command_that_calls_itself_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
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
