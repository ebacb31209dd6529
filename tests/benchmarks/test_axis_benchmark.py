"""`python -m benchmarks axis`, small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.questions import axis


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CLASSES": 3,
        "NOVEL": 3,
        "EXAMPLES": 8,
        "SIZES": (1, 20),
        "KINDS": {"scans": axis.SCANS},
    }.items():
        monkeypatch.setattr(axis, name, value)
    argv = ["--seeds", "1", "--sets", "2", "--per-class", "7", "--quiet", "--out", str(tmp_path)]
    assert axis.main(argv) == 0
    report = json.loads(next(tmp_path.glob("axis-tiny-generated-*.json")).read_text())
    rows = {(row["known_by"], row["set"], row["size"]): row for row in report["rows"]}
    assert set(rows) == {(by, what, size) for by in axis.KNOWN_BY for what in axis.SETS for size in (1, 20)}
    for by in axis.KNOWN_BY:
        known = rows[by, "known", 20]
        assert known["found"]["find_up"] == 1 and known["kept"]["auto"] == known["kept"]["z"] > known["kept"]["file"]
        assert known["caught"] == {"file": None, "z": None, "auto": None}
        # one shape tells nothing, and is read as by "file"; the simple rule answers always
        one = rows[by, "known", 1]
        assert one["found"]["find_up"] == one["wrong"]["find_up"] == 0 and one["kept"]["auto"] == one["kept"]["file"]
        assert rows[by, "novel", 20]["wrong"]["find_up"] == 0
        least = rows[by, "novel", 20]
        assert least["found"][axis.RULES[0]] + least["wrong"][axis.RULES[0]] == 1
    assert "100 / 0 / 0" in capsys.readouterr().out


def test_wrong_options_are_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert axis.main(["--sets", "0"]) == 1
    assert "--sets is 0; expected 1 or more" in capsys.readouterr().err
    assert axis.main(["--data-root", str(tmp_path), "--quiet", "--out", str(tmp_path)]) == 1
    assert "has none of the shapes in benchmarks/training/real.toml" in capsys.readouterr().err
