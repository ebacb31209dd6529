from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeText
from made_up_worlds import World, classes, world
from scipy.special import softmax
from scipy.stats import multivariate_normal
from sklearn.utils.estimator_checks import estimator_checks_generator

from openshape_ood import Embeddings, KnownClasses, NoveltyDetector, Threshold, score_embeddings, score_novelty
from openshape_ood.comparison import (
    FAMILIES,
    Comparator,
    Cosine,
    PairMetric,
    Plda,
    RelationSimilarity,
    WhitenedCosine,
)
from openshape_ood.comparison.families import restored
from openshape_ood.comparison.network import Relation, RelationSizes
from openshape_ood.comparison.scorer import select
from openshape_ood.comparison.training import Recipe, fit_comparator
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.embedding_store import Header, Rows, score_store, write_embeddings
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.errors import FileError, InputError, MixedEncodersError, UnknownNameError
from openshape_ood.registry import find_checkpoint, list_checkpoints
from openshape_ood.registry.files import sha256
from openshape_ood.registry.rows import REGISTRY_VARIABLE
from openshape_ood.scoring import METHODS, find_method, judge
from openshape_ood.scoring.methods import method_names

D = 12
RANDOM = np.random.RandomState(0)
MINE, OTHER = Identity("mine", "words", "a" * 64), Identity("other", "words", "b" * 64)
BASE = replace(
    classes("base", np.repeat(RANDOM.standard_normal((8, D)), 6, axis=0) + 0.4 * RANDOM.standard_normal((48, D)),
            np.repeat(np.arange(8), 6)),
    identity=MINE,
)  # fmt: skip
EXAMPLES = {
    name: RANDOM.standard_normal(D) + 0.4 * RANDOM.standard_normal((m, D)) for name, m in (("a", 4), ("b", 1), ("c", 7))
}
LABELS = np.repeat(np.arange(3), [4, 1, 7])
KNOWN = KnownClasses(tuple("abc"), MINE, examples=np.concatenate([*EXAMPLES.values()]), labels=LABELS)
QUERIES = RANDOM.standard_normal((9, D))


def comparators() -> dict[str, Comparator]:
    recipe = Recipe(width=16, heads=2, steps=3, pairs=16, rate=0.05)
    made = {"relation": fit_comparator(BASE, recipe=recipe)}
    return made | {name: fit_comparator(BASE, name) for name in FAMILIES if name != "relation"}


MADE = comparators()
every_family = pytest.mark.parametrize("family", FAMILIES)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("center", [np.full(D, np.inf), np.full(D, np.nan), np.zeros(D, dtype=np.int64)])
def test_numbers_of_a_saved_similarity_are_finite_floats(center: np.ndarray) -> None:
    settings, arrays = MADE["whitened"].similarity.state()
    with pytest.raises(ValueError, match="expected finite numbers"):
        restored("whitened", settings, {**arrays, "center": center})


# what the families say


@every_family
def test_the_order_of_a_pair_does_not_matter_to_any(family: str) -> None:
    similarity = MADE[family].similarity
    found = similarity.between(QUERIES, KNOWN.anchors)
    assert found.shape == (9, 3) and found.dtype == np.float64 and found.std() > 1e-6
    np.testing.assert_allclose(found, similarity.between(KNOWN.anchors, QUERIES).T, atol=1e-5)
    np.testing.assert_allclose(found, similarity.between(3 * QUERIES, 0.1 * KNOWN.anchors), atol=1e-5)


def test_whitening_is_that_of_the_covariance_within_base_classes() -> None:
    rows, labels = unit(BASE.labeled_examples()[0]), BASE.labeled_examples()[1]
    within = rows - np.stack([rows[labels == c].mean(axis=0) for c in labels])
    covariance = within.T @ within / len(rows)
    covariance = 0.7 * covariance + 0.3 * np.trace(covariance) / D * np.eye(D)
    metric = np.linalg.inv(covariance)
    a, b = (unit(one) - rows.mean(axis=0) for one in (QUERIES[0], QUERIES[1]))
    expected = a @ metric @ b / np.sqrt((a @ metric @ a) * (b @ metric @ b))
    assert WhitenedCosine.fit(BASE, 0.3).between(QUERIES[:1], QUERIES[1:2])[0, 0] == pytest.approx(expected)


