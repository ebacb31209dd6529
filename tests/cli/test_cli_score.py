"""openshape-ood score, on the embedded encoder."""

from __future__ import annotations

import csv
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from cli_runs import run, run_json, write_shape

from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder, Threshold, score_novelty
from openshape_ood.decisions.calibration import conformal_threshold, p_values
from openshape_ood.embedding_store import Header, Rows, write_embeddings
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.shapes import batches
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.calibration import calibration_scans

KNOWN = ["--known", "chair", "sofa", "--model", "tiny"]


@pytest.fixture(autouse=True)
def read_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all files are good, they are read in this process: a child takes long to start."""
    plain = batches.read_shapes
    if "mixed" not in request.fixturenames:
        monkeypatch.setattr(batches, "read_shapes", lambda paths, **how: plain(paths, **{**how, "workers": 0}))


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two good files, a broken, an empty and one of a single point, and others."""
    folder = tmp_path / "mixed"
    write_shape(folder / "chair.npy", "chair")
    write_shape(folder / "sub" / "guitar.npy", "guitar")
    (folder / "broken[bold].ply").write_bytes(b"ply\nformat ascii 1.0\n")
    (folder / "empty.obj").touch()
    np.save(folder / "point.npy", np.ones((9, 3)))
    (folder / "notes.md").touch()
    return folder


def test_the_good_are_scored_the_bad_listed_and_the_code_is_1(mixed: Path) -> None:
    result = run("score", mixed, *KNOWN, "--threshold", "0.9")
    assert result.exit_code == 1
    assert "chair.npy" in result.stdout and "guitar.npy" in result.stdout
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 3
    assert any("broken[bold].ply" in line for line in failed)
    assert any("empty (0 bytes)" in line for line in failed)
    assert any("one point repeated 9 times" in line for line in failed)
    assert "2 scored, 3 failed, 1 ignored" in result.stdout


def test_scores_are_those_of_the_library(mixed: Path, tiny: ShapeEncoder) -> None:
    found = run_json("score", mixed, *KNOWN, "--threshold", "0.9", code=1)
    paths = [mixed / "chair.npy", mixed / "sub" / "guitar.npy"]
    expected = score_novelty(paths, ["chair", "sofa"], encoder=tiny)
    assert [row["file"] for row in found["shapes"]] == [str(path) for path in paths]
    assert [row["novelty"] for row in found["shapes"]] == pytest.approx(expected.novelty.tolist())
    assert [row["nearest"] for row in found["shapes"]] == expected.nearest.tolist()
    assert found["shapes"][0]["similarity"] == pytest.approx(expected.similarity[0].max())
    assert [row["verdict"] for row in found["shapes"]] == ["known", "novel"]
    assert found["provenance"] == replace(expected.provenance, up="file").as_json()
    assert {Path(failure["file"]).name for failure in found["failed"]} == {"broken[bold].ply", "empty.obj", "point.npy"}
    assert found["counts"] == {"scored": 2, "failed": 3, "ignored": 1}


def test_without_a_threshold_tiny_is_calibrated_on_generated_scans(mixed: Path, tiny: ShapeEncoder) -> None:
    words = ["--known", "chair", "couch", "--model", "tiny"]  # couch: a word for sofa
    found = run_json("score", mixed / "chair.npy", *words)
    scans = calibration_scans(["chair", "sofa"])
    novelty = score_novelty(scans, ["chair", "couch"], encoder=tiny).novelty
    assert found["threshold"]["value"] == pytest.approx(
        conformal_threshold(novelty, 0.95), abs=1e-4
    )  # float16 in the package
    kept = "keeps 95 % of 100 held-out generated scans of chair, couch"
    assert found["threshold"] | {"value": 0} == {
        "value": 0,
        "coverage": pytest.approx(96 / 101),
        "n": 100,
        "source": "generated scans of chair, couch",
        "promise": f"{kept} (not your own shapes; calibrate on 19 or more of your known shapes)",
    }
    assert found["shapes"][0]["p_value"] == pytest.approx(p_values([found["shapes"][0]["novelty"]], novelty)[0])
    line = run("score", mixed / "chair.npy", *words).stdout
    assert f"{kept} (not your own shapes; calibrate on 19 or more of your known shapes: --calibrate PATHS)" in line


