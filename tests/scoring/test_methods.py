from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import PLATE, POLE, SLAB, FakeEncoder, FakeText, Farthest, PatchEncoder
from scipy.special import logsumexp, softmax
from scipy.stats import chi2, entropy
from sklearn.covariance import LedoitWolf, shrunk_covariance

from openshape_ood import KnownClasses
from openshape_ood.checks import unit as unit_rows
from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import InputError, MixedEncodersError, UnknownNameError
from openshape_ood.known import MemoryBank
from openshape_ood.scoring import DEFAULTS, METHODS, Judgement, Method, find_method, judge
from openshape_ood.scoring.methods import check_known

# class b has one example, fewer than the neighbors that count
pytestmark = pytest.mark.filterwarnings("ignore:k is 5, but")

D, W = 16, 6
RANDOM = np.random.RandomState(0)
EXAMPLES = {name: RANDOM.normal(size=(m, D)) + 2 * RANDOM.normal(size=D) for name, m in (("a", 5), ("b", 1), ("c", 9))}
NAMES = ["a", "d", "b", "c"]  # d is known by name only, and stands between the others
TEXT = {name: rows.mean(axis=0) + RANDOM.normal(size=D) for name, rows in EXAMPLES.items()} | {
    "d": 2 * RANDOM.normal(size=D)
}
TEXT = {name: vector.astype(np.float32).astype(float) for name, vector in TEXT.items()}  # as text encoders give it
NEGATIVES = RANDOM.normal(size=(12, D))
NEAR = np.vstack([*EXAMPLES.values(), *([TEXT["d"]] * 5)])
QUERIES = np.concatenate([RANDOM.normal(size=(20, D)), NEAR + 0.7 * RANDOM.normal(size=NEAR.shape)])
BANK_PATCHES = RANDOM.normal(size=(30, W)).astype(np.float32)
PATCH_LABELS = np.array([0, 2, 3])[RANDOM.randint(0, 3, size=30)]  # d has none
PATCHES = RANDOM.normal(size=(len(QUERIES), 5, W))
TEMPERATURE = 0.03


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.sqrt((vector**2).sum())


def memory(features: np.ndarray = BANK_PATCHES, labels: np.ndarray = PATCH_LABELS) -> MemoryBank:
    n = len(features)
    return MemoryBank(features, labels, np.zeros((n, 3)), np.arange(n), "tokens", 0.4)


def full_bank(names: Sequence[str] = NAMES, temperature: float | None = TEMPERATURE) -> KnownClasses:
    """A bank with all that any score asks for."""
    bank = KnownClasses.from_both(names, EXAMPLES, FakeEncoder(dim=D), FakeText(TEXT))
    return replace(
        bank,
        negatives=unit_rows(NEGATIVES, "negative"),
        patches=memory(labels=np.array([names.index(NAMES[label]) for label in PATCH_LABELS])),
        temperature=temperature,
    )


def bank(examples: dict[str, Any] = EXAMPLES) -> KnownClasses:
    return KnownClasses.from_examples(examples, FakeEncoder(dim=D))


def names_bank(**words: Any) -> KnownClasses:
    return KnownClasses.from_names(list(EXAMPLES), FakeText(TEXT | words), negatives=list(words))


FULL = full_bank()


def queries_of(method: str) -> np.ndarray:
    return PATCHES if METHODS[method].rows == "patches" else QUERIES


def novelty_of(method: str, known: KnownClasses = FULL) -> np.ndarray:
    return judge(queries_of(method), known, method).novelty


def names_of(method: str, known: KnownClasses = FULL) -> list[str]:
    return [known.names[i] for i in judge(queries_of(method), known, method).nearest]


# the bank written out: t the texts, s the examples, p the prototypes, in the order of NAMES
T = {name: unit(TEXT[name]) for name in NAMES}
S = {name: np.stack([unit(e) for e in EXAMPLES[name]]) for name in NAMES if name in EXAMPLES}
P = {name: unit(rows.mean(axis=0)) for name, rows in S.items()}
ANCHORS = {name: P.get(name, T[name]) for name in NAMES}
ALL = np.concatenate(list(S.values()))
OWN = [name for name, rows in S.items() for _ in rows]


def logits(z: np.ndarray) -> np.ndarray:
    return np.array([z @ T[name] for name in NAMES]) / TEMPERATURE


