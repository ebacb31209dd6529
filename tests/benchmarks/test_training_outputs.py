"""Files that trainings make for the package: never written there by a command, with their origin and licence."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

import openshape_ood
from benchmarks.report.output import LICENCE, write_json

PACKAGE = Path(openshape_ood.__file__).parent
TABLES = {"train_traits": "scenes/proposals/traits.json", "sizes": "scenes/sizes.json"}


@pytest.mark.parametrize("command", [*TABLES, "calibration_set"])
def test_a_training_refuses_to_write_into_the_package(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = PACKAGE / "scenes" / "other" / "file"
    monkeypatch.setattr("sys.argv", [command, "--out", str(out)])
    with pytest.raises(SystemExit, match="is inside the package; expected another path"):
        importlib.import_module(f"benchmarks.training.{command}").main()
    assert not out.parent.exists()


@pytest.mark.parametrize(("command", "table"), TABLES.items())
def test_a_packaged_table_names_its_command_and_its_licence(command: str, table: str) -> None:
    content = json.loads((PACKAGE / table).read_text(encoding="utf-8"))
    assert content["source"].endswith(f"python -m benchmarks.training.{command}")
    assert content["licence"] == LICENCE


def test_every_file_that_is_written_names_the_versions(tmp_path: Path) -> None:
    import torch

    path = write_json(tmp_path / "found.json", {"rows": [1], "versions": {"ray": "2"}})
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["rows"] == [1]
    assert content["versions"]["torch"] == torch.__version__
    assert content["versions"]["ray"] == "2"
    assert set(content["versions"]) == {"python", "torch", "numpy", "ray"}
