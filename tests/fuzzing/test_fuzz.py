"""The fuzzer in short, and that it finds what there is to find."""

from __future__ import annotations

import json
import random
import sys
from itertools import islice
from pathlib import Path

import pytest
from made_up_parser import write_parser

from openshape_ood.errors import WorkerError
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.workers import Done
from tests.fuzzing import run
from tests.fuzzing.generated import FORMATS, generate
from tests.fuzzing.mutated import MOST_BYTES, mutate
from tests.fuzzing.readers import READERS
from tests.fuzzing.run import Files, judged, main
from tests.fuzzing.sound import write_sound

pytest.importorskip("pyarrow")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is not bounded")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    return write_sound(tmp_path_factory.mktemp("sound"))


def test_there_is_a_sound_file_of_every_kind(sound: dict[str, list[Path]]) -> None:
    assert sound.keys() == READERS.keys()
    assert {path.suffix for path in sound["shape"]} == set(SUFFIXES) >= set(FORMATS)
    for kind, paths in sound.items():
        for path in paths:
            READERS[kind](str(path))


@LINUX
def test_files_that_are_wrong_do_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BLOCK", 5)
    status = main(["--seed", "7", "--files", "60", "--minutes", "3", "--out", str(tmp_path), "--quiet"])
    told = capsys.readouterr()
    assert status == 0, told.out + told.err
    assert "seed 7: 60 files" in told.out and "0 findings" in told.out
    assert not list(tmp_path.iterdir())


@LINUX
def test_what_is_found_is_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = write_parser(tmp_path)
    monkeypatch.syspath_prepend(parser)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    kept = [
        (tmp_path / f"{what}.las").rename(tmp_path / f"shape-{what}.las")
        for what in ("die", "grow", "leap", "open", "print")
    ]
    assert main(["--replay", *map(str, kept)]) == 1
    died, grew, leapt, opened, refused = capsys.readouterr().out.splitlines()[:5]
    assert "shape-die.las: the process that read it was ended by SIGKILL" in died
    assert "MemoryError" in grew
    assert "KeyboardInterrupt: as no parser should" in leapt
    assert "it opened /etc/hostname" in opened
    assert "misbehaved: print" in refused


def test_each_bound_is_a_finding() -> None:
    fine = {"seconds": 9.9, "bytes": 499e6, "opened": [], "error": "FileError", "ours": True, "said": "no"}
    assert judged(Done(0, ["shape", "a"], fine)) == ""
    for change, said in (
        ({"seconds": 10.1}, "took 10 s"), ({"bytes": 501e6}, "took 501 MB"), ({"opened": ["/etc/x"]}, "opened /etc/x"),
        ({"ours": False, "error": "KeyError", "said": "x"}, "KeyError: x"),
    ):  # fmt: skip
        assert said in judged(Done(0, ["shape", "a"], fine | change))
    assert judged(Done(0, ["shape", "a"], error=WorkerError("it died"))) == "it died"


def test_the_same_seed_makes_the_same_files(
    sound: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(run, "BLOCK", 2)
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        (tmp_path / name).mkdir()
        found = list(islice(Files(tmp_path / name, sound, seed), 60))
        made.append([(kind, Path(path).suffix, Path(path).read_bytes()) for kind, path in found])
    assert made[0] == made[1] != made[2]
    assert len({content for _, _, content in made[0]}) > 50


def test_mutations_change_files_and_bound_their_size(sound: dict[str, list[Path]]) -> None:
    for paths in sound.values():
        for path in paths:
            data = path.read_bytes()
            found = [mutate(data, [data], random.Random(i)) for i in range(30)]
            assert len(set(found)) > 15 and max(map(len, found)) <= MOST_BYTES + 4096


def test_some_made_up_files_are_right() -> None:
    made = [json.loads(content) for content in generate(".gltf", 20, 1)]
    assert any(one["accessors"][0]["count"] == 3 and len(one["nodes"]) > 1 for one in made)