def test_calibration_on_shapes_of_the_user(mixed: Path, tmp_path: Path, tiny: ShapeEncoder) -> None:
    paths = [write_shape(tmp_path / "mine" / f"{i}.npy", "chair", seed=i) for i in range(9)]
    words = ["score", mixed / "chair.npy", *KNOWN, "--calibrate", *paths]
    found = run_json(*words, "--coverage", "0.9")
    novelty = score_novelty(paths, ["chair", "sofa"], encoder=tiny).novelty
    assert found["threshold"]["value"] == pytest.approx(novelty.max())  # the ceil(0.9 * 10) = 9th of 9
    few = run(*words)
    assert few.exit_code == 2 and "19 or more" in few.stderr and "--coverage" in few.stderr


def test_no_verdict_where_nothing_says_where_novel_begins(mixed: Path) -> None:
    found = run_json("score", mixed / "chair.npy", "--known", "wooden seat", "--model", "tiny")
    assert found["shapes"][0]["verdict"] is None and found["shapes"][0]["p_value"] is None
    assert found["threshold"] is None
    partly = run_json("score", mixed / "chair.npy", "--known", "chair", "wooden seat", "--model", "tiny")
    assert partly["threshold"]["source"] == "generated scans of chair, none of wooden seat"
    assert "--calibrate" in run("score", mixed / "chair.npy", "--known", "wooden seat", "--model", "tiny").stdout