def share_of_negatives(z: np.ndarray) -> float:
    of_names = np.exp(logits(z)).sum()
    of_words = np.exp([z @ unit(n) / TEMPERATURE for n in NEGATIVES])
    groups = [of_words[:2], of_words[2:4], of_words[4:7], of_words[7:9], of_words[9:]]  # 12 words in 5 groups
    return float(np.mean([g.sum() / (of_names + g.sum()) for g in groups]))


def gaussian() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shared precision, without b's single example; background mean and precision."""
    within = np.concatenate([rows - rows.mean(axis=0) for rows in S.values() if len(rows) > 1])
    shared = LedoitWolf(assume_centered=True).fit(within)
    background = shrunk_covariance(np.cov(ALL.T, bias=True), shared.shrinkage_)
    return np.linalg.inv(shared.covariance_), ALL.mean(axis=0), np.linalg.inv(background)


def to_class(z: np.ndarray, precision: np.ndarray) -> float:
    return min((z - rows.mean(axis=0)) @ precision @ (z - rows.mean(axis=0)) for rows in S.values())


def mahalanobis(z: np.ndarray) -> float:
    return to_class(z, gaussian()[0])


def relative_mahalanobis(z: np.ndarray) -> float:
    shared, center, background = gaussian()
    return to_class(z, shared) - (z - center) @ background @ (z - center)


def vim(z: np.ndarray) -> float:
    outside = np.linalg.svd(ALL)[2][7:]  # 15 examples, 16 numbers: 7 principal directions
    alpha = np.mean([logits(e).max() for e in ALL]) / np.mean([np.linalg.norm(outside @ e) for e in ALL])
    return float(alpha * np.linalg.norm(outside @ z) - logsumexp(logits(z)))


def votes(patches: np.ndarray) -> list[tuple[int, float]]:
    """Class and distance of the bank token nearest to each patch."""
    found = []
    for patch in patches:
        cosines = [unit(patch) @ unit(token.astype(float)) for token in BANK_PATCHES]
        found.append((int(PATCH_LABELS[np.argmax(cosines)]), 1 - max(cosines)))
    return found


def vote_entropy(patches: np.ndarray) -> float:
    total = 0.0
    for c in {c for c, _ in votes(patches)}:
        far = [distance for of, distance in votes(patches) if of == c]
        share = len(far) / len(patches)
        total -= share * np.log(share) * np.mean(far)
    return float(total)


def without(name: str, i: int) -> float:
    """1 - cosine of an example with the mean of the others of its class; 1 where there are none."""
    rest = np.delete(S[name], i, axis=0)
    return 1 - S[name][i] @ unit(rest.sum(axis=0)) if len(rest) else 1.0


BY_NAME = np.array([1 - e @ T[own] for e, own in zip(ALL, OWN, strict=True)])
BY_PROTOTYPE = np.array([without(name, i) for name, rows in S.items() for i in range(len(rows))])


def parts(z: np.ndarray, name: str) -> list[tuple[float, np.ndarray]]:
    by_prototype = [(1 - z @ P[name], BY_PROTOTYPE)] if name in P else []
    return [(1 - z @ T[name], BY_NAME), *by_prototype]


def rank(z: np.ndarray, name: str) -> float:
    return float(np.mean([np.mean(among <= far) for far, among in parts(z, name)]))


def surprise(z: np.ndarray, name: str) -> float:
    p = [(1 + sum(among >= far)) / 16 for far, among in parts(z, name)]
    return float(-chi2.logsf(-2 * np.log(p).sum(), 2 * len(p)))


def least(of: Callable[[np.ndarray, str], float], z: np.ndarray) -> float:
    return min(of(z, name) for name in NAMES)


def nearest_of_several(of: Callable[[np.ndarray, str], float], z: np.ndarray) -> str:
    """The class of the least; among equal ones that with the nearest name."""
    return min(NAMES, key=lambda name: (round(of(z, name), 9), -z @ T[name]))


# each score, a query at a time, as its definition is written
def fifth(z: np.ndarray, examples: np.ndarray, owners: Sequence[str] = OWN) -> float:
    """Distance to the fifth nearest example; to the n-th nearest if the class of the nearest one has n < 5 examples."""
    nearest_first = sorted(range(len(examples)), key=lambda i: np.linalg.norm(z - examples[i]))
    last = min(5, list(owners).count(owners[nearest_first[0]]))
    return float(np.linalg.norm(z - examples[nearest_first[last - 1]]))


