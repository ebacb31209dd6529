"""openshape-ood scene and show: a scan from a file, a generated room, pictures of what was saved."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from cli_runs import run

from openshape_ood import KnownClasses, Threshold, load_scene, score_novelty, score_scene
from openshape_ood.app.pipelines import Pipelines
from openshape_ood.app.scan_tab import ScanInput
from openshape_ood.app.session import Calibration, Session, Shape
from openshape_ood.scenes import Scene, find_objects, save_scene
from openshape_ood.shapes.formats.ply import ply_bytes
from openshape_ood.shapes.points import AxisWarning
from openshape_ood.synthetic import sample

NAMES = ["--known", "chair", "sofa", "--model", "tiny"]


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    chair, guitar = (sample(name, 1200, seed=1)[:, [0, 2, 1]] for name in ("chair", "guitar"))
    path = tmp_path_factory.mktemp("scan") / "room.ply"
    save_scene(Scene(np.concatenate([chair, guitar + [3, 0, 0]])), path)
    return path


def test_scene_writes_what_show_draws(scan, tmp_path):
    out = tmp_path / "found"
    done = run("scene", scan, *NAMES, "--proposals", "contact", "--threshold", "0.8", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["objects"]] == ["new", "chair"]
    assert {path.rsplit("/", 1)[1] for path in told["written"]} >= {
        "scene.json",
        "objects.ply",
        "novelty.ply",
        "name.png",
    }
    for file, color in (("objects.ply", "class"), ("novelty.ply", "novelty"), ("novelty.ply", "own")):
        picture = tmp_path / f"{color}.html"
        done = run("show", out / file, "--color", color, "--out", picture)
        assert done.exit_code == 0, done.output
        assert "plotly" in picture.read_text(encoding="utf-8")[:10_000]
    assert "chair" in (tmp_path / "class.html").read_text(encoding="utf-8")[-200_000:]
    assert "comment up z" in (out / "novelty.ply").read_bytes()[:2000].decode("latin-1")
    done = run("show", scan, "--color", "novelty")
    assert done.exit_code == 2
    assert "no column 'novelty'" in done.stderr.replace("\n", " ")


def test_exported_objects_are_calibration_shapes_and_examples(scan, tmp_path):
    crops = tmp_path / "crops"
    words = ["scene", scan, *NAMES, "--proposals", "contact", "--threshold", "0.8"]
    told = json.loads(run(*words, "--export", crops, "--json").stdout)
    assert [path.rsplit("/", 2)[1:] for path in told["exported"]] == [
        ["new", "object-001.pcd"],
        ["chair", "object-002.pcd"],
    ]
    again = run(*words, "--export", crops)
    assert again.exit_code == 2 and "Expected a new or an empty folder" in again.stderr
    # the crop is the object: read with the axis that it states, it has the novelty of the scan's object
    for one, path in zip(told["objects"], told["exported"], strict=True):
        scored = json.loads(run("score", path, *NAMES, "--model", "tiny", "--threshold", "0.8", "--json").stdout)
        assert scored["shapes"][0]["up"] == "z" and scored["shapes"][0]["verdict"] == one["verdict"]
        assert scored["shapes"][0]["novelty"] == pytest.approx(one["novelty"], abs=0.05)  # another frame, other draws
    found = run("score", crops / "chair", "--examples", crops, "--model", "tiny", "--threshold", "0.5", "--json")
    assert json.loads(found.stdout)["shapes"][0]["nearest"] == "chair" and found.exit_code == 0
    calibrated = run(
        "scene", scan, *NAMES, "--proposals", "contact", "--calibrate", crops, "--coverage", "0.6", "--json"
    )
    assert calibrated.exit_code == 0, calibrated.output
    assert json.loads(calibrated.stdout)["threshold"]["n"] == 2


def test_proposals_that_are_left_out_are_counted(scan):
    words = ["scene", scan, *NAMES, "--proposals", "contact", "--threshold", "0.8"]
    assert "1 of 2 proposals are used; --most 2 uses all" in run(*words, "--most", "1").stdout
    assert "proposals:" not in run(*words).stdout
    assert json.loads(run(*words, "--most", "1", "--json").stdout)["proposals"]["found"] == 2


def test_a_scan_in_millimeters_or_on_its_side_is_said(scan, tmp_path):
    rng = np.random.default_rng(0)
    floor, wall = rng.random((900, 3)) * [4, 0, 3], rng.random((500, 3)) * [4, 2, 0]  # y up
    thing = sample("chair", 900, seed=1) + [2, 0, 1.5]
    points = np.concatenate([floor, wall, thing])
    large, turned = tmp_path / "large.npz", tmp_path / "turned.npz"
    np.savez(large, points=points * 1000)
    np.savez(turned, points=points)
    done = run("scene", large, *NAMES, "--threshold", "0.8")
    assert done.exit_code == 2
    assert "give --unit mm (or" in " ".join(done.stderr.split())
    done = run("scene", turned, *NAMES, "--threshold", "0.8", "--proposals", "contact")
    assert done.exit_code == 0
    assert "warning: turned.npz was read with z up, but looks like a room with y up" in " ".join(done.stderr.split())
    done = run("scene", large, *NAMES, "--threshold", "0.8", "--unit", "mm", "--up", "y", "--json")
    assert done.exit_code == 0 and done.stderr == ""
    assert {plane["kind"] for plane in json.loads(done.stdout)["layout"]} >= {"floor"}


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Known shapes with z up, as NPY files that do not state it: to calibrate on, and examples in a folder a class."""
    folder = tmp_path_factory.mktemp("crops")
    (folder / "held_out").mkdir()
    for name in ("chair", "sofa"):
        (folder / "examples" / name).mkdir(parents=True)
        for seed in range(13):
            upright = sample(name, 900, seed)[:, [0, 2, 1]]
            to = folder / "held_out" / f"{name}{seed}.npy" if seed < 10 else folder / "examples" / name / f"{seed}.npy"
            np.save(to, upright)
    return folder


