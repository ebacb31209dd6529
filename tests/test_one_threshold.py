"""One question has one threshold: library, stored embeddings, command line and page, under all combinations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from openshape_ood import Embeddings, KnownClasses, NoveltyPipeline, ShapeEncoder, Threshold, cli, score_novelty
from openshape_ood.app.pipelines import Pipelines
from openshape_ood.app.session import Calibration, Session, Shape
from openshape_ood.embedding_store import score_store
from openshape_ood.errors import InputError
from openshape_ood.synthetic import sample

GENERATED, OTHERS = ("chair", "table"), ("gizmo", "thing")  # names that mean a generated category, and others
GIVEN, SAVED = 0.111, 0.222
Files = dict[tuple[bool, bool], Path]


class Case(NamedTuple):
    """The thresholds that exist, in their order of precedence."""

    given: bool
    calibration: bool
    saved: bool
    generated: bool

    @property
    def names(self) -> tuple[str, ...]:
        return GENERATED if self.generated else OTHERS


CASES = [Case(*flags) for flags in product((True, False), repeat=4) if not (flags[0] and flags[1])]


@pytest.fixture(scope="module")
def query() -> np.ndarray:
    return sample("guitar", 512, seed=1).astype(np.float32)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty known shapes."""
    folder = tmp_path_factory.mktemp("held_out")
    paths = [folder / f"{i}.npy" for i in range(20)]
    for i, path in enumerate(paths):
        np.save(path, sample(GENERATED[i % 2], 512, seed=50 + i).astype(np.float32))
    return paths


@pytest.fixture(scope="module")
def files(tiny: ShapeEncoder, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Known classes, by whether a threshold is saved with them and whether their names mean a generated category."""
    folder, made = tmp_path_factory.mktemp("known"), {}
    for saved, generated in product((True, False), repeat=2):
        names = Case(False, False, saved, generated).names
        shapes = {name: [sample(GENERATED[i], 512, seed) for seed in range(3)] for i, name in enumerate(names)}
        known = KnownClasses.from_examples(shapes, tiny)
        own = NoveltyPipeline.prepare(known, encoder=tiny, generated=None).provenance
        known = known.with_threshold(Threshold(SAVED, provenance=own)) if saved else known
        made[saved, generated] = known.save(folder / f"{saved}{generated}.safetensors")
    return made


@pytest.fixture(scope="module")
def pipelines(files: Files) -> Iterator[dict[tuple[bool, bool], Pipelines]]:
    """Those of a page of each file, for all its visitors; patches are compared with few generated shapes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("openshape_ood.app.pipelines.COMPARED", 2)
        yield {which: Pipelines(KnownClasses.load(file)) for which, file in files.items()}


def told(words: list[Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with pytest.raises(SystemExit) as end:
        cli.main([*map(str, words), "--json"])
    assert end.value.code in (0, None)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def value(threshold: Any) -> float | None:
    return None if threshold is None else threshold.value


@pytest.fixture(scope="module")
def expected(tiny: ShapeEncoder, held_out: list[Path], files: Files) -> dict[str, float]:
    """The four thresholds, each made by itself."""
    known = KnownClasses.load(files[False, True])
    calibrated = Threshold.from_novelty(score_novelty(held_out, known, encoder=tiny, up="y"))
    made = NoveltyPipeline.prepare(known, encoder=tiny).threshold
    assert made is not None and made.is_generated
    return {"given": GIVEN, "calibration": calibrated.value, "saved": SAVED, "generated": made.value}


@pytest.fixture(scope="module")
def store(query: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedding of the query."""
    path = tmp_path_factory.mktemp("store") / "e.npz"
    np.save(path.with_name("query.npy"), query)
    with pytest.raises(SystemExit) as end:
        cli.main(["embed", str(path.with_name("query.npy")), "--model", "tiny", "--out", str(path), "--up", "y"])
    assert end.value.code in (0, None)
    return path


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: "+".join(n for n, on in case._asdict().items() if on) or "none"
)
def test_all_entry_points_take_the_threshold_that_precedes(
    case: Case,
    query: np.ndarray,
    held_out: list[Path],
    expected: dict[str, float],
    tiny: ShapeEncoder,
    files: Files,
    pipelines: dict[tuple[bool, bool], Pipelines],
    store: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = files[case.saved, case.generated]
    known = KnownClasses.load(file)
    first = next((name for name, on in case._asdict().items() if on), None)
    wanted = pytest.approx(expected[first], abs=1e-5) if first else None
    given = Threshold(GIVEN) if case.given else None
    clouds = [np.load(path) for path in held_out]

    how: dict[str, Any] = {"encoder": tiny, "threshold": given, "up": "y"}
    how["calibration"] = clouds if case.calibration else None
    result = score_novelty(query, known, **how)
    assert value(result.threshold) == wanted
    assert value(NoveltyPipeline.prepare(known, **how)(query).threshold) == wanted
    assert value(score_novelty(result.embeddings, known, **{**how, "encoder": None}).threshold) == wanted

    words: list[Any] = ["score", store.with_name("query.npy"), "--known-file", file, "--up", "y"]
    words += ["--threshold", GIVEN] if case.given else []
    words += ["--calibrate", *held_out] if case.calibration else []
    found = told(words, capsys)
    assert (found["threshold"] and found["threshold"]["value"]) == wanted

    own = Calibration(tuple(Shape(str(i), cloud, stated="y") for i, cloud in enumerate(clouds)))
    own = Calibration(threshold=given) if case.given else own
    session = Session(names=case.names, shapes=(Shape("query", query, stated="y"),))
    session = Session(**{**vars(session), "calibration": own if case.given or case.calibration else None})
    assert value(pipelines[case.saved, case.generated].score(session, "tiny", origin="scan").threshold) == wanted

    if not case.calibration:  # `score_store` takes none
        (scored,) = score_store(store, known, threshold=given)
        novel = None if first is None else [bool(result.novelty[0] > expected[first])]
        assert (None if scored.is_novel is None else scored.is_novel.tolist()) == novel


def test_two_of_the_callers_own_contradict(
    query: np.ndarray, held_out: list[Path], files: Files, tiny: ShapeEncoder
) -> None:
    known = KnownClasses.load(files[True, True])
    with pytest.raises(InputError, match="threshold and calibration are both given"):
        score_novelty(query, known, encoder=tiny, threshold=Threshold(GIVEN), calibration=held_out)


def test_only_what_was_trained_on_generated_shapes_is_calibrated_on_them(tiny: ShapeEncoder) -> None:
    stranger = KnownClasses.from_embeddings(np.eye(3), ["chair", "sofa", "table"], tiny.identity)
    other = Embeddings(np.eye(3), type(tiny.identity)("other", "other", "5e"))
    known = KnownClasses.from_embeddings(np.eye(3), ["chair", "sofa", "table"], other.identity)
    assert score_novelty(other, known).threshold is None
    assert stranger.identity.sha256  # of `tiny`, whose rows have another width: an error, not a threshold
    with pytest.raises(InputError):
        score_novelty(Embeddings(np.eye(3), tiny.identity), stranger)