def test_plda_is_the_ratio_of_two_normal_densities() -> None:
    made = Plda.fit(BASE)
    axes = np.linalg.inv(made.axes)
    within, between = axes.T @ axes, axes.T @ np.diag(made.spread) @ axes
    a, b = unit(QUERIES[0]) - made.center, unit(QUERIES[1]) - made.center
    total = within + between
    same = multivariate_normal(cov=np.block([[total, between], [between, total]])).logpdf(np.concatenate([a, b]))
    apart = sum(multivariate_normal(cov=total).logpdf(x) for x in (a, b))
    assert made.between(QUERIES[:1], QUERIES[1:2])[0, 0] == pytest.approx(same - apart)


def test_the_spread_of_plda_is_the_variance_of_class_means_less_that_of_their_estimate() -> None:
    made = Plda.fit(BASE, between_shrinkage=0)
    rows, labels = unit(BASE.labeled_examples()[0]), BASE.labeled_examples()[1]
    means = np.stack([rows[labels == c].mean(axis=0) for c in np.unique(labels)]) - made.center
    variance = ((means @ made.axes) ** 2).sum(axis=0) / (len(means) - 1)
    expected = np.maximum(variance - np.mean(1 / np.bincount(labels)), 0)
    np.testing.assert_allclose(made.spread, expected, atol=1e-8)
    assert expected.max() > 0.1


def test_the_metric_is_linear_in_what_differs_and_what_agrees() -> None:
    made = PairMetric.fit(BASE, pairs=200)
    a, b = ((unit(one) - made.center) * np.sqrt(D) for one in (QUERIES[0], QUERIES[1]))
    expected = np.abs(a - b) @ made.apart + (a * b) @ made.product + made.constant
    assert made.between(QUERIES[:1], QUERIES[1:2])[0, 0] == pytest.approx(expected)


def test_the_cosine_is_prototype_distance_and_whitening_is_enough_for_linear_nuisance() -> None:
    """R9."""
    own = world(0)
    cosine, whitened = (fit_comparator(own.base, name) for name in ("cosine", "whitened"))
    assert 0.70 < auroc("prototype_distance", own) < 0.87 and auroc(whitened, own) >= 0.99
    by_cosine, by_prototype = (judge(own.queries, own.known, m).novelty for m in (cosine, "prototype_distance"))
    assert np.diff(by_prototype[by_cosine.argsort()]).min() > -1e-5  # the same order, but for equals


def auroc(method: Any, own: World) -> float:
    return ood_metrics(*(judge(rows, own.known, method).novelty for rows in (own.queries, own.novel)))["auroc"]


# what stands for a class


@every_family
def test_novelty_is_minus_the_largest_similarity_of_a_class(family: str) -> None:
    comparator = MADE[family]
    anchors = unit(np.stack([unit(rows).mean(axis=0) for rows in EXAMPLES.values()]))
    expected = comparator.similarity.between(QUERIES, anchors)
    found = judge(QUERIES, KNOWN, comparator)
    np.testing.assert_allclose(found.similarity, expected, atol=1e-5)
    np.testing.assert_allclose(found.novelty, -expected.max(axis=1), atol=1e-5)
    assert found.nearest.tolist() == expected.argmax(axis=1).tolist()
    shares = judge(QUERIES, KNOWN, comparator.configured(score="softmax")).novelty
    np.testing.assert_allclose(shares, 1 - softmax(expected, axis=1).max(axis=1), atol=1e-5)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_all_examples_count_by_the_most_or_on_average(pool: str) -> None:
    comparator = MADE["whitened"].configured(prototypes="all", pool=pool)
    each = [getattr(np, pool)(comparator.similarity.between(QUERIES, rows), axis=1) for rows in EXAMPLES.values()]
    np.testing.assert_allclose(judge(QUERIES, KNOWN, comparator).similarity, np.stack(each, axis=1), atol=1e-12)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_neighbors_are_those_of_all_classes(k: int) -> None:
    comparator = MADE["whitened"].configured(prototypes="all", score="neighbors", k=k)
    each = np.sort(comparator.similarity.between(QUERIES, KNOWN.labeled_examples()[0]), axis=1)
    few = pytest.warns(UserWarning, match="have fewer examples, the smallest") if k > 1 else nullcontext()
    with few:
        novelty = judge(QUERIES, KNOWN, comparator).novelty
    np.testing.assert_allclose(novelty, -each[:, -k:].mean(axis=1), atol=1e-12)