FORMULAS: dict[str, Callable[[np.ndarray], float]] = {
    "max_cosine": lambda z: 1 - max(z @ anchor for anchor in ANCHORS.values()),
    "mcm": lambda z: 1 - softmax(logits(z)).max(),
    "energy": lambda z: -TEMPERATURE * logsumexp(logits(z)),
    "entropy": lambda z: entropy(softmax(logits(z))),
    "margin": lambda z: 1 - np.diff(np.sort(softmax(logits(z))))[-1],
    "neglabel": share_of_negatives,
    "prototype_distance": lambda z: min(np.linalg.norm(z - p) for p in P.values()),
    "nearest_distance": lambda z: min(np.linalg.norm(z - e) for e in ALL),
    "knn": lambda z: fifth(z, ALL),
    "mahalanobis": mahalanobis,
    "relative_mahalanobis": relative_mahalanobis,
    "vim": vim,
    "vote_entropy": vote_entropy,
    "rank_fusion": lambda z: least(rank, z),
    "p_value_fusion": lambda z: least(surprise, z),
}


def best_name(z: np.ndarray) -> str:
    return max(NAMES, key=lambda name: z @ T[name])


def best_prototype(z: np.ndarray) -> str:
    return max(P, key=lambda name: z @ P[name])


def best_example(z: np.ndarray) -> str:
    return OWN[int(np.argmax(ALL @ z))]


def best_anchor(z: np.ndarray) -> str:
    return max(NAMES, key=lambda name: z @ ANCHORS[name])


def best_votes(patches: np.ndarray) -> str:
    cast = [c for c, _ in votes(patches)]
    return NAMES[min(set(cast), key=lambda c: (-cast.count(c), c))]


NEAREST: dict[str, Callable[[np.ndarray], str]] = {
    "max_cosine": best_anchor,
    **dict.fromkeys(["mcm", "energy", "entropy", "margin", "neglabel"], best_name),
    **dict.fromkeys(["prototype_distance", "mahalanobis", "relative_mahalanobis"], best_prototype),
    **dict.fromkeys(["nearest_distance", "knn"], best_example),
    "vim": best_anchor,
    "vote_entropy": best_votes,
    "rank_fusion": lambda z: nearest_of_several(rank, z),
    "p_value_fusion": lambda z: nearest_of_several(surprise, z),
}
SOFTMAX = ["mcm", "entropy", "margin"]
EUCLIDEAN = [method for method in METHODS if method.endswith("euclidean")]  # of embeddings as they are: below
BY_DIRECTION = [method for method in METHODS if method not in EUCLIDEAN]
every_score = pytest.mark.parametrize("method", BY_DIRECTION)
every_embedding_score = pytest.mark.parametrize("method", [m for m in METHODS if METHODS[m].needs != "patches"])


def written_out(method: str, formula: Callable[[np.ndarray], Any]) -> list[Any]:
    if method == "vote_entropy":
        return [formula(patches) for patches in PATCHES]
    return [formula(unit(q)) for q in QUERIES]


@every_score
def test_novelty_is_its_formula(method: str) -> None:
    np.testing.assert_allclose(novelty_of(method), written_out(method, FORMULAS[method]), rtol=1e-9, atol=1e-9)


@every_score
def test_nearest_is_the_class_behind_the_novelty(method: str) -> None:
    nearest = names_of(method)
    assert nearest == written_out(method, NEAREST[method])
    assert len(set(nearest)) > 1


@pytest.mark.parametrize("method", [*SOFTMAX, "energy", "neglabel", "vim"])
def test_without_a_temperature_it_is_that_of_clip(method: str) -> None:
    unsaid, said = (novelty_of(method, full_bank(temperature=t)) for t in (None, 0.01))
    np.testing.assert_array_equal(unsaid, said)
    assert not np.allclose(unsaid, novelty_of(method))


@pytest.mark.parametrize("method", [*SOFTMAX, "energy", "vim"])
def test_prototypes_stand_in_for_names(method: str) -> None:
    texts = replace(bank(), text=bank().anchors)
    np.testing.assert_array_equal(novelty_of(method, bank()), novelty_of(method, texts))


@pytest.mark.parametrize("m", [1, 3, 5, 7])
def test_the_fifth_neighbor_or_the_last_that_there_is(m: int) -> None:
    rows = EXAMPLES["c"][:m]
    expected = [sorted(np.linalg.norm(unit(q) - unit(e)) for e in rows)[min(5, m) - 1] for q in QUERIES]
    np.testing.assert_allclose(novelty_of("knn", bank({"only": rows})), expected, atol=1e-12)


