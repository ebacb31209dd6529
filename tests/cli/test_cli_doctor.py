"""openshape-ood doctor."""

from __future__ import annotations

import configparser
import socket
from pathlib import Path

import numpy as np
import pytest
from cli_runs import run, run_json

from openshape_ood.cli import doctor
from openshape_ood.synthetic import sample


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_works_offline_and_how_to_get_the_rest(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (own_cache / "text").mkdir(parents=True)
    (own_cache / "text" / "one.npy").write_bytes(b"12345")
    found = run_json("doctor")
    checkpoints = {one["name"]: one for one in found["checkpoints"]}
    assert checkpoints["tiny"]["works_offline"] and checkpoints["tiny"]["get"] is None
    assert not checkpoints["vitb32"]["works_offline"]
    assert checkpoints["vitb32"]["get"] == "openshape-ood checkpoints fetch vitb32"
    assert {cache["what"]: cache["bytes"] for cache in found["caches"]} == {
        "downloads": 0,
        "downloads by address or by hand": 0,
        "stripped encoders": 0,
        "text embeddings": 5,
    }
    assert found["settings"]["OPENSHAPE_OOD_CACHE"] == str(own_cache)
    assert found["self_test"]["ok"] and found["problems"] == [] and "network" not in found


def test_for_people() -> None:
    result = run("doctor")
    assert result.exit_code == 0 and "all well" in result.stdout
    assert "openshape-ood checkpoints fetch vitl14" in result.stdout


def test_missing_extras_are_no_problem_and_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "gradio" else "1")
    result = run("doctor")
    assert result.exit_code == 0 and "gradio missing: pip install 'openshape-ood[app]'" in result.stdout


def test_all_packages_of_extras_that_users_need_are_looked_for() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    named = {(extra, package) for package, (extra, _) in doctor.EXTRAS.items()}
    for extra in ("app", "faiss", "las", "parquet", "plots", "ray", "surfaces", "views"):
        for line in setup["options.extras_require"][extra].split():
            assert line.startswith("openshape-ood[") or (extra, line.partition(">")[0]) in named


def test_something_wrong_is_1(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_cache.write_text("a file where the cache should be")
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "scipy" else "1")
    result = run("doctor")
    assert result.exit_code == 1
    assert "problem: scipy is not installed" in result.stdout
    assert "set OPENSHAPE_OOD_CACHE to another" in result.stdout


def test_without_a_home_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", "~nosuchuser/cache")
    found = run_json("doctor", code=1)
    (problem,) = found["problems"]
    assert "there is no cache folder ~nosuchuser/cache" in problem and found["self_test"]["ok"]


def test_the_network_is_asked_where_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    found = run_json("doctor", "--network", code=1)
    assert not found["network"]["ok"] and "cannot be reached" in found["network"]["message"]
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc/hostname")
    assert "HF_ENDPOINT" in run_json("doctor", "--network", code=1)["network"]["message"]


def test_files_axis_unit_and_what_looks_wrong(tmp_path: Path) -> None:
    for name in ("chair", "table"):
        for seed in range(6):
            np.save(tmp_path / f"{name}_{seed}.npy", sample(name, 1024, seed)[:, [0, 2, 1]], allow_pickle=False)
    np.save(tmp_path / "few.npy", sample("chair", 90, 7)[:, [0, 2, 1]] * 1000, allow_pickle=False)
    (tmp_path / "broken.ply").write_text("ply")
    known = ("--known", "chair", "table", "--model", "tiny")
    found = run_json("doctor", tmp_path, *known, code=1)
    assert found["up_axis"]["axis"] == "z" and found["up_axis"]["kept"]["z"] > 0.8 > found["up_axis"]["kept"]["y"]
    assert found["unit"] == "meters" and len(found["files"]) == 13 and len(found["failed"]) == 1
    said = " ".join(found["problems"])
    for words in ("give --up z", "only 90 points: ", "units may differ", "1 file cannot be read"):
        assert words in said
    shown = run("doctor", tmp_path, *known)
    assert shown.exit_code == 1 and "axis: z is up: the known" in shown.stdout and "not stated" in shown.stdout
    assert "mean novelty" in shown.stdout and "looks wrong: only 90 points" in shown.stdout
    (tmp_path / "few.npy").unlink()
    (tmp_path / "broken.ply").unlink()
    assert run("embed", tmp_path, "--out", tmp_path / "s.npz", "--readers", "0", "--model", "tiny").exit_code == 0
    alone = run("doctor", tmp_path / "s.npz")  # the files that are stored there
    assert alone.exit_code == 0 and "12 of 12 files do not state their up axis" in alone.stdout
    none = run("doctor", tmp_path / "no.ply")
    assert none.exit_code == 1 and "axis: no file can be read" in none.stdout
