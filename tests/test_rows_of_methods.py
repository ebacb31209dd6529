"""A method of a user's own receives unit vectors at every entry point, and raw rows only if it asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import EXAMPLES, FAKE, SHAPES, WORDS, FakeEncoder, FakeText
from test_one_number import by_command_line

from benchmarks.questions import scores
from openshape_ood import KnownClasses, Method, NoveltyDetector, ShapeEncoder, score_embeddings, score_novelty
from openshape_ood.app.pipelines import Pipelines
from openshape_ood.app.session import Session, Shape
from openshape_ood.comparison import Comparator, Cosine
from openshape_ood.embedding_store import Header, Rows, known_from, score_store, write_embeddings
from openshape_ood.encoders.protocols import Embeddings, Identity, Provenance
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene, score_scene
from openshape_ood.scenes.segmentation import segment_scene
from openshape_ood.scoring import METHODS, Judgement, Scorer, judge
from openshape_ood.synthetic import sample

IDENTITY = Identity("mine", "my space", "ab" * 32)
RANDOM = np.random.RandomState(0)
LONG = {name: RANDOM.normal(size=(6, 4)) + 20 * np.eye(4)[c] for c, name in enumerate("abc")}
QUERIES = 40 * RANDOM.normal(size=(7, 4))
TABLE, LABELS = np.concatenate(list(LONG.values())), np.repeat(list(LONG), 6)


class LongEncoder(FakeEncoder):
    """A `FakeEncoder` whose embeddings are 50 long."""

    def _embed(self, xyz: np.ndarray) -> np.ndarray:
        return 50 * super()._embed(xyz)


class Lengths:
    """A method of a user's own that keeps the lengths of all that it receives."""

    def __init__(self) -> None:
        self.examples, self.rows = list[float](), list[float]()

    def method(self, **fields: Any) -> Method:
        return Method("lengths", self._scorer, **fields)

    def _scorer(self, known: KnownClasses) -> Scorer:
        if known.examples is not None:
            self.examples += np.linalg.norm(known.examples, axis=1).tolist()
        return _ByLengths(known, self.rows)


class _ByLengths:
    def __init__(self, known: KnownClasses, seen: list[float]) -> None:
        self.anchors, self.seen = known.anchors, seen

    def judge(self, rows: np.ndarray) -> Judgement:
        self.seen += np.linalg.norm(rows, axis=1).tolist()
        cosines = rows @ self.anchors.T
        return Judgement(-cosines.max(axis=1), cosines.argmax(axis=1), cosines)


def known() -> KnownClasses:
    return KnownClasses.from_embeddings(TABLE, LABELS, IDENTITY)


def stored(folder: Path, vectors: np.ndarray, names: list[str]) -> Path:
    rows = Rows(names, names, ["y"] * len(names), vectors.astype(np.float32))
    return write_embeddings(folder / f"{len(names)}.npz", rows, Header(Provenance(IDENTITY), dim=vectors.shape[1]))


def by_store(method: Method, folder: Path) -> None:
    examples = known_from(stored(folder, TABLE, [f"{name}/{i}" for i, name in enumerate(LABELS)]))
    list(score_store(stored(folder, QUERIES, list("1234567")), examples, method))


def by_detector(method: Method, folder: Path) -> None:
    detector = NoveltyDetector(method).fit(TABLE, LABELS)
    detector.partial_fit(np.concatenate([TABLE[:3], 50 * QUERIES]), ["a"] * 3 + ["d"] * 7)
    assert (detector.predict(QUERIES) == np.where(detector.classify(QUERIES) == "novel", -1, 1)).all()


def by_scene(method: Method, folder: Path) -> None:
    boxes = np.concatenate([RANDOM.uniform(size=(500, 3)) + [3 * i, 0, 0] for i in range(2)])
    masks = [np.arange(500), np.arange(500, 1000)]
    text = FakeText({"pole": np.eye(4)[0], "plate": np.eye(4)[1]}, WORDS)
    score_scene(Scene(boxes), ["pole", "plate"], encoder=LongEncoder(), text=text, proposals=masks, method=method)


class Voxels:
    """The voxels of a point encoder, as `segment_scene` takes them."""

    def __init__(self, n: int) -> None:
        self.inverse, self.n = np.arange(n), n

    def __len__(self) -> int:
        return self.n

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        yield slice(0, self.n), 30 * RANDOM.normal(size=(self.n, 4)).astype(np.float32)


class LongPointEncoder:
    identity, temperature = FAKE, None

    def encode_voxels(self, scene: Scene) -> Voxels:
        return Voxels(len(scene.points))