def test_prototypes_that_are_examples() -> None:
    rows = np.array([[0.0, 0], [0, 0], [1, 0], [2, 0], [9, 0]])
    assert select(rows, "mean").tolist() == [[2.4, 0]] and select(rows, "medoid").tolist() == [[2, 0]]
    assert select(rows, "k-center", 3).tolist() == [[2, 0], [9, 0], [0, 0]]
    assert sorted(select(rows, "k-center", 99).tolist()) == rows.tolist()  # each once, also duplicates
    assert select(rows, "all") is rows
    assert select(rows[2:], "mean", unit=True).tolist() == [[1, 0]]


@every_family
def test_the_order_of_examples_and_classes_does_not_matter(family: str) -> None:
    """R16."""
    order, places = RANDOM.permutation(12), np.array([2, 0, 1])
    names = tuple(np.array(KNOWN.names)[np.argsort(places)])
    other = replace(KNOWN, names=names, examples=KNOWN.labeled_examples()[0][order], labels=places[LABELS][order])
    for settings in ({}, {"prototypes": "k-center", "k": 2}, {"prototypes": "all", "pool": "mean"}):
        comparator = MADE[family].configured(**settings)
        one, again = judge(QUERIES, KNOWN, comparator), judge(QUERIES, other, comparator)
        np.testing.assert_allclose(one.novelty, again.novelty, atol=1e-5)
        assert [KNOWN.names[i] for i in one.nearest] == [names[i] for i in again.nearest]