@pytest.mark.parametrize(
    "method, target",
    [
        ("max_cosine", P["c"]),
        ("prototype_distance", P["c"]),
        ("nearest_distance", EXAMPLES["a"][3]),
        ("knn", EXAMPLES["a"][3]),
    ],
)
def test_novelty_is_zero_at_the_target_and_grows_all_the_way_to_its_opposite(method: str, target: np.ndarray) -> None:
    known = bank({"only": target[None]})
    target = unit(target)
    aside = unit(QUERIES[0] - (QUERIES[0] @ target) * target)
    angles = np.linspace(0, np.pi, 50)[:, None]
    novelty = judge(np.cos(angles) * target + np.sin(angles) * aside, known, method).novelty
    # a distance is the root of a difference, so a rounding error of 1e-16 shows as 1e-8
    np.testing.assert_allclose(novelty[[0, -1]], [0, 2], atol=1e-7)
    assert (np.diff(novelty) > 0).all()


# not of the relative distance: a background of 15 examples in 16 dimensions says too little
@pytest.mark.parametrize("method", [method for method in FORMULAS if method != "relative_mahalanobis"])
def test_what_is_known_is_less_novel_than_what_is_not(method: str) -> None:
    novelty = novelty_of(method)
    if method == "vote_entropy":
        of_one_class = BANK_PATCHES[PATCH_LABELS == 2][None, :4]
        assert judge(of_one_class, FULL, method).novelty[0] == pytest.approx(0, abs=1e-9)
        assert novelty.mean() > 0.1
    else:
        assert novelty[:20].mean() > novelty[20:].mean()


@every_score
def test_the_length_of_a_query_does_not_matter(method: str) -> None:
    for scale in [1e-30, 1e30]:
        novelty = judge(scale * queries_of(method), FULL, method).novelty
        np.testing.assert_allclose(novelty, novelty_of(method), rtol=1e-9, atol=1e-9)


@every_score
def test_the_order_of_classes_does_not_matter(method: str) -> None:
    known = full_bank(["c", "b", "a", "d"])
    np.testing.assert_allclose(novelty_of(method, known), novelty_of(method), rtol=1e-9, atol=1e-9)
    decided = np.full(len(QUERIES), True)
    if method == "vote_entropy":  # where two classes have as many votes the first is taken
        cast = [[c for c, _ in votes(patches)] for patches in PATCHES]
        decided = np.array([sorted(map(v.count, range(4)))[-1] > sorted(map(v.count, range(4)))[-2] for v in cast])
    np.testing.assert_array_equal(np.array(names_of(method, known))[decided], np.array(names_of(method))[decided])


@every_score
def test_the_order_of_examples_does_not_matter(method: str) -> None:
    order = np.random.RandomState(1).permutation(len(FULL.examples))
    tokens = np.random.RandomState(2).permutation(len(BANK_PATCHES))
    known = replace(
        FULL,
        examples=FULL.examples[order],
        labels=FULL.labels[order],
        patches=memory(BANK_PATCHES[tokens], PATCH_LABELS[tokens]),
    )
    np.testing.assert_allclose(novelty_of(method, known), novelty_of(method), rtol=1e-9, atol=1e-9)
    assert names_of(method, known) == names_of(method)


def with_twins() -> KnownClasses:
    """Every example of the bank, and every patch token, given twice."""
    twice = {field: np.repeat(getattr(FULL, field), 2, axis=0) for field in ("examples", "labels")}
    patches = memory(np.repeat(BANK_PATCHES, 2, axis=0), np.repeat(PATCH_LABELS, 2))
    return replace(FULL, **twice, patches=patches)


# a twin is a neighbor of its own, more to fit a covariance or a subspace to, and a reference beside its other half
TWINS_MATTER = {"knn", "vim", "mahalanobis", "relative_mahalanobis", "rank_fusion", "p_value_fusion"}


@pytest.mark.parametrize("method", [method for method in BY_DIRECTION if method not in TWINS_MATTER])
def test_an_example_given_twice_changes_nothing(method: str) -> None:
    np.testing.assert_allclose(novelty_of(method, with_twins()), novelty_of(method), rtol=1e-9, atol=1e-9)


def test_examples_given_twice_are_nearer_neighbors() -> None:
    expected = [fifth(unit(q), np.repeat(ALL, 2, axis=0), np.repeat(OWN, 2).tolist()) for q in QUERIES]
    np.testing.assert_allclose(novelty_of("knn", with_twins()), expected, atol=1e-9)


@pytest.mark.parametrize("method", sorted(TWINS_MATTER))
def test_examples_given_twice_break_nothing(method: str) -> None:
    assert np.isfinite(novelty_of(method, with_twins())).all()


