from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.performance import reading
from benchmarks.performance.harness import write_meshes
from benchmarks.performance.reading import batches, main, medians, table, way
from openshape_ood import ShapeEncoder
from openshape_ood.errors import ShapeFileError
from openshape_ood.shapes import Read, load_shape, read_shapes


def test_meshes_are_written_whole(tmp_path: Path) -> None:
    paths = write_meshes(tmp_path, 3, seed=1)
    assert [path.name for path in paths] == ["0000000.obj", "0000001.obj", "0000002.obj"]
    clouds = [load_shape(path, points=200) for path in paths]
    assert all(cloud.shape == (200, 3) for cloud in clouds) and np.ptp(clouds[0], axis=0).min() > 0.01


def test_the_time_that_the_encoder_waits_is_that_without_clouds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: ShapeEncoder
) -> None:
    """A clock that goes on by 5 a file read and by 10 a batch encoded: four files in batches of two."""
    now = [0.0]
    paths = write_meshes(tmp_path, 4, seed=1)

    def slow(*args: object, **how: object) -> object:
        for one in read_shapes(paths, points=100, seed=0, frame=tiny.row.spec, workers=0):
            now[0] += 5
            yield one

    def encode(points: np.ndarray) -> None:
        now[0] += 10

    monkeypatch.setattr(reading.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(reading, "read", slow)
    monkeypatch.setattr(tiny, "encode_prepared", encode)
    found = way(paths, tiny, batch=2, workers=0)
    assert (found["seconds"], found["first"], found["waited"]) == (40, 10, 10)
    assert found["after"] == 30 and found["share"] == pytest.approx(1 / 3)
    now[0] = 0
    assert way(paths, tiny, batch=2, workers=0, encode=False)["seconds"] == 20


def test_a_file_that_cannot_be_read_ends_the_run() -> None:
    with pytest.raises(ShapeFileError, match="no such file"):
        list(batches(iter([Read(0, "a", None, "", "a: no such file")]), 2))


def test_a_run_prints_ratios_and_leaves_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--networks",
        "tiny",
        "--files",
        "5",
        "--batch-size",
        "2",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "new"),
    ]
    assert main(words) == 0
    found = json.loads(next((tmp_path / "new").glob("reading-*.json")).read_text(encoding="utf-8"))
    (one,) = found["results"]
    assert one["files"] == 5 and one["weights"] == "its own weights" and found["settings"]["workers"] == [1]
    assert list(one["ways"]) == ["reading alone", "encoding alone", "one after the other", "at once, 1 worker"]
    assert all(way["seconds"] > 0 for way in one["ways"].values())
    out = capsys.readouterr().out
    assert "tiny encoding alone 1.00 – – –" in " ".join(out.split()) and "reading-" in out


def test_random_weights_are_called_so() -> None:
    encoder, weights = reading.load_network("vitb32", "cpu")
    assert weights == encoder.identity.sha256 == "random weights" and encoder.spec.count == 10_000


def test_the_table_is_of_ratios() -> None:
    def passed(seconds: float, first: float = 0.0, waited: float = 0.0) -> dict[str, float | None]:
        after = seconds - first
        return {"seconds": seconds, "first": first, "after": after, "waited": waited, "share": waited / after}

    ways = {
        "encoding alone": medians([passed(20.0)]),
        "one after the other": medians([passed(31.0, 1.0, 10.0)] * 2 + [passed(100.0, 2.0, 50.0)]),
    }
    lines = [" ".join(line.split()) for line in table([{"network": "tiny", "ways": ways}]).splitlines()]
    assert lines[2:] == ["tiny encoding alone 1.00 – – –", "tiny one after the other 1.55 0.05 1.50 33.3%"]


@pytest.mark.parametrize("words", [["--files", "0"], ["--workers", "0"], ["--threads", "0"], ["--repeats", "-1"]])
def test_sizes_that_cannot_be_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert f"{words[0]} " in capsys.readouterr().err