def by_points(method: Method, folder: Path) -> None:
    examples = KnownClasses.from_embeddings(TABLE, LABELS, FAKE)
    segment_scene(Scene(RANDOM.uniform(size=(50, 3))), examples, encoder=LongPointEncoder(), method=method)


ENTRY_POINTS: dict[str, Callable[[Method, Path], object]] = {
    "judge": lambda method, folder: judge(QUERIES, known(), method),
    "shapes": lambda method, folder: score_novelty(SHAPES, EXAMPLES, encoder=LongEncoder(), method=method),
    "embeddings": lambda method, folder: score_novelty(Embeddings(QUERIES, IDENTITY), known(), method=method),
    "calibration": lambda method, folder: score_embeddings(
        QUERIES, known(), method, calibration=RANDOM.normal(size=(20, 4)) * 60
    ),
    "arrays": lambda method, folder: score_embeddings(QUERIES, LONG, method),
    "detector": by_detector,
    "store": by_store,
    "scene": by_scene,
    "points of a scene": by_points,
}


@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_rows_and_examples_are_unit_vectors(entry: str, tmp_path: Path) -> None:
    lengths = Lengths()
    ENTRY_POINTS[entry](lengths.method(), tmp_path)
    assert lengths.rows and (lengths.examples or entry == "scene")
    np.testing.assert_allclose(lengths.rows + lengths.examples, 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize("entry", [entry for entry in ENTRY_POINTS if entry not in ("shapes", "scene")])
def test_raw_rows_keep_their_lengths(entry: str, tmp_path: Path) -> None:
    lengths = Lengths()
    ENTRY_POINTS[entry](lengths.method(rows="raw"), tmp_path)
    assert max(lengths.rows) > 10 and min(lengths.examples) > 10


@pytest.fixture
def own() -> Iterator[Lengths]:
    """A method of a user's script, under its name."""
    lengths = Lengths()
    METHODS["lengths"] = lengths.method()
    yield lengths
    del METHODS["lengths"]


def test_on_the_command_line_and_the_page(own: Lengths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clouds = {name: [sample(name, 512, seed).astype(np.float32) for seed in range(2)] for name in ("chair", "sofa")}
    for name, some in clouds.items():
        (tmp_path / "examples" / name).mkdir(parents=True)
        for i, cloud in enumerate(some):
            np.save(tmp_path / "examples" / name / f"{i}.npy", cloud)
    np.save(tmp_path / "guitar.npy", sample("guitar", 512, seed=1))
    by_command_line(tmp_path, "lengths", capsys)
    asked = len(own.rows)
    assert asked
    session = Session().with_names("chair, sofa").with_shapes([Shape("guitar", sample("guitar", 512, seed=1))])
    Pipelines().score(session, "tiny", "lengths")
    assert len(own.rows) > asked
    np.testing.assert_allclose(own.rows + own.examples, 1, rtol=0, atol=1e-6)


def test_in_the_benchmark_of_methods(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lengths = Lengths()
    others = {name: METHODS[name] for name in ("max_cosine", "rank_fusion")}  # every group needs one
    monkeypatch.setattr(scores, "METHODS", others | {"lengths": lengths.method(needs="examples")})
    words = ["--per-class", "3", "--seeds", "1", "--draws", "100", "--quiet", "--no-cache", "--workers", "0"]
    assert scores.main([*words, "--name", "sr2", "--device", "cpu", "--out", str(tmp_path)]) == 0
    np.testing.assert_allclose(lengths.rows + lengths.examples, 1, rtol=0, atol=1e-6)


def test_the_length_of_rows_and_examples_changes_no_packaged_method_but_the_euclidean() -> None:
    one = KnownClasses.from_embeddings(TABLE / np.linalg.norm(TABLE, axis=1, keepdims=True), LABELS, IDENTITY)
    unit = QUERIES / np.linalg.norm(QUERIES, axis=1, keepdims=True)
    methods = [one for one in METHODS.values() if one.needs in ("any", "examples")]
    for method in [*methods, Comparator.of(Cosine())]:
        same = np.allclose(judge(QUERIES, known(), method).novelty, judge(unit, one, method).novelty, atol=1e-9)
        assert same == (not method.name.endswith("euclidean"))


def test_a_zero_row_is_refused_whatever_a_method_takes(tiny: ShapeEncoder) -> None:
    for rows in ("embedding", "raw"):
        with pytest.raises(InputError, match="query row 1 is zero"):
            judge(QUERIES * [[1], [0], *[[1]] * 5], known(), Lengths().method(rows=rows))