@every_score
def test_no_queries_give_no_novelty(method: str) -> None:
    none = queries_of(method)[:0]
    assert judge(none, FULL, method).novelty.shape == (0,)
    assert judge(none, FULL, method).nearest.shape == (0,)


@every_embedding_score
def test_queries_of_another_encoder(method: str) -> None:
    for queries in [QUERIES[:, :-1], QUERIES[0], QUERIES[None], np.float64(1)]:
        with pytest.raises(MixedEncodersError, match=r"Expected \(b, 16\)"):
            judge(queries, FULL, method)


@every_embedding_score
def test_a_query_without_a_direction_is_named(method: str) -> None:
    for value in [0, np.nan, np.inf]:
        queries = QUERIES.copy()
        queries[2] = value
        with pytest.raises(InputError, match="query row 2 is zero or not finite"):
            judge(queries, FULL, method)


def test_patches_that_cannot_be_used() -> None:
    def novelty(patches: np.ndarray, known: KnownClasses) -> None:
        judge(patches, known, "vote_entropy")

    with pytest.raises(MixedEncodersError, match="patches have 5 numbers a row, tokens of the memory bank 6"):
        novelty(PATCHES[:, :, :-1], FULL)
    with pytest.raises(InputError, match=r"patches have the shape \(40, 16\)\. Expected \(b, p, w\)"):
        novelty(QUERIES, FULL)
    with pytest.raises(InputError, match="row 3 of the patches holds NaN"):
        novelty(np.where(np.arange(40)[:, None, None] == 3, np.nan, PATCHES), FULL)


@pytest.mark.parametrize(
    "method, hint",
    [
        ("max_cosin", "Did you mean 'max_cosine'"),
        ("nearest", "Did you mean 'nearest_distance'"),
        ("mahalonobis", "Did you mean 'mahalanobis'"),
        ("zzz", "one of max_cosine"),
        (None, "unknown method None"),
        (["mcm"], r"unknown method \['mcm'\]"),
    ],
)
def test_an_unknown_method_is_answered_with_the_closest(method: Any, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=hint):
        find_method(method, "examples")


USABLE = {
    "names": ["max_cosine", "mcm", "energy", "entropy", "margin", "neglabel"],
    "examples": [method for method in METHODS if method != "neglabel"],
    "both": ["max_cosine", "mcm", "energy", "entropy", "margin", "rank_fusion", "p_value_fusion"],
}
LACKS = {
    "names": r"needs example shapes, known=\{name: shapes\}\. The known classes are names only",
    "examples": r"needs names without examples, known=\[name, \.\.\.\]\. The known classes have examples",
    "both": r"needs examples of every class, or names only\. Some of the known classes have examples",
}


@every_score
def test_which_methods_can_be_used_with_what(method: str) -> None:
    for kind in USABLE:
        if method in USABLE[kind]:
            assert find_method(method, kind) is METHODS[method]
            continue
        with pytest.raises(InputError, match=rf"'{method}' {LACKS[kind]}.*\. Use one of: {', '.join(USABLE[kind])}\.$"):
            find_method(method, kind)


def test_the_methods_taken_where_none_is_named_can_be_used() -> None:
    assert DEFAULTS == {"names": "max_cosine", "examples": "prototype_distance", "both": "energy"}
    for kind, method in DEFAULTS.items():
        find_method(method, kind)


BANKS = {
    "names": (names_bank(), {"any"}),
    "names and negatives": (names_bank(x=NEGATIVES[0], y=NEGATIVES[1]), {"any", "negatives"}),
    "examples": (bank(), {"any", "examples"}),
    "examples and patches": (
        replace(bank(), patches=memory(labels=np.maximum(PATCH_LABELS - 1, 0))),
        {"any", "examples", "patches"},
    ),
    "both": (replace(FULL, negatives=None, patches=None), {"any", "examples", "text and examples"}),
    "all": (FULL, {"any", "negatives", "examples", "patches", "text and examples"}),
}
MAKES = {
    "negatives": r"negative words, KnownClasses\.from_names\(names, text, negatives=words\)",
    "examples": r"example shapes, KnownClasses\.from_examples\(\.\.\.\)",
    "patches": r"patches, KnownClasses\.from_examples\(\.\.\., patches='tokens'\)",
    "text and examples": r"names and examples, KnownClasses\.from_both\(\.\.\.\)",
}


