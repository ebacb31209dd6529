"""One name is one number, and takes a method of one's own: library, detector, store, command line, page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import copy
from inspect import signature
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from fakes import Farthest
from huggingface_hub import constants

from openshape_ood import (
    KnownClasses,
    Method,
    NoveltyDetector,
    NoveltyPipeline,
    Scene,
    ShapeEncoder,
    TextEncoder,
    cli,
    compare_scenes,
    localize,
    score_novelty,
    score_scene,
)
from openshape_ood.app.layout import Components
from openshape_ood.app.pipelines import Pipelines, method_names
from openshape_ood.app.session import Session, Shape
from openshape_ood.embedding_store import score_store
from openshape_ood.novelty_map.patches import localize_many
from openshape_ood.scenes import save_scene
from openshape_ood.scoring import METHODS
from openshape_ood.surfaces import SurfaceModel
from openshape_ood.synthetic import sample

NAMES = ("chair", "sofa", "table")
SEEDS = range(6)


@pytest.fixture
def own() -> Iterator[str]:
    """A method of a user's script, under its name."""
    METHODS["farthest"] = Method("farthest", Farthest)
    yield "farthest"
    del METHODS["farthest"]


@pytest.fixture(scope="module")
def clouds() -> dict[str, list[np.ndarray]]:
    return {name: [sample(name, 512, seed).astype(np.float32) for seed in SEEDS] for name in NAMES}


@pytest.fixture(scope="module")
def query() -> np.ndarray:
    return sample("guitar", 512, seed=1)