def test_names_that_tiny_hardly_knows_are_told(mixed: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = run("score", mixed / "chair.npy", "--known", "chair", "quasar", "--model", "tiny")
    assert result.exit_code == 0 and "quasar" in result.stderr and "note:" in result.stderr


@pytest.mark.filterwarnings("ignore:k is 5, but")
@pytest.mark.parametrize("method", ["prototype_distance", "knn", "vote_entropy"])
def test_known_by_examples(mixed: Path, tmp_path: Path, tiny: ShapeEncoder, method: str) -> None:
    shapes = {
        name: [write_shape(tmp_path / "examples" / name / f"{seed}.npy", name, seed=seed) for seed in (5, 6, 7)]
        for name in ("chair", "sofa")
    }
    (tmp_path / "examples" / "sofa" / "bad.ply").write_text("no")
    words = ["--examples", tmp_path / "examples", "--method", method, "--model", "tiny", "--threshold", "1"]
    found = run_json("score", mixed / "chair.npy", *words, code=1)  # a bad example is a failure too
    expected = score_novelty([mixed / "chair.npy"], shapes, encoder=tiny, method=method)
    assert found["shapes"][0]["novelty"] == pytest.approx(expected.novelty[0])
    assert [Path(failure["file"]).name for failure in found["failed"]] == ["bad.ply"]


def test_samplings_are_those_of_the_library(mixed: Path, tiny: ShapeEncoder) -> None:
    (mixed / "box.off").write_text("OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n3 0 2 3\n3 1 2 3\n")
    found = run_json("score", mixed / "box.off", *KNOWN, "--num-samples", "3", "--seed", "4", "--threshold", "1")
    expected = score_novelty([mixed / "box.off"], ["chair", "sofa"], encoder=tiny, num_samples=3, seed=4)
    assert found["shapes"][0]["novelty"] == pytest.approx(expected.novelty[0])


def test_a_threshold_is_saved_and_judges_later_runs(mixed: Path, tmp_path: Path) -> None:
    paths = [write_shape(tmp_path / "mine" / f"{i}.npy", "chair", seed=i) for i in range(9)]
    kept = tmp_path / "mine.json"
    words = ["score", mixed / "chair.npy", *KNOWN]
    made = run_json(*words, "--calibrate", *paths, "--coverage", "0.9", "--save-threshold", kept)
    again = run_json(*words, "--threshold", kept)
    assert again["threshold"] == made["threshold"] and again["shapes"] == made["shapes"]
    assert again["threshold"]["n"] == 9 and str(tmp_path / "mine") in again["threshold"]["source"]
    assert Threshold.load(kept).provenance.as_json() == made["provenance"] | {"up": "y"}  # with which all were read
    half = run_json(*words, "--threshold", kept, "--coverage", "0.5")["threshold"]  # of the same shapes
    assert half["value"] == pytest.approx(np.sort(Threshold.load(kept).scores)[4]) and half["coverage"] == 0.5
    most = run(*words, "--threshold", kept, "--coverage", "0.95")
    assert most.exit_code == 2 and "a coverage up to 0.9." in most.stderr
    other = run(*words, "--threshold", kept, "--method", "energy")
    assert other.exit_code == 2 and "the threshold is for 'max_cosine'" in other.stderr
    lost = run("score", mixed / "chair.npy", "--known", "wooden seat", "--model", "tiny", "--save-threshold", kept)
    assert lost.exit_code == 2 and "--save-threshold was given, but there is no threshold" in lost.stderr


def test_known_classes_of_files(mixed: Path, tmp_path: Path) -> None:
    text = TextEncoder.from_pretrained("tiny")
    seats, rest = tmp_path / "seats.safetensors", tmp_path / "rest.safetensors"
    KnownClasses.from_names(["chair", "sofa"], text).save(seats)
    KnownClasses.from_names(["bed"], text).save(rest)
    words = ["score", mixed / "chair.npy", "--model", "tiny", "--threshold", "1"]
    by_file = run_json(*words, "--known-file", seats)
    by_name = run_json(*words, "--known", "chair", "sofa")
    assert by_file["shapes"][0]["novelty"] == pytest.approx(by_name["shapes"][0]["novelty"])
    more = run_json(*words, "--known-file", seats, rest, "--known", "table")
    assert more["classes"] == ["chair", "sofa", "bed", "table"]


def test_patches_of_a_file(mixed: Path, tmp_path: Path, tiny: ShapeEncoder) -> None:
    shapes = {name: [sample(name, 512, seed) for seed in range(3)] for name in ("chair", "sofa")}
    known = KnownClasses.from_examples(shapes, tiny, patches="tokens")
    path = known.save(tmp_path / "patches.safetensors")
    words = ["--known-file", path, "--method", "vote_entropy", "--model", "tiny", "--threshold", "1"]
    found = run_json("score", mixed / "chair.npy", *words)
    expected = score_novelty([mixed / "chair.npy"], known, encoder=tiny, method="vote_entropy")
    assert found["shapes"][0]["novelty"] == pytest.approx(expected.novelty[0])


@pytest.mark.parametrize("out", ["scans.npz", "scans.parquet", "scans.safetensors", "folder"])
def test_stored_embeddings_are_scored_as_their_shapes(mixed: Path, tmp_path: Path, out: str) -> None:
    if out in ("scans.parquet", "folder"):
        pytest.importorskip("pyarrow")
    store = tmp_path / out
    given, how = [mixed / "chair.npy", mixed / "sub"], ["--model", "tiny", "--up", "z"]
    assert run("embed", *given, "--out", store, *how).exit_code == 0
    words = ["--known", "chair", "sofa", "--threshold", "0.9"]
    stored = run_json("score", store, *words)  # by the checkpoint that the file names
    shapes = run_json("score", *given, *words, *how)
    for one, other in zip(stored["shapes"], shapes["shapes"], strict=True):
        assert Path(one["file"]).resolve() == Path(other["file"]).resolve()
        assert one["novelty"] == pytest.approx(other["novelty"], abs=1e-5)
        assert (one["verdict"], one["nearest"], one["up"]) == (other["verdict"], other["nearest"], "z")
    assert stored["provenance"] == shapes["provenance"]
    late = run("score", store, *words, "--up", "x", "--num-samples", "2").stderr
    assert (
        "note: --up x has no effect on the embeddings in" in late
        and "made with --up z" in late
        and "--num-samples 2" in late
    )


def test_an_axis_that_stored_embeddings_have_is_no_difference(mixed: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.npz"
    assert run("embed", mixed / "chair.npy", "--out", store, "--model", "tiny").exit_code == 0
    words = ["score", store, "--known", "chair", "--threshold", "1", "--up"]
    assert "has no effect" not in run(*words, "y").stderr and "made with --up file" in run(*words, "z").stderr


def test_stored_embeddings_are_examples_and_calibrate_too(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(12):
        write_shape(tmp_path / "known" / ("chair" if seed < 6 else "sofa") / f"{seed}.npy", "chair", seed)
        write_shape(tmp_path / "held" / f"{seed}.npy", "chair", seed + 50)
    folders = ["--examples", tmp_path / "known", "--calibrate", tmp_path / "held"]
    by_files = run_json("score", mixed / "chair.npy", *folders, "--coverage", "0.9", "--model", "tiny")
    for name in ("known", "held", "mixed"):
        given = mixed / "chair.npy" if name == "mixed" else tmp_path / name
        assert run("embed", given, "--out", tmp_path / f"{name}.npz", "--model", "tiny").exit_code == 0
    # nothing is left that an encoder is needed for
    monkeypatch.setattr("openshape_ood.encoders.shape_encoder.ShapeEncoder.from_pretrained", None)
    stores = ["--examples", tmp_path / "known.npz", "--calibrate", tmp_path / "held.npz"]
    by_stores = run_json("score", tmp_path / "mixed.npz", *stores, "--coverage", "0.9")
    assert by_stores["threshold"]["value"] == pytest.approx(by_files["threshold"]["value"], abs=1e-5)
    assert by_stores["shapes"][0]["novelty"] == pytest.approx(by_files["shapes"][0]["novelty"], abs=1e-5)
    again = run("embed", tmp_path / "mixed.npz", "--out", tmp_path / "x.npz", "--model", "tiny")
    assert again.exit_code == 2 and "holds embeddings. Expected shapes" in again.stderr


def test_embeddings_of_another_model_need_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openshape_ood.encoders.shape_encoder.ShapeEncoder.from_pretrained", None)
    header = Header(Provenance(Identity("theirs", "their space", "ab" * 32)), dim=8)
    rng = np.random.default_rng(0)

    def write(name: str, classes: dict[str, int], count: int) -> Path:
        ids = [f"{own}/{i}" for own in classes for i in range(count)]
        rows = np.eye(8)[[axis for axis in classes.values() for _ in range(count)]]
        rows = rows + rng.normal(scale=0.1, size=rows.shape)
        return write_embeddings(tmp_path / name, Rows(ids, ids, ["y"] * len(ids), rows), header)

    known, held = write("known.npz", {"bolt": 0, "nut": 1}, 10), write("held.npz", {"a": 0, "b": 1}, 10)
    asked = write("asked.npz", {"bolt": 0, "other": 5}, 3)
    by_store = run_json("score", asked, "--examples", known, "--calibrate", held)
    assert [row["verdict"] for row in by_store["shapes"]] == ["known"] * 3 + ["novel"] * 3
    assert by_store["provenance"]["identity"]["checkpoint"] == "theirs"
    saved = tmp_path / "known.safetensors"
    assert run("known", "save", "--examples", known, "--calibrate", held, "--out", saved).exit_code == 0
    assert run_json("score", asked, "--known-file", saved)["shapes"] == by_store["shapes"]
    names = run("score", asked, "--known", "bolt", "nut")
    assert names.exit_code == 2 and "names need the text encoder of 'theirs'" in names.stderr


def test_what_was_ignored_is_named(mixed: Path) -> None:
    result = run("score", mixed, *KNOWN, "--threshold", "1")
    assert "ignored, because they are no shapes: " in result.stderr and "notes.md" in result.stderr
    for name in ("a.mtl", "b.png", "c.md"):
        (mixed / name).touch()
    assert "and 1 more" in run("score", mixed, *KNOWN, "--threshold", "1").stderr


def test_the_table_is_written_in_order_and_nothing_is_lost(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    words = ["score", mixed / "chair.npy", mixed / "sub", mixed / "empty.obj", *KNOWN, "--sort", "novelty"]
    assert run(*words, "--out", out).exit_code == 1
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [Path(row["file"]).name for row in rows] == ["guitar.npy", "chair.npy", "empty.obj"]
    assert [row["status"] for row in rows] == ["scored", "scored", "failed"]
    assert rows[2]["error"] and not rows[0]["error"]
    found = run_json(*words, "--out", tmp_path / "table.json", code=1)
    assert json.loads((tmp_path / "table.json").read_text()) == found
    assert {path.name for path in tmp_path.iterdir()} == {"mixed", "table.csv", "table.json"}


def test_the_axis_is_said_and_files_that_say_another_are_pointed_out(tmp_path: Path) -> None:
    content = trimesh.creation.box().export(file_type="dae")
    (tmp_path / "a.dae").write_bytes(content.replace(b"Y_UP", b"Z_UP"))
    chair = write_shape(tmp_path / "chair.npy", "chair")
    result = run("score", chair, tmp_path / "a.dae", *KNOWN, "--threshold", "1", "--up", "y")
    assert "up y:" in result.stdout
    assert "1 file states z as up axis" in result.stderr
    # what could not be read was not read with any axis
    (tmp_path / "b.dae").write_text("<COLLADA><asset><up_axis>Z_UP</up_axis></asset></COLLADA>")
    result = run("score", chair, tmp_path / "a.dae", tmp_path / "b.dae", *KNOWN, "--threshold", "1", "--up", "y")
    assert result.exit_code == 1 and "1 file states z as up axis" in result.stderr
    asked = run("score", chair, tmp_path / "a.dae", *KNOWN, "--threshold", "1")
    assert "up file (stated by each file, else y)" in asked.stdout
    assert "as up axis" not in asked.stderr
    assert run_json("score", chair, *KNOWN, "--up", "-z")["shapes"][0]["up"] == "-z"


@pytest.mark.parametrize(
    "words, message",
    [
        (["score", "chair.npy", "--model", "tiny"], "no known classes"),
        (["score", "chair.npy", "--known", "chair", ""], "known class 1 is ''"),
        (["score", "chair.npy", *KNOWN, "--model", "tinny"], "Did you mean 'tiny'"),
        (["score", "chair.npy", *KNOWN, "--method", "knn"], "needs example shapes"),
        (["score", "chair.npy", *KNOWN, "--method", "knm"], "Did you mean 'knn'"),
        (["score", "chair.npy", *KNOWN, "--up", "q"], "--up is 'q'"),
        (["score", "chair.npy", *KNOWN, "--out", "x.xlsx"], ".csv or .json"),
        (["score", "chair.npy", *KNOWN, "--out", "gone/x.csv"], "Expected an existing folder gone"),
        (["score", "chair.npy", *KNOWN, "--threshold", "1", "--calibrate", "x"], "Expected one of them"),
        (["score", "chair.npy", *KNOWN, "--threshold", "nan"], "finite"),
        (
            ["score", "chair.npy", *KNOWN, "--threshold", "1", "--coverage", "0.9"],
            "(given with --threshold) is a bare number",
        ),
        (["score", "chair.npy", *KNOWN, "--calibrate-by", "folder"], "was given without --calibrate"),
        (["score", "chair.npy", *KNOWN, "--threshold", "gone.json"], "cannot read the threshold gone.json"),
        (["score", "chair.npy", *KNOWN, "--save-threshold", "x.txt"], ".json"),
        (["score", "chair.npy", *KNOWN, "--coverage", "95"], "a share above 0 and below 1"),
        (["score", ".", *KNOWN], "no shape files"),
        (["score", "a.ply", *KNOWN, "--known-up", "z"], "Expected shapes of --examples. "),
        (["score", "--known", "chair", "x.ply", "--model", "tiny"], "All words after --known are its values"),
        (["score", "--known=chair", "x.ply", "--model", "tiny"], "All words after --known are its values"),
        (["score", "a.ply", "--known", "chair", "x.ply", "--model", "tiny"], "looks like a file"),
        (["score", "a.ply", *KNOWN], "no such file"),
        (["score", "a.ply", "--known-file", "b.txt", "--model", "tiny"], "Expected a .safetensors file"),
        (["nonsense"], 'Unknown command "nonsense"'),
    ],
)
def test_wrong_usage_and_nothing_done_are_2(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output and not result.stdout


def test_a_warning_is_a_note_said_once(tmp_path: Path) -> None:
    np.save(tmp_path / "far.npy", (sample("chair", 300, seed=1) + 1e6).astype(np.float32), allow_pickle=False)
    said = run("score", tmp_path / "far.npy", *KNOWN, "--threshold", "1", "--num-samples", "2", "--readers", "0").stderr
    assert said.count("warning: ") == said.count("steps of float32") == 1 and "warning: far.npy is" in said
    assert "UserWarning" not in said
    (tmp_path / "examples" / "chair").mkdir(parents=True)
    (tmp_path / "far.npy").rename(tmp_path / "examples" / "chair" / "far.npy")
    words = ["--examples", tmp_path / "examples", "--model", "tiny", "--readers", "0"]
    said = run("known", "save", *words, "--out", tmp_path / "k.safetensors").stderr
    assert said.count("warning: ") == said.count("steps of float32") == 1 and "shape 0" not in said


def test_why_nothing_can_be_calibrated_on_is_said(mixed: Path, tmp_path: Path) -> None:
    words = ["score", mixed / "chair.npy", *KNOWN, "--calibrate"]
    assert "can be used. First failure: nothere: no such file" in run(*words, "nothere").stderr
    (tmp_path / "bare").mkdir()
    assert "bare can be used. Expected shape files" in run(*words, tmp_path / "bare").stderr
    few = run(*words, mixed / "sub", mixed / "empty.obj").stderr
    assert "shapes, 1 unusable: 1 calibration score" in few


def test_a_folder_that_is_closed_is_told_before_the_work(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    result = run("score", mixed / "chair.npy", *KNOWN, "--out", mixed / "t.csv")
    assert result.exit_code == 2 and "is not writable" in result.stderr and not result.stdout


def test_an_error_is_json_too_where_that_was_asked_for(tmp_path: Path) -> None:
    chair = write_shape(tmp_path / "chair.npy", "chair")
    found = run_json("score", chair, "--known", "chair", "--model", "tinny", code=2)
    assert found["error"]["type"] == "UnknownNameError" and "tinny" in found["error"]["message"]


def test_a_file_that_cannot_be_had_says_so_for_the_command_line(tmp_path: Path) -> None:
    chair = write_shape(tmp_path / "chair.npy", "chair")
    result = run("score", chair, "--known", "chair", "--model", "tiny", "--checkpoint", tmp_path / "gone.pt")
    assert result.exit_code == 2 and "--model tiny" in result.stderr


@pytest.fixture(scope="module")
def lying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight sofas and chairs with z up, and a mesh in a format that is y up."""
    folder = tmp_path_factory.mktemp("lying")
    for name in ("chair", "sofa"):
        for seed in range(4):
            np.save(folder / f"{name}_{seed}.npy", sample(name, 1024, seed)[:, [0, 2, 1]], allow_pickle=False)
    trimesh.creation.box((1, 2, 3)).export(folder / "box.glb")
    return folder


def test_up_auto_finds_the_axis_of_files_that_do_not_say_it(lying: Path) -> None:
    found = run_json("score", lying, *KNOWN, "--threshold", "0.9", "--up", "auto")
    assert found["up_axis"]["axis"] == "z" and found["up_axis"]["shapes"] == 8 and found["provenance"]["up"] == "auto"
    assert {row["file"].endswith("box.glb"): row["up"] for row in found["shapes"]} == {True: "y", False: "z"}
    clouds = [row for row in found["shapes"] if row["up"] == "z"]
    told = score_novelty([row["file"] for row in clouds], ["chair", "sofa"], model="tiny", up="z").novelty
    assert [row["novelty"] for row in clouds] == pytest.approx(told.tolist())
    one = run("score", lying / "chair_0.npy", *KNOWN, "--threshold", "0.9", "--up", "auto")
    assert "the up axis of 1 shape is undecided" in one.stderr and "y is used" in one.stderr and "up auto" in one.stdout


def test_without_an_axis_it_is_said_once_and_what_fits_better_where_most_are_novel(lying: Path) -> None:
    quiet = run("score", lying, *KNOWN, "--threshold", "2").stderr
    assert quiet.count("note: 8 files do not state their up axis; y is used") == 1
    doubted = run("score", lying, *KNOWN, "--threshold", "0.5").stderr
    assert "warning: read with y up, but z is up: the known classes fit" in doubted and "Give --up z" in doubted
    assert "up axis" not in run("score", lying, *KNOWN, "--threshold", "2", "--up", "y").stderr


def test_auto_is_for_shapes_that_are_judged(lying: Path) -> None:
    embed = ["embed", lying, "--out", lying / "e.npz", "--model", "tiny"]
    for words in (embed, ["known", "save", *KNOWN, "--out", lying / "k.safetensors"]):
        result = run(*words, "--up", "auto")
        assert result.exit_code == 2 and "needs known classes and several shapes" in result.stderr
    assert run("score", lying, *KNOWN, "--known-up", "auto").exit_code == 2


def test_neighbors_of_too_few_examples_are_warned_of_in_a_line(tmp_path: Path) -> None:
    for name in ("chair", "sofa", "table"):
        write_shape(tmp_path / "examples" / name / "0.npy", name)
    given = (write_shape(tmp_path / "guitar.npy", "guitar"), "--examples", tmp_path / "examples", "--model", "tiny")
    said = " ".join(run("score", *given, "--method", "knn").stderr.split())
    assert said.count("k is 5, but 3 of 3 known classes have fewer examples, the smallest 1") == 1
    assert "warning: k is 5" in said and "Give 5 or more examples of every class" in said
    found = [run_json("score", *given, "--method", method) for method in ("knn", "nearest_distance")]
    assert found[0]["shapes"][0]["novelty"] == found[1]["shapes"][0]["novelty"]