@every_score
def test_a_bank_that_lacks_something_is_told_what_makes_it(method: str) -> None:
    for kind in BANKS:
        (known, has), score = BANKS[kind], METHODS[method]
        if score.needs in has:
            check_known(score, known)
            assert np.isfinite(novelty_of(method, known)).all()
            continue
        with pytest.raises(
            InputError, match=f"needs known classes with {MAKES[score.needs]}.*or use one of: max_cosine"
        ):
            check_known(score, known)
        with pytest.raises(InputError):  # asked without a check, too
            novelty_of(method, known)


def test_names_have_no_nearest_example() -> None:
    with pytest.raises(InputError, match="the text encoder of fake have only names"):
        METHODS["nearest_distance"].fit(names_bank())


@pytest.mark.parametrize("method", SOFTMAX)
def test_a_softmax_over_one_class_says_what_works(method: str) -> None:
    for known in (KnownClasses.from_names(["a"], FakeText(TEXT)), bank({"a": EXAMPLES["a"]})):
        with pytest.raises(InputError, match=r"constant for one known class.*use max_cosine or negative words"):
            novelty_of(method, known)


@pytest.mark.parametrize("method", ["max_cosine", "energy", "neglabel"])
def test_what_works_for_one_name(method: str) -> None:
    words = {"x": NEGATIVES[0], "y": NEGATIVES[1]}
    known = KnownClasses.from_names(["d"], FakeText(TEXT | words), negatives=list(words))
    novelty = novelty_of(method, known)
    assert novelty[-5:].mean() < novelty[:20].mean()


@pytest.mark.parametrize("method", [m for m in BY_DIRECTION if METHODS[m].needs == "examples"])
def test_one_class_by_example(method: str) -> None:
    known = bank({"a": EXAMPLES["a"]})
    if method == "relative_mahalanobis":
        with pytest.raises(InputError, match=r"its own background.*Use mahalanobis"):
            novelty_of(method, known)
        return
    novelty = novelty_of(method, known)
    assert novelty[20:25].mean() < novelty[:20].mean()
    assert set(names_of(method, known)) == {"a"}


@pytest.mark.parametrize("method", ["mahalanobis", "relative_mahalanobis"])
def test_one_example_of_each_class_has_no_covariance(method: str) -> None:
    with pytest.raises(InputError, match=r"none of the 3 classes has two examples.*prototypes or nearest neighbors"):
        novelty_of(method, bank({name: rows[:1] for name, rows in EXAMPLES.items()}))


def test_vim_of_a_single_example_says_why_not() -> None:
    with pytest.raises(InputError, match="which ViM needs"):
        novelty_of("vim", bank({"a": EXAMPLES["a"][:1]}))


def test_a_class_known_by_name_only_has_no_prototype() -> None:
    at_d = TEXT["d"][None]
    np.testing.assert_allclose(judge(at_d, FULL, "max_cosine").novelty, 0, atol=1e-12)
    assert judge(at_d, FULL, "prototype_distance").novelty[0] > 0.5
    assert NAMES[judge(at_d, FULL, "prototype_distance").nearest[0]] != "d"
    for method in ("rank_fusion", "p_value_fusion"):
        assert NAMES[judge(at_d, FULL, method).nearest[0]] == "d"
        np.testing.assert_allclose(judge(at_d, FULL, method).novelty, 0, atol=1e-12)


def test_what_is_fitted_belongs_to_one_bank() -> None:
    first = novelty_of("mahalanobis", bank())
    other = bank({name: rows + 1 for name, rows in EXAMPLES.items()})
    assert not np.allclose(novelty_of("mahalanobis", other), first)
    np.testing.assert_array_equal(novelty_of("mahalanobis", bank()), first)


def test_a_method_of_ones_own_is_named_where_it_is_refused() -> None:
    made_up = Method("mine", METHODS["max_cosine"].scorer, "patches")
    with pytest.raises(InputError, match="method 'mine' needs known classes with patches"):
        check_known(made_up, bank())


def test_a_method_of_ones_own_judges() -> None:
    mine = Method("farthest", Farthest)
    assert find_method(mine, "names") is mine
    expected = [1 - min(unit(q) @ anchor for anchor in ANCHORS.values()) for q in QUERIES]
    np.testing.assert_allclose(judge(QUERIES, FULL, mine).novelty, expected, atol=1e-12)