@pytest.fixture(scope="module")
def folder(clouds: dict[str, list[np.ndarray]], query: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    for name, own in clouds.items():
        (root / "examples" / name).mkdir(parents=True)
        for i, cloud in enumerate(own):
            np.save(root / "examples" / name / f"{i}.npy", cloud)
    np.save(root / "guitar.npy", query)
    return root


def by_command_line(folder: Path, method: str, capsys: pytest.CaptureFixture[str]) -> float:
    words = ["score", folder / "guitar.npy", "--examples", folder / "examples", "--method", method, "--model", "tiny"]
    with pytest.raises(SystemExit) as end:
        cli.main([*map(str, words), "--json"])
    assert end.value.code in (0, None)
    return float(json.loads(capsys.readouterr().out)["shapes"][0]["novelty"])


def by_store(folder: Path, known: KnownClasses, method: str, out: Path) -> float:
    words = ["embed", folder / "guitar.npy", "--out", out, "--model", "tiny"]
    with pytest.raises(SystemExit) as end:
        cli.main([*map(str, words)])
    assert end.value.code in (0, None)
    (scored,) = score_store(out, known, method)
    return float(scored.novelty[0])


@pytest.fixture(scope="module")
def pipelines() -> Iterator[Pipelines]:
    """Those of a page, which its visitors share; patches are compared with few generated shapes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("openshape_ood.app.pipelines.COMPARED", 2)
        yield Pipelines()


def by_page(pipelines: Pipelines, clouds: dict[str, list[np.ndarray]], query: np.ndarray, method: str) -> float:
    session = Session().with_names(", ".join(NAMES))
    for name, own in clouds.items():
        for i, cloud in enumerate(own):
            session = session.with_shapes([Shape(f"{name} {i}", cloud)]).with_example(name, "y")
    assert method in method_names()
    return pipelines.score(session.with_shapes([Shape("guitar", query)]), "tiny", method).novelty


@pytest.mark.parametrize(
    "method, store", [("knn", "x.npz"), ("prototype_distance", "x.npz"), ("farthest", "x.safetensors")]
)
def test_one_number(
    method: str,
    store: str,
    own: str,
    clouds: dict[str, list[np.ndarray]],
    query: np.ndarray,
    folder: Path,
    tmp_path: Path,
    tiny: ShapeEncoder,
    pipelines: Pipelines,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = score_novelty(query, clouds, encoder=tiny, method=method)
    expected = float(result.novelty[0])
    known = KnownClasses.from_examples(clouds, tiny)
    ready = score_novelty(result.embeddings, known, method=method)
    detector = NoveltyDetector(method).fit(known.examples, [NAMES[i] for i in known.labels])
    assert ready.novelty[0] == pytest.approx(expected, rel=1e-5)
    assert detector.novelty_score(result.embeddings.vectors)[0] == pytest.approx(expected, rel=1e-5)
    # from the files of the store, whose embeddings are float32
    assert by_store(folder, known, method, tmp_path / store) == pytest.approx(expected, rel=1e-5)
    capsys.readouterr()
    assert by_command_line(folder, method, capsys) == pytest.approx(expected, rel=1e-5)
    # the page keeps examples about their own middle
    assert by_page(pipelines, clouds, query, method) == pytest.approx(expected, rel=1e-5)


def test_one_number_of_a_softmax_of_an_encoder_with_a_temperature(
    query: np.ndarray,
    folder: Path,
    tmp_path: Path,
    tiny: ShapeEncoder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warm = copy(tiny)
    warm.temperature = 0.2  # `tiny` says none
    monkeypatch.setattr(ShapeEncoder, "from_pretrained", lambda *given, **more: warm)
    known = KnownClasses.from_names(NAMES, TextEncoder.from_pretrained("tiny"))
    result = score_novelty(query, list(NAMES), model="tiny", method="mcm")
    softmax = np.exp(result.similarity[0] / 0.2)
    expected = pytest.approx(1 - softmax.max() / softmax.sum(), rel=1e-4)
    assert result.novelty[0] == expected
    assert score_novelty(query, known, encoder=warm, method="mcm").novelty[0] == expected
    assert by_store(folder, known, "mcm", tmp_path / "x.npz") == expected
    capsys.readouterr()
    # from a file, from a store, and from a store beside a file
    for shapes in ([folder / "guitar.npy"], [tmp_path / "x.npz"], [folder / "guitar.npy", tmp_path / "x.npz"]):
        words = ["score", *shapes, "--known", *NAMES, "--method", "mcm", "--model", "tiny", "--threshold", 0.5]
        with pytest.raises(SystemExit) as end:
            cli.main([*map(str, words), "--json"])
        assert end.value.code in (0, None)
        assert [one["novelty"] for one in json.loads(capsys.readouterr().out)["shapes"]] == [expected] * len(shapes)
    session = Session().with_names(", ".join(NAMES)).with_shapes([Shape("guitar", query)])
    assert Pipelines().score(session, "tiny", "mcm").novelty == expected


def test_a_method_object_is_its_name(
    own: str, clouds: dict[str, list[np.ndarray]], query: np.ndarray, tiny: ShapeEncoder
) -> None:
    result = score_novelty(query, clouds, encoder=tiny, method=METHODS[own])
    assert result.novelty[0] == score_novelty(query, clouds, encoder=tiny, method=own).novelty[0]
    assert result.novelty[0] == pytest.approx(1 - result.similarity[0].min())


def test_a_name_that_there_is_not_is_told_with_ones_own(own: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["score", "x.npy", "--known", "chair", "--model", "tiny", "--method", "fartest"])
    assert "Did you mean 'farthest'" in " ".join(capsys.readouterr().err.split())


def test_a_method_of_ones_own_stands_in_the_list_of_the_page(own: str) -> None:
    gradio = MagicMock()
    Components(gradio, Session().with_names(", ".join(NAMES)), "tiny", max_file_mb=1)
    (choices,) = [call.args[0] for call in gradio.Dropdown.call_args_list if call.kwargs["elem_id"] == "method"]
    assert own in choices and set(METHODS) < set(choices)


@pytest.mark.parametrize(
    "function", [score_novelty, NoveltyPipeline.prepare, localize, localize_many, score_scene, compare_scenes]
)
def test_encoder_and_model_are_the_same_arguments_everywhere(function: Callable[..., object]) -> None:
    own, same = (signature(one).parameters for one in (function, score_novelty))
    for name in ("encoder", "model"):
        assert (own[name].kind, own[name].default) == (same[name].kind, same[name].default)


def test_commands_have_one_default_encoder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("OPENSHAPE_OOD_CACHE", str(tmp_path))
    scan = save_scene(Scene(np.random.default_rng(1).uniform(0, 1, (3000, 3)) * [4, 3, 0.01]), tmp_path / "scan.ply")
    SurfaceModel.fit([sample("chair", 2000, seed) for seed in range(3)], reconstructor="pca").save(tmp_path / "model")
    shape, watched, told = folder / "guitar.npy", ("--map", tmp_path / "map", "--once"), []
    for words in (
        ("score", shape),
        ("scene", scan),
        ("changes", scan, scan, "--aligned"),
        ("watch", tmp_path, *watched),
        ("surface", "score", tmp_path / "model", shape),
    ):
        with pytest.raises(SystemExit) as end:
            cli.main([*map(str, words), "--known", *NAMES])
        assert end.value.code == 2
        told.append(capsys.readouterr().err[-800:])
    assert len(set(told)) == 1 and "vitb32" in told[0] and "--model tiny" in told[0]