def loaded(folder):
    return [np.load(path) for path in sorted(folder.glob("*.npy"))]


def test_crops_of_scans_are_z_up_unless_stated(scan, crops, tiny):
    words = ["scene", scan, "--model", "tiny", "--proposals", "contact", "--json"]
    calibrate = ["--calibrate", crops / "held_out"]
    mapping = {name: loaded(crops / "examples" / name) for name in ("chair", "sofa")}
    with pytest.warns(AxisWarning, match=r"6 known shapes do not state an up axis\. Axis z is assumed"):
        result = score_scene(load_scene(scan), mapping, encoder=tiny, proposals="contact")
    for own, note, up in (
        ([], "26 known shapes do not state an up axis. Axis z is assumed", "z"),
        (["--up", "y"], "y is assumed", "y"),
        (["--known-up", "y"], "", "y"),
        (["--known-up", "z", "--up", "y"], "", "z"),
    ):
        done = run(*words, *calibrate, "--examples", crops / "examples", *own)
        told, said = json.loads(done.stdout), " ".join(done.stderr.split())
        assert note in said if note else said == ""
        known = KnownClasses.from_examples(mapping, tiny, up=up)
        expected = score_novelty(loaded(crops / "held_out"), known, encoder=tiny, up=up)
        assert told["threshold"]["value"] == pytest.approx(Threshold.from_novelty(expected).value, abs=1e-4)
        if not own:
            novelty = [one["novelty"] for one in told["objects"]]
            assert novelty == pytest.approx([one.novelty for one in result], abs=1e-4)
    by_name = json.loads(run(*words, *NAMES, *calibrate).stdout)
    on_page = Pipelines().score_scan(
        ScanInput(load_scene(scan), find_objects(load_scene(scan), "contact")),
        replace(
            Session().with_names("chair, sofa"),
            calibration=Calibration(tuple(Shape("crop", cloud) for cloud in loaded(crops / "held_out"))),
        ),
        "tiny",
    )
    assert on_page.threshold.value == pytest.approx(by_name["threshold"]["value"], abs=1e-4)
    assert "20 known shapes do not state an up axis. Axis z is assumed" in on_page.remarks[-1]


def test_known_up_without_known_shapes_is_refused(scan):
    done = run("scene", scan, *NAMES, "--known-up", "z")
    assert done.exit_code == 2
    assert "Expected shapes of --examples and --calibrate. " in " ".join(done.stderr.split())


def test_a_threshold_of_shapes_with_another_axis_is_noticed(scan, crops, tmp_path):
    kept, words = tmp_path / "kept.json", ["scene", scan, *NAMES, "--proposals", "contact", "--threshold"]
    for up, note in (
        ("file", "from shapes with y up, but these were read with z up"),
        ("x", "with x up, but these were read with z up"),
        ("z", ""),
    ):
        one = crops / "held_out" / "chair0.npy"
        calibrate = ["--calibrate", crops / "held_out", "--save-threshold", kept]
        assert run("score", one, *NAMES, *calibrate, "--up", up).exit_code == 0
        said = " ".join(run(*words, kept).stderr.split())
        assert note in said if note else said == ""
    done = run("scene", scan, *NAMES, "--proposals", "contact")  # by generated shapes, which have y up
    assert done.stderr == ""
    assert "held-out generated scans of chair, sofa (not your own shapes; calibrate on 19 or more" in done.stdout


def test_what_cannot_be_is_said_first(scan, tmp_path):
    assert "--known has no generated category" in run("scene", "--known", "quark").stderr.replace("\n", " ")
    for decision in ("--threshold", "--coverage"):
        sized = run("scene", scan, *NAMES, "--size-weight", "0.1", decision, "0.8")
        assert sized.exit_code == 2
        assert "thresholds ignore sizes" in sized.stderr.replace("\n", " ")
    sized = run("scene", scan, *NAMES, "--size-weight", "0.1", "--proposals", "contact")
    assert "there is no threshold with --size-weight" in sized.stdout and "--calibrate" not in sized.stdout
    generated = run("scene", *NAMES, "--unit", "mm")
    assert generated.exit_code == 2
    assert "was given without FILE" in generated.stderr.replace("\n", " ")
    assert run("show", tmp_path / "nothing.ply").exit_code == 2


def test_show_asks_the_file_for_its_axis(tmp_path):
    chair = sample("chair", 300, seed=1)
    rows = np.zeros(300, dtype=[(axis, "<f4") for axis in "xyz"])
    rows["x"], rows["y"], rows["z"] = chair.T
    heights = []
    for comments, words in (["up y"], []), ([], []), (["up y"], ["--up", "z"]):
        (tmp_path / "a.ply").write_bytes(ply_bytes(rows, comments))
        assert run("show", tmp_path / "a.ply", *words, "--out", tmp_path / "a.html").exit_code == 0
        heights.append(
            re.search(r'"aspectratio":{"x":[^,]+,"y":[^,]+,"z":([^}]+)}', (tmp_path / "a.html").read_text())[1]
        )
    assert heights[0] != heights[1] == heights[2]