def test_what_is_fitted_once_is_kept_as_long_as_the_known_classes() -> None:
    fits = []
    mine = Method("counted", lambda known: fits.append(known) or Farthest(known))
    known = bank()
    assert judge(QUERIES, known, mine).novelty.shape == judge(QUERIES, known, mine).novelty.shape
    assert fits == [known]
    judge(QUERIES, bank(), mine)
    assert len(fits) == 2


EUCLIDEAN_FORMULAS: dict[str, Callable[[np.ndarray], float]] = {
    "prototype_euclidean": lambda q: min(np.linalg.norm(q - rows.mean(axis=0)) for rows in S.values()),
    "nearest_euclidean": lambda q: min(np.linalg.norm(q - e) for e in ALL),
    "knn_euclidean": lambda q: fifth(q, ALL),
}


@pytest.mark.parametrize("method", EUCLIDEAN)
def test_euclidean_distances_are_of_embeddings_as_they_are(method: str) -> None:
    found = judge(QUERIES, FULL, method)
    np.testing.assert_allclose(found.novelty, [EUCLIDEAN_FORMULAS[method](q) for q in QUERIES], rtol=1e-9)
    if method == "nearest_euclidean":
        unit_queries = np.stack([unit(q) for q in QUERIES])
        chord = judge(unit_queries, FULL, "nearest_distance").novelty
        np.testing.assert_allclose(judge(unit_queries, FULL, method).novelty, chord, atol=1e-7)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "vote_entropy"])
def test_similarity_is_the_cosine_with_every_class(method: str) -> None:
    expected = [[unit(q) @ anchor for anchor in ANCHORS.values()] for q in QUERIES]
    np.testing.assert_allclose(judge(QUERIES, FULL, method).similarity, expected, rtol=0, atol=1e-12)


def test_similarity_of_patches_is_their_share() -> None:
    share = judge(PATCHES, FULL, "vote_entropy").similarity
    expected = [[[c for c, _ in votes(patches)].count(i) / 5 for i in range(4)] for patches in PATCHES]
    np.testing.assert_allclose(share, expected)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"novelty": np.array([np.nan])}, "as novelty"),
        ({"novelty": np.zeros(2)}, "as novelty"),
        ({"nearest": np.array([3])}, "as nearest"),
        ({"nearest": np.array([-1])}, "as nearest"),
        ({"similarity": np.zeros((1, 2))}, "as similarity"),
    ],
)
def test_a_judgement_of_ones_own_is_checked(changes: dict[str, Any], message: str) -> None:
    class Wrong:
        def judge(self, rows: np.ndarray) -> Judgement:
            return replace(Judgement(np.zeros(1), np.zeros(1, dtype=int), np.zeros((1, 3))), **changes)

    with pytest.raises(InputError, match=f"method 'mine' returned .* {message}. Expected a Judgement"):
        judge(QUERIES[:1], bank(), Method("mine", lambda known: Wrong()))


def test_what_a_method_needs_and_judges_is_one_of_a_few() -> None:
    with pytest.raises(UnknownNameError, match="unknown needs of a method 'exampels'; known: any, negatives"):
        Method("mine", Farthest, needs="exampels")
    with pytest.raises(UnknownNameError, match="unknown rows of a method 'points'; known: embedding, raw, patches"):
        Method("mine", Farthest, rows="points")


def test_half_a_method_is_none() -> None:
    half = SimpleNamespace(name="half", fit=Farthest)
    with pytest.raises(UnknownNameError, match="Expected a Method object"):
        judge(QUERIES, bank(), half)
    whole = SimpleNamespace(name="whole", fit=Farthest, needs="any", rows="embedding")
    assert find_method(whole) is whole


def test_a_scorer_that_holds_its_known_classes_is_forgotten_with_them() -> None:
    class Holding(Farthest):
        def __init__(self, known: KnownClasses) -> None:
            super().__init__(known)
            self.known = known

    known = bank()
    judge(QUERIES, known, Method("holding", Holding))
    gone = weakref.ref(known)
    del known
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("k", [0, "5", 2.5])
def test_a_neighbor_is_counted(k: Any) -> None:
    with pytest.raises(InputError, match=r"k is .* Expected a whole number from 1 up"):
        judge(QUERIES, bank(), METHODS["knn"].configured(k=k))


