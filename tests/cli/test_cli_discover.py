"""openshape-ood discover, on stored embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import run, run_json, write_shape

from openshape_ood import Embeddings, KnownClasses, ShapeEncoder, Threshold, discover, score_embeddings
from openshape_ood.embedding_store import Header, Rows, read_embeddings, write_embeddings
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.synthetic import sample

NAMES = ["car", "guitar", "ladder"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny: ShapeEncoder) -> Path:
    """s.npz, two known and twelve novel shapes as stored embeddings; k.safetensors, what is known; a list of names."""
    folder = tmp_path_factory.mktemp("discover")
    ids = [f"{name}-{seed}" for name, count in (("chair", 2), ("guitar", 6), ("car", 6)) for seed in range(count)]
    vectors = tiny.encode([sample(id.partition("-")[0], 1024, 50 + int(id[-1])) for id in ids], up="y")
    header = Header(Provenance(tiny.identity), dim=tiny.dim)
    write_embeddings(folder / "s.npz", Rows(ids, ids, ["y"] * len(ids), vectors), header)
    examples = {name: [sample(name, 1024, seed) for seed in range(2)] for name in ("chair", "sofa")}
    KnownClasses.from_examples(examples, tiny, up="y").save(folder / "k.safetensors")
    (folder / "names.txt").write_text("car\n\nguitar\nladder\n")
    return folder


@pytest.fixture
def words(folder: Path) -> list[Any]:
    return ["discover", folder / "s.npz", "--known-file", folder / "k.safetensors", "--threshold", "0.8"]


def test_it_finds_what_the_library_finds(words: list[Any], folder: Path, tiny: ShapeEncoder) -> None:
    told = run_json(*words, "--names", folder / "names.txt")
    [stored] = read_embeddings(folder / "s.npz")
    rows = Embeddings(stored["embedding"], tiny.identity, stored["id"])
    result = score_embeddings(rows, KnownClasses.load(folder / "k.safetensors"))
    expected = discover(result, result.embeddings, NAMES, threshold=Threshold(0.8)).as_json()
    assert told["counts"] == expected["counts"] == {"shapes": 14, "novel": 12, "groups": 2, "alone": 0}
    assert told["groups"] == expected["groups"] and told["alone"] == []
    for group in told["groups"]:
        assert {path.split("-")[0] for path in group["shapes"]} == {group["names"][0]["name"]}
    assert (told["classes"], told["accepted"], told["sheet"]) == (["chair", "sofa"], None, None)


def test_a_group_is_accepted_under_a_name(words: list[Any], folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "more.safetensors"
    done = run(*words, "--names", "car, guitar", "--accept", "1=a thing", "2=guitar", "--out", out)
    assert done.exit_code == 0, done.output
    assert "that it keeps is unknown; calibrate on 19 or more known shapes: --calibrate" in done.stdout
    assert "12 were novel, 0 are now" in done.stdout and "stability" in done.stdout
    known = KnownClasses.load(out)
    assert known.names == ("chair", "sofa", "a thing", "guitar") and np.bincount(known.labels).tolist() == [2, 2, 6, 6]
    assert known.threshold is None and "calibrated without the accepted classes, so it is not saved" in " ".join(
        done.stdout.split()
    )
    again = run_json("score", folder / "s.npz", "--known-file", out, "--threshold", "0.8")
    assert {row["verdict"] for row in again["shapes"]} == {"known"}


def test_a_word_that_no_text_encoder_knows_names_a_group(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "more.safetensors"
    words = ["discover", folder / "s.npz", "--known", "chair", "sofa", "--model", "tiny", "--names", "car, guitar"]
    told = run_json(*words)
    number = next(group["group"] for group in told["groups"] if group["names"][0]["name"] == "car")
    done = run_json(*words, "--accept", f"{number}=gizmotron", "--out", out)
    (group,) = done["accepted"]["groups"]
    assert group["known_now"] == group["size"] >= 5
    known = KnownClasses.load(out)
    assert known.names == ("chair", "sofa", "gizmotron") and known.labels.tolist() == [2] * group["size"]
    assert known.threshold is None is done["accepted"]["threshold"]  # no gizmotron can be generated
    again = run_json("score", folder / "s.npz", "--known-file", out)
    nearest = [row["nearest"] for row in again["shapes"] if row["id"].startswith("car")]
    assert again["provenance"]["method"] == "energy" and nearest.count("gizmotron") >= group["size"]
    # cars can: there is a threshold for the classes of now
    done = run_json(*words, "--accept", f"{number}=car", "--out", out)
    known = KnownClasses.load(out)
    assert known.threshold.as_json() == done["accepted"]["threshold"]
    assert done["threshold"]["value"] != known.threshold.value and known.threshold.source.startswith("generated")


def test_accepting_calibrates_again_on_the_same_shapes(folder: Path, tmp_path: Path, tiny: ShapeEncoder) -> None:
    chairs = tiny.encode([sample("chair", 1024, 80 + seed) for seed in range(19)], up="y")
    header, ids = Header(Provenance(tiny.identity), dim=tiny.dim), [f"c{i}" for i in range(19)]
    write_embeddings(tmp_path / "c.npz", Rows(ids, ids, ["y"] * 19, chairs), header)
    words = ["discover", folder / "s.npz", "--known-file", folder / "k.safetensors", "--calibrate", tmp_path / "c.npz"]
    out = tmp_path / "more.safetensors"
    done = run(*words, "--accept", "1=a thing", "--out", out)
    assert done.exit_code == 0 and "the threshold was calibrated again" in done.stdout
    known = KnownClasses.load(out)
    novelty = score_embeddings(Embeddings(chairs, tiny.identity), known, method=known.threshold.provenance.method)
    assert known.threshold.value == pytest.approx(novelty.novelty.max(), abs=1e-5) and known.threshold.n == 19


def test_files_that_are_gone_are_left_out_of_the_sheet(folder: Path, tmp_path: Path, tiny: ShapeEncoder) -> None:
    vectors = np.eye(tiny.dim)[[1] * 6 + [2] * 6] + np.random.RandomState(0).normal(0, 0.01, (12, tiny.dim))
    paths = [str(write_shape(tmp_path / "car.npy", "car"))] * 11 + [str(tmp_path / "gone.ply")]
    header = Header(Provenance(tiny.identity), dim=tiny.dim)
    stored = Rows([f"{i}" for i in range(12)], paths, ["y"] * 12, vectors)
    write_embeddings(tmp_path / "x.npz", stored, header)
    words = ["discover", tmp_path / "x.npz", "--known-file", folder / "k.safetensors", "--threshold", "0"]
    done = run(*words, "--names", "car", "--sheet", tmp_path / "sheet.svg")
    assert done.exit_code == 1 and "gone.ply" in done.stderr and (tmp_path / "sheet.svg").exists()


def test_nothing_novel_is_no_error(words: list[Any], tmp_path: Path) -> None:
    none = run(*words[:-1], "9", "--sheet", tmp_path / "sheet.png")
    assert "14 shapes: 0 novel, in 0 groups" in none.stdout and "no group has shapes that can be drawn" in none.stderr
    few = run_json(*words, "--min-size", "13", "--grouping", "agglomerative")
    assert few["groups"] == [] and len(few["alone"]) == 12


def test_embeddings_of_another_model_have_groups_without_names(tmp_path: Path) -> None:
    random, header = np.random.RandomState(0), Header(Provenance(Identity("mine", "my space", "ab" * 32)), dim=8)
    for name, axes in (("known", [0] * 4 + [1] * 4), ("new", [0] * 4 + [2] * 6 + [3] * 6)):
        vectors = np.eye(8)[axes] + random.normal(0, 0.05, (len(axes), 8))
        ids = [f"{axis}/{i}" for i, axis in enumerate(axes)]
        write_embeddings(tmp_path / f"{name}.npz", Rows(ids, ids, ["y"] * len(axes), vectors), header)
    words = ["discover", tmp_path / "new.npz", "--examples", tmp_path / "known.npz", "--threshold", "0.5"]
    none = run(*words[:-2])
    assert none.exit_code == 2 and "there is no threshold, so no shape is novel" in none.stderr
    told = run_json(*words)
    assert told["counts"]["groups"] == 2 and all(group["names"] == [] for group in told["groups"])
    named = run(*words, "--names", "car")
    assert named.exit_code == 2 and "which is not in the registry" in named.stderr


@pytest.mark.parametrize(
    "more, message",
    [
        (["--accept", "teapot"], "Expected GROUP=NAME, each group once"),
        (["--accept", "1=a", "1=b"], "each group once"),
        (["--accept", "7=teapot"], "there is no group 7. Expected a number from 1 to 2"),
        (["--out", "x.safetensors"], "Give --accept GROUP=NAME"),
        (["--names", "gone.txt"], "gone.txt cannot be read"),
        (["--names", ","], "contains no name"),
        (["--sheet", "x.jpeg"], "--sheet is x.jpeg"),
        (["--min-size", "1"], "--min-size"),
    ],
)
def test_wrong_usage_is_said(words: list[Any], more: list[str], message: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words, *more)
    assert done.exit_code == 2 and message in " ".join(done.stderr.split())


def test_the_axis_is_asked_of_what_was_read(folder: Path, tmp_path: Path) -> None:
    for seed in range(5):
        np.save(tmp_path / f"chair_{seed}.npy", sample("chair", 1024, seed)[:, [0, 2, 1]], allow_pickle=False)
    (tmp_path / "broken.ply").write_text("no")
    words = ["discover", tmp_path, "--known-file", folder / "k.safetensors", "--names", "car", "--readers", "0"]
    assert "note: 5 files do not state" in run(*words, "--threshold", "2").stderr
    assert "warning: read with y up, but z is up" in run(*words, "--threshold", "0.6").stderr


def test_nothing_done_is_json_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.ply").write_text("no")
    words = ["--known-file", folder / "k.safetensors", "--threshold", "0.8"]
    assert "no shape can be used" in run_json("discover", tmp_path, *words, code=2)["error"]["message"]
    out = ["--out", tmp_path / "x.npz", "--model", "tiny"]
    assert "no shape to embed" in run_json("embed", tmp_path / "*.obj", *out, code=2)["error"]["message"]


def test_known_classes_of_another_encoder_are_refused(folder: Path, tmp_path: Path) -> None:
    other = KnownClasses.from_embeddings(np.eye(192)[:2], ["a", "b"], Identity("other", "words", "0" * 64))
    other.save(tmp_path / "o.safetensors")
    mixed = run("discover", folder / "s.npz", "--known-file", tmp_path / "o.safetensors", "--threshold", "0.8")
    assert mixed.exit_code == 2 and "different encoders cannot be compared" in " ".join(mixed.stderr.split())
