"""A file that takes too much time or memory costs itself alone, at every door that reads many."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json
from made_up_parser import write_las, write_parser

from openshape_ood import ShapeEncoder
from openshape_ood.embedding_store.jobs import Item, Settings, embed
from openshape_ood.errors import InputError, ShapeFileError
from openshape_ood.shapes import batches, read_shapes
from openshape_ood.synthetic import sample

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere wall-clock time is bounded alone")
SLOW = f"took more than 1 s of processor time and was stopped; if the file is valid, set {batches.SECONDS}=10 to allow"
LARGE = f"needs more than 500 MiB of memory; if the file is valid, set {batches.MEGABYTES}=2000 to allow more"


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three sound files, one whose parser never ends, and one whose parser takes 8 GiB."""
    monkeypatch.syspath_prepend(write_parser(tmp_path))
    monkeypatch.setenv(batches.SECONDS, "1")
    monkeypatch.setenv(batches.MEGABYTES, "500")
    monkeypatch.setattr(batches, "SECONDS_A_MB", 0)
    monkeypatch.setattr(batches, "BYTES_A_BYTE", 0)
    folder = tmp_path / "in"
    folder.mkdir()
    for i, name in enumerate(("a.npy", "h.npy", "z.npy")):
        np.save(folder / name, sample("chair", 300, seed=i))
    write_las(folder, "hold")
    write_las(folder, "grow")
    return folder


def test_embedding_a_folder_ends_and_a_restart_does_not_try_again(shapes: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    items = [Item(path.name, str(path)) for path in sorted(shapes.iterdir())]
    done = embed(items, tmp_path / "out", Settings("tiny", device="cpu"))
    assert (done.rows, [one.id for one in done.failed]) == (3, ["grow.las", "hold.las"])
    assert LARGE in done.failed[0].error and SLOW in done.failed[1].error
    began = time.process_time()
    again = embed(items, tmp_path / "out", Settings("tiny", device="cpu"))
    assert (again.rows, again.reused, again.skipped) == (3, 3, 2) and time.process_time() - began < 1


def test_the_commands_go_on(shapes: Path, tmp_path: Path) -> None:
    (shapes / "hold.las").unlink()  # it takes its second
    found = run_json("score", shapes, "--known", "chair", "sofa", "--model", "tiny", code=1)
    assert [Path(one["file"]).name for one in found["shapes"]] == ["a.npy", "h.npy", "z.npy"]
    assert LARGE in found["failed"][0]["reason"]
    result = run("embed", shapes, "--out", tmp_path / "out.npz", "--model", "tiny")
    assert result.exit_code == 1 and "500 MiB" in " ".join(result.output.split())


def test_an_encoder_names_the_file_and_the_bound(shapes: Path, tiny: ShapeEncoder) -> None:
    sound = [shapes / "z.npy", sample("lamp", 100, seed=1), shapes / "a.npy"]
    apart = np.concatenate([tiny.encode([shape], num_samples=2) for shape in sound])
    np.testing.assert_allclose(tiny.encode(sound, num_samples=2, batch_size=2), apart, atol=1e-5)
    with pytest.raises(ShapeFileError, match=r"grow\.las.* needs more than 500 MiB"):
        tiny.encode([*sound, shapes / "grow.las"])


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "ten"])
def test_bounds_that_are_none_are_refused_at_once(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(batches.MEGABYTES, value)
    with pytest.raises(InputError, match=f"{batches.MEGABYTES} is '{value}'"):
        read_shapes([], points=9, seed=0)


def test_large_files_may_take_more(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(2**21))
    small, large = (batches.reading_limits()(str(tmp_path / name)) for name in ("none", "large"))
    assert (small.cpu, small.wall, small.memory) == (10, 300, 2**30)
    assert (large.cpu, large.wall, large.memory) == (12, 360, 2**30 + 2**26)