def made_up_classes(each: Sequence[int], d: int, seed: int = 0) -> tuple[KnownClasses, np.ndarray, np.ndarray]:
    """Known classes of so many examples, 100 more of these classes, and 100 of others; as far apart as they spread."""
    rng = np.random.default_rng(seed)
    k = len(each)
    centers = unit_rows(rng.normal(size=(2 * k, d)), "center")
    labels = np.repeat(np.arange(k), each)
    more = centers[np.arange(200) % (2 * k)] + rng.normal(size=(200, d)) / np.sqrt(d)
    rows = centers[labels] + rng.normal(size=(len(labels), d)) / np.sqrt(d)
    known = KnownClasses(tuple(map(str, range(k))), Identity("e", "e"), examples=rows, labels=labels)
    is_known = np.arange(200) % (2 * k) < k
    return known, more[is_known], more[~is_known]


@pytest.mark.parametrize(("each", "d"), [([60] * 5, 512), ([60] * 2, 512), ([10] * 5, 128), ([300] * 3, 16)])
@pytest.mark.parametrize("method", ["mahalanobis", "relative_mahalanobis"])
def test_few_examples_of_many_numbers_do_not_invert_a_distance(method: str, each: list[int], d: int) -> None:
    known, same, other = made_up_classes(each, d)
    auroc = ood_metrics(judge(same, known, method).novelty, judge(other, known, method).novelty)["auroc"]
    assert auroc > (0.99 if d > 100 else 0.9)


@pytest.mark.parametrize("each", [[30, 45, 3], [7, 2, 1, 5], [40, 1], [200, 260]])
@pytest.mark.parametrize("method", ["mahalanobis", "relative_mahalanobis"])
def test_what_is_left_out_is_as_if_it_had_never_been_there(method: str, each: list[int]) -> None:
    known = made_up_classes(each, 12)[0]
    examples, labels = known.labeled_examples()
    if method == "relative_mahalanobis" and each == [40, 1]:
        with pytest.raises(InputError, match="examples are too few"):
            METHODS[method].fit(known).left_out(known)
        return
    novelty = METHODS[method].fit(known).left_out(known)
    for fold in range(min(20, len(labels))):  # rows are sorted by class
        out = np.arange(len(labels)) % 20 == fold
        rest = METHODS[method].fit(known.subset(~out))
        np.testing.assert_allclose(novelty[out], rest.judge(examples[out]).novelty, rtol=1e-9, atol=1e-9)


def with_patches(patches: bool = True, **examples: Any) -> KnownClasses:
    stage = "tokens" if patches else None
    return KnownClasses.from_examples(examples, PatchEncoder(), patches=stage)


def test_patches_of_only_some_classes_do_not_vote() -> None:
    joined = KnownClasses.join(with_patches(pole=POLE), with_patches(False, plate=PLATE, slab=SLAB))
    rows = PatchEncoder().encode_patches([POLE]).features
    with pytest.raises(InputError, match=r"patches of all examples\. The known classes of .* none of 'plate', 'slab'"):
        judge(rows, joined, "vote_entropy")
    whole = KnownClasses.join(with_patches(pole=POLE), with_patches(plate=PLATE, slab=SLAB))
    assert judge(rows, whole, "vote_entropy").nearest.tolist() == [0]


class Weighted:
    def __init__(self, known: KnownClasses, weights: Any = 1.0) -> None:
        self.anchors, self.weights = known.anchors, weights

    def judge(self, rows: np.ndarray) -> Judgement:
        cosines = rows @ (self.anchors * self.weights).T
        return Judgement(1 - cosines.max(axis=1), cosines.argmax(axis=1), cosines)


def test_methods_may_be_set_by_arrays() -> None:
    known, weights = bank(), np.arange(float(D))
    one, other = (Method("weighted", Weighted, settings={"weights": w}) for w in (weights, weights + 1))
    first, second = (judge(QUERIES, known, method).novelty for method in (one, other))
    assert not np.allclose(first, second)
    assert one == Method("weighted", Weighted, settings={"weights": weights.copy()}) != other
    assert one != one.configured(weights=1.0) and one != "weighted" and len({one, one.configured()}) == 1
    np.testing.assert_array_equal(judge(QUERIES, known, one.configured()).novelty, first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: METHODS["knn"].configured(kk=3),
            "unknown setting 'kk' of method 'knn'; known: metric, k; did you",
        ),
        (lambda: METHODS["vim"].configured(dim=3), "unknown setting 'dim' of method 'vim'; known: none"),
        (lambda: Method("mine", Weighted, settings={"weight": 1}), "did you mean 'weights'"),
        (lambda: Method("mine", 3), "scorer of 'mine' is 3"),
    ],
)
def test_settings_that_a_method_does_not_have(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
    anything = Method("mine", lambda known, **settings: Weighted(known))
    assert anything.configured(whatever=3).settings == {"whatever": 3}