@every_family
def test_batches_of_any_size_and_none(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R15."""
    whole = judge(QUERIES, KNOWN, MADE[family])
    monkeypatch.setattr("openshape_ood.comparison.families.BLOCK_ELEMENTS", 20)
    for size in (1, 7):
        parts = [judge(QUERIES[i : i + size], KNOWN, MADE[family]) for i in range(0, 9, size)]
        np.testing.assert_allclose(np.concatenate([one.novelty for one in parts]), whole.novelty, atol=1e-5)
    none = judge(QUERIES[:0], KNOWN, MADE[family])
    assert none.novelty.shape == (0,) and none.similarity.shape == (0, 3)


def test_names_stand_for_classes_where_they_were_learned() -> None:
    text = unit(RANDOM.standard_normal((3, D)))
    comparator, between = Comparator.of(Cosine(), text=True), Cosine().between(QUERIES, text)
    by_name = KnownClasses(tuple("abc"), replace(MINE, sha256=""), text=text)
    np.testing.assert_allclose(judge(QUERIES, by_name, comparator).similarity, between)
    both = KNOWN.relabeled(("a", "b", "c"), [0, 1, 2], text)
    by_example = judge(QUERIES, KNOWN, comparator).similarity
    np.testing.assert_allclose(judge(QUERIES, both, comparator).similarity, by_example)
    np.testing.assert_allclose(judge(QUERIES, both, comparator.configured(anchors="names")).similarity, between)
    fused = judge(QUERIES, both, comparator.configured(anchors="both", pool="mean")).similarity
    np.testing.assert_allclose(fused, (by_example + between) / 2, atol=1e-12)
    some = replace(both, names=("a", "b", "c", "d"), text=np.concatenate([text, QUERIES[:1]]))
    assert judge(QUERIES[:1], some, comparator).nearest.tolist() == [3]
    found = score_novelty(Embeddings(QUERIES, MINE), ["a", "b"], encoder=Encoder(), text=words(), method=comparator)
    assert found.similarity.shape == (9, 2)


class Encoder:
    """Whose embeddings the queries are."""

    identity, dim, temperature = MINE, D, None

    def encode(self, shapes: Any, **settings: Any) -> np.ndarray:
        raise AssertionError


def words() -> Any:
    text = FakeText({"a": QUERIES[0], "b": QUERIES[1]})
    text.identity = replace(MINE, sha256="")
    return text


# what is refused


@pytest.mark.parametrize("family", ["whitened", "relation"])
def test_one_known_class_has_no_softmax(family: str) -> None:
    """R12."""
    one = KNOWN.subset(LABELS == 0)
    with pytest.raises(InputError, match=r"softmax over one known class, 'a', is always 1.*score=\"max\""):
        judge(QUERIES, one, MADE[family].configured(score="softmax"))
    near, far = EXAMPLES["a"] + 0.1, -EXAMPLES["a"]
    assert judge(QUERIES, KNOWN.subset(LABELS == 1), MADE[family]).nearest.tolist() == [0] * 9  # one example in all
    if family == "whitened":
        assert ood_metrics(*(judge(rows, one, MADE[family]).novelty for rows in (near, far)))["auroc"] > 0.5


def test_a_class_without_examples_is_named() -> None:
    """R13."""
    text = unit(RANDOM.standard_normal((4, D)))
    named = replace(KNOWN.relabeled(("a", "b", "c", "d"), [0, 1, 2], text))
    with pytest.raises(InputError, match="class 'd' has no examples; this comparator learned only shapes, no names"):
        judge(QUERIES, named, MADE["relation"])
    with pytest.raises(InputError, match="needs example shapes"):
        score_novelty(Embeddings(QUERIES, MINE), ["a", "b"], encoder=Encoder(), text=words(), method=MADE["relation"])


@every_family
def test_embeddings_of_another_encoder_are_refused(family: str) -> None:
    with pytest.raises(MixedEncodersError, match=r"trained on embeddings of mine.*of other"):
        judge(QUERIES, replace(KNOWN, identity=OTHER), MADE[family])
    free = Comparator.of(MADE[family].similarity)
    assert judge(QUERIES, replace(KNOWN, identity=OTHER), free).novelty.shape == (9,)
    if family != "cosine":
        with pytest.raises(MixedEncodersError, match=f"takes embeddings of {D} numbers.*have 5"):
            judge(QUERIES[:, :5], replace(KNOWN, examples=KNOWN.labeled_examples()[0][:, :5]), free)


@pytest.mark.parametrize(
    "settings, error",
    [
        ({"prototypes": "median"}, UnknownNameError),
        ({"pool": "min"}, UnknownNameError),
        ({"score": "entropy"}, UnknownNameError),
        ({"anchors": "text"}, UnknownNameError),
        ({"kk": 3}, UnknownNameError),
        ({"k": 0}, InputError),
        ({"score": "neighbors", "k": 4}, InputError),
        ({"anchors": "names"}, InputError),
    ],
)
def test_settings_that_there_are_not(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        judge(QUERIES, KNOWN, MADE["whitened"].configured(**settings))


# doors


def test_other_settings_are_another_method() -> None:
    comparator = MADE["whitened"]
    named = {comparator.name, comparator.configured(pool="mean").name, MADE["plda"].name}
    assert len(named) == 3 and comparator.name == Comparator.of(comparator.similarity).name
    threshold = Threshold.from_novelty(score_embeddings(np.tile(QUERIES, (3, 1)), KNOWN, comparator))
    with pytest.raises(MixedEncodersError, match="pool mean"):
        score_embeddings(QUERIES, KNOWN, comparator.configured(pool="mean"), threshold=threshold)
    assert score_embeddings(QUERIES, KNOWN, comparator, threshold=threshold).is_novel.sum() <= 9


@every_family
def test_one_number_at_every_door(family: str, tmp_path: Path) -> None:
    comparator = MADE[family]
    expected = judge(QUERIES, KNOWN, comparator).novelty
    given = Embeddings(QUERIES.astype(np.float32), MINE)
    np.testing.assert_allclose(score_novelty(given, KNOWN, method=comparator).novelty, expected, atol=1e-5)
    detector = NoveltyDetector(comparator).fit(KNOWN.labeled_examples()[0], LABELS)
    np.testing.assert_allclose(detector.novelty_score(QUERIES), expected, atol=1e-5)
    ids = [f"x/{i}" for i in range(9)]
    store = tmp_path / "queries.safetensors"
    write_embeddings(store, Rows(ids, ids, ["y"] * 9, given.vectors), Header(Provenance(MINE), D))
    (stored,) = score_store(store, KNOWN, comparator)
    np.testing.assert_allclose(stored.novelty, expected, atol=1e-5)
    calibrated = score_novelty(given, KNOWN, method=comparator, calibration=Embeddings(np.tile(QUERIES, (3, 1)), MINE))
    assert calibrated.is_novel is not None and not calibrated.is_novel.all()


@pytest.mark.slow
def test_left_out_thresholds_keep_their_share() -> None:
    """R18."""
    kept, naive = [], []
    for seed in range(10):
        rng = np.random.RandomState(seed)
        centers = rng.standard_normal((20, 32))
        shown, asked = (centers[labels] + 1.5 * rng.standard_normal((len(labels), 32)) for labels in
                        (np.repeat(np.arange(20), 10), np.repeat(np.arange(20), 50)))  # fmt: skip
        detector = NoveltyDetector(Comparator.of(Cosine())).fit(shown, np.repeat(np.arange(20), 10))
        kept.append((detector.predict(asked) == 1).mean())
        own = np.quantile(detector.novelty_score(shown), 0.95)
        naive.append((detector.novelty_score(asked) <= own).mean())
    assert min(kept) >= 0.90 and max(kept) <= 0.99 and 0.93 <= np.mean(kept) <= 0.97
    assert np.mean(naive) < 0.85


@pytest.mark.slow
def test_the_checks_of_scikit_learn() -> None:
    """R19."""
    pointless = {"check_array_api_input", "check_classifier_data_not_an_array"}
    for estimator, check in estimator_checks_generator(NoveltyDetector(Comparator.of(Cosine()))):
        if getattr(check, "func", check).__name__ not in pointless:
            check(estimator)


# files and the registry


@every_family
def test_a_file_answers_as_what_was_saved(family: str, tmp_path: Path) -> None:
    comparator = MADE[family].configured(prototypes="all")
    again = Comparator.load(comparator.save(tmp_path / "own.safetensors"))
    assert np.array_equal(judge(QUERIES, KNOWN, again).novelty, judge(QUERIES, KNOWN, comparator).novelty)
    assert (again.name, again.identity, again.needs) == (comparator.name, MINE, "examples")
    assert again.card == json.loads(json.dumps(comparator.card)) and again.card["classes"] == list(BASE.names)


@pytest.mark.slow
def test_another_process_gives_the_same_numbers(tmp_path: Path) -> None:
    """R20."""
    path = MADE["relation"].save(tmp_path / "own.safetensors")
    np.savez(tmp_path / "rows.npz", queries=QUERIES, anchors=KNOWN.anchors)
    code = (
        "import sys, numpy as np; from openshape_ood.comparison import Comparator\n"
        "rows = np.load(sys.argv[2]); made = Comparator.load(sys.argv[1]).similarity\n"
        "sys.stdout.buffer.write(made.between(rows['queries'], rows['anchors']).tobytes())"
    )
    words = [sys.executable, "-c", code, str(path), str(tmp_path / "rows.npz")]
    found = np.frombuffer(subprocess.run(words, capture_output=True, check=True).stdout)
    expected = MADE["relation"].similarity.between(QUERIES, KNOWN.anchors).ravel()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def spoiled(path: Path, how: Sequence[tuple[str, Any]]) -> Path:
    """A file of a relation comparator with some entries of its header set, or arrays changed."""
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    MADE["relation"].save(path)
    arrays = load_file(path)
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    header = json.loads(metadata["header"])
    for name, value in how:
        table, _, key = name.rpartition(" ")
        if isinstance(value, np.ndarray) and name not in arrays:
            arrays[name] = value
        elif name in arrays and value is None:
            del arrays[name]
        elif name in arrays:
            arrays[name] = value
        else:
            (header[table] if table else header)[key] = value
    save_file(arrays, path, {**metadata, "header": json.dumps(header)})
    return path


@pytest.mark.parametrize(
    "how",
    [
        [("family", "oracle")],
        [("state", {})],
        [("state sizes", {"dim": D, "width": 4096, "depth": 16})],
        [("state sizes", {"dim": D, "width": 10**9})],
        [("center", None)],
        [("center", np.zeros(D - 1))],
        [("center", np.full(D, np.nan))],
        [("network.head.weight", None)],
        [("network.proj.weight", np.zeros((16, D + 1), dtype=np.float32))],
        [("whitening", np.zeros((D, D - 1)))],
        [("else", np.zeros(D))],
        [("identity", {"checkpoint": "mine"})],
        [("settings", {"prototypes": "all", "eval": "x"})],
        [("card", 5)],
        [("family", "whitened")],
    ],
)
def test_files_that_are_no_comparators(how: list[tuple[str, Any]], tmp_path: Path) -> None:
    path = spoiled(tmp_path / "own.safetensors", how)
    with pytest.raises(FileError, match=r"own\.safetensors"):
        Comparator.load(path)


def registry_of(comparator: Comparator, folder: Path, encoder: str = "mine") -> Path:
    folder.mkdir(exist_ok=True)
    path = comparator.save(folder / "own.safetensors")
    row = f'kind = "comparator"\nencoder = "{encoder}"\nlicence = "none"\n'
    registry = folder / "registry.toml"
    registry.write_text(f'[own]\n{row}source = {{ file = "{path.name}", sha256 = "{sha256(path)}" }}\n')
    return registry


def test_the_registry_has_it_by_the_name_of_its_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registry_of(MADE["whitened"], tmp_path)
    for name in ("mine", "own"):
        assert Comparator.from_pretrained(name, registry=registry).name == MADE["whitened"].name
    monkeypatch.setenv(REGISTRY_VARIABLE, str(registry))
    assert method_names() == [*METHODS, "comparator"] and "own" not in list_checkpoints()
    mine = registry_of(MADE["metric"], tmp_path / "of tiny", "tiny")
    assert Comparator.from_pretrained("tiny", registry=mine).name == MADE["metric"].name  # and not the package's
    with pytest.raises(UnknownNameError):
        find_checkpoint("own")
    expected = judge(QUERIES, KNOWN, MADE["whitened"]).novelty
    found = score_novelty(Embeddings(QUERIES, MINE), KNOWN, method="comparator")
    assert np.array_equal(found.novelty, expected) and found.provenance.method == "comparator"
    threshold = Threshold.from_novelty(
        score_novelty(Embeddings(np.tile(QUERIES, (3, 1)), MINE), KNOWN, method="comparator")
    )
    kept = score_novelty(Embeddings(QUERIES, MINE), KNOWN.with_threshold(threshold))  # its method is the default then
    assert kept.provenance.method == "comparator" and kept.is_novel is not None
    with pytest.raises(
        UnknownNameError, match=r"no comparator for 'other'. Expected one of its rows: .*own \(for mine\)"
    ):
        judge(QUERIES, replace(KNOWN, identity=OTHER), "comparator")
    with pytest.raises(InputError, match="needs example shapes"):
        find_method("comparator", "names")
    with pytest.raises(InputError, match="do not state their encoder"):
        score_embeddings(QUERIES, EXAMPLES, "comparator")
    monkeypatch.setenv(REGISTRY_VARIABLE, str(registry_of(MADE["whitened"], tmp_path, "other")))
    with pytest.raises(MixedEncodersError, match="trained on embeddings of mine"):
        judge(QUERIES, replace(KNOWN, identity=OTHER), "comparator")


def test_a_changed_file_is_not_the_registered_one(tmp_path: Path) -> None:
    registry = registry_of(MADE["whitened"], tmp_path)
    MADE["plda"].save(tmp_path / "own.safetensors")
    with pytest.raises(FileError, match=r"comparator 'own': the file is not the registered(?s:.*)Comparator.load"):
        Comparator.from_pretrained("mine", registry=registry)


def test_a_network_may_be_forced_on_embeddings_it_did_not_learn_from() -> None:
    network = Relation(RelationSizes(D, 16, heads=2)).initialize(0, 0.1).requires_grad_(False)
    raw = RelationSimilarity(network, np.zeros(D), raw=True)
    assert not np.allclose(raw.between(QUERIES, QUERIES), raw.between(2 * QUERIES, QUERIES))
    made = Comparator.of(raw)
    expected = raw.between(QUERIES, np.stack([rows.mean(axis=0) for rows in EXAMPLES.values()]))
    np.testing.assert_allclose(judge(QUERIES, KNOWN, made).similarity, expected, atol=1e-5)
