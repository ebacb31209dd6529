"""discover, and what of it is accepted, on made-up rows: classes are directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes import FakeText
from sklearn.metrics import silhouette_score

from openshape_ood import Embeddings, KnownClasses, Threshold, discover, score_embeddings
from openshape_ood.discovery import Discovery
from openshape_ood.discovery.grouping import GROUPINGS, silhouette
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError, UnknownNameError
from openshape_ood.scoring import judge

ME, WORDS = Identity("fake", "words", "f" * 64), Identity("fake", "words")
NAMES = ["bed", "bin", "bag", "box", "car", "cup", "jug"]  # the first four are known
WIDTH = 16
TEXT = FakeText({name: np.eye(WIDTH)[i] for i, name in enumerate(NAMES)}, WORDS)


def rows(names: list[str], count: int, seed: int = 0, noise: float = 0.15) -> np.ndarray:
    titles = np.repeat([NAMES.index(name) for name in names], count)
    return np.eye(WIDTH)[titles] + np.random.RandomState(seed).normal(0, noise, (len(titles), WIDTH))


KNOWN = KnownClasses.from_embeddings(rows(NAMES[:4], 3, seed=9), np.repeat(NAMES[:4], 3), ME)


def scored(vectors: np.ndarray, threshold: float | None = 0.8) -> Any:
    given = None if threshold is None else Threshold(threshold)
    return score_embeddings(Embeddings(vectors, ME), KNOWN, threshold=given)


def found(vectors: np.ndarray, names: list[str] | None = None, **settings: Any) -> Discovery:
    result = scored(vectors)
    return discover(result, result.embeddings, names, text=TEXT, **settings)


# the novel ones are nearer to their names than the known ones, so that these fit
ALL = np.concatenate([rows(NAMES[:4], 10), rows(NAMES[4:], 10, seed=1, noise=0.12)])


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_classes_are_found_again_whatever_the_order_of_the_rows(grouping: str) -> None:
    one = found(ALL, NAMES, grouping=grouping)
    assert one.novel.tolist() == [False] * 40 + [True] * 30
    assert [len(group) for group in one.groups] == [10, 10, 10]
    for group in one.groups:
        name = NAMES[group.rows[0] // 10]
        assert set(group.rows // 10) == {group.rows[0] // 10} and group.stability > 0.95
        assert group.names[0].name == name and group.fits and not group.names[0].known
        own = ALL[group.rows] / np.linalg.norm(ALL[group.rows], axis=1, keepdims=True)
        assert (own @ own.T).mean(axis=1).argmax() == 0  # the medoid
        assert group.names[0].cosine == pytest.approx(np.median(own @ TEXT.vectors[name]))
    order = np.random.RandomState(1).permutation(len(ALL))
    other = found(ALL[order], NAMES, grouping=grouping)
    for group, again in zip(one.groups, other.groups, strict=True):
        assert order[again.rows].tolist() == group.rows.tolist()
        assert (again.stability, again.fits) == (pytest.approx(group.stability), group.fits)
        assert [one.name for one in again.names] == [one.name for one in group.names]
        cosines = [one.cosine for one in group.names]
        assert [one.cosine for one in again.names] == pytest.approx(cosines, abs=1e-5)
    assert (other.labels == one.labels[order]).all()


def test_rows_without_a_group_are_told_from_known_ones() -> None:
    strangers = np.eye(WIDTH)[[9, 11, 13]]
    one = found(np.concatenate([ALL, strangers]))
    assert one.labels[:40].tolist() == [-1] * 40 and one.labels[-3:].tolist() == [0] * 3
    told = one.as_json()
    assert told["counts"] == {"shapes": 73, "novel": 33, "groups": 3, "alone": 3}
    assert (
        told["alone"] == ["row 70", "row 71", "row 72"] and told["groups"][0]["medoid"] in told["groups"][0]["shapes"]
    )
    assert repr(one) == "Discovery(73 shapes, 33 novel, 3 groups, 3 alone)"


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_nothing_novel_too_few_and_copies_give_no_group(grouping: str) -> None:
    nothing = found(rows(NAMES[:4], 5), grouping=grouping)
    few = found(rows(["car"], 4), grouping=grouping)
    copies = found(np.repeat(rows(["car"], 1), 30, axis=0), grouping=grouping)
    empty = found(np.empty((0, WIDTH)), NAMES, grouping=grouping)
    assert [len(one.groups) for one in (nothing, few, copies, empty)] == [0] * 4
    assert [int((one.labels == 0).sum()) for one in (nothing, few, copies, empty)] == [0, 4, 30, 0]


@pytest.mark.parametrize("apart", [0, 1e-6])
def test_copies_join_the_group_of_the_row_that_they_copy(apart: float) -> None:
    """Copies that were embedded in another batch differ a little."""
    again = ALL[40:45] + apart * np.random.RandomState(2).uniform(-1, 1, (5, WIDTH)) / np.sqrt(WIDTH)
    once, twice = found(ALL), found(np.concatenate([ALL, again]))
    assert [len(group) for group in twice.groups] == [15, 10, 10]
    assert (twice.labels[70:] == twice.labels[40:45]).all()
    assert sorted(g.stability for g in twice.groups) == sorted(g.stability for g in once.groups)


def test_a_single_class_is_one_group() -> None:
    one = found(rows(["car"], 40, noise=0.1))
    assert len(one.groups) == 1 and one.groups[0].stability > 0.5


def test_no_name_fits_where_the_right_one_is_not_there() -> None:
    wrong = found(ALL, [*NAMES[:4], "jug"])
    fits = {NAMES[group.rows[0] // 10]: group.fits for group in wrong.groups}
    assert fits == {"car": False, "cup": False, "jug": True}
    [car] = [group for group in wrong.groups if NAMES[group.rows[0] // 10] == "car"]
    assert len(car.names) == 3 and car.words().startswith("no name fits (")
    assert wrong.name_threshold is not None and wrong.name_threshold.coverage == 0.8
    single = found(ALL, ["jug"])
    assert sorted(group.fits for group in single.groups) == [False, False, True]
    known = found(rows(["bed"], 10, noise=0.3), ["bed"], threshold=Threshold(-1.0))
    assert known.groups[0].names[0].known and known.groups[0].words().endswith("(known)")


def test_without_class_names_nothing_tells_whether_a_name_fits() -> None:
    plain = judge(ALL, KNOWN, "prototype_distance")
    one = discover(plain, Embeddings(ALL, ME), NAMES, text=TEXT, threshold=Threshold(0.8))
    assert len(one.groups) == 3 and all(group.fits is None and group.names for group in one.groups)
    few = score_embeddings(Embeddings(ALL, ME), KNOWN.subset(KNOWN.labels < 3), threshold=Threshold(0.8))
    assert discover(few, few.embeddings, NAMES, text=TEXT).name_threshold is None
    assert all(group.names == () and group.fits is None for group in found(ALL).groups)


def test_accepted_groups_are_known_afterwards() -> None:
    one = found(ALL, NAMES)
    names = {group.number: group.names[0].name for group in one.groups[:2]}
    more = one.accept(names, KNOWN)
    assert more.names == (*KNOWN.names, *names.values()) and more.text is None and more.threshold is None
    again = score_embeddings(one.embeddings, more, threshold=Threshold(0.8))
    for group in one.groups:
        own = names.get(group.number)
        assert again.is_novel[group.rows].all() == (own is None)
        assert own is None or set(again.nearest[group.rows]) == {own}
    merged = one.accept({1: "car", 2: "car", 3: "Bed"}, KNOWN)
    assert merged.names == (*KNOWN.names, "car")
    assert np.bincount(merged.labels).tolist() == [3, 13, 3, 3, 20] and merged.names[1] == "bed"


def test_a_threshold_of_what_was_known_is_not_one_of_what_is_known_now() -> None:
    one, held = found(ALL), KNOWN.with_threshold(Threshold(0.8))
    assert held.threshold is not None and one.accept({1: "car"}, held).threshold is None
    assert one.accept({1: "BED"}, held).threshold is None  # a class with more examples is another, too


def test_names_are_added_where_classes_have_names() -> None:
    one = found(ALL, NAMES)
    named = KnownClasses.from_names(NAMES[:4], TEXT)
    number = next(group.number for group in one.groups if group.names[0].name == "cup")
    more = one.accept({number: "cup", number % 3 + 1: "BED"}, named, text=TEXT)
    assert more.names == (*NAMES[:4], "cup") and more.examples is None
    assert more.text[-1].tolist() == TEXT.vectors["cup"].tolist()
    both = KnownClasses(NAMES[:4], ME, named.text, examples=np.eye(WIDTH)[:4], labels=np.arange(4))
    more = one.accept({1: "cup"}, both, text=TEXT)
    assert more.text.shape == (5, WIDTH) and np.bincount(more.labels).tolist() == [1, 1, 1, 1, 10]


def test_a_name_that_does_not_fit_the_rows_is_known_by_them() -> None:
    """No text encoder knows it, so that by its name alone none of its shapes would be known."""
    one = found(ALL, NAMES)
    titles = {group.number: group.names[0].name for group in one.groups}
    words = FakeText({**TEXT.vectors, "gizmotron": np.eye(WIDTH)[15]}, WORDS)
    named = KnownClasses.from_names(NAMES[:4], words)
    (first, second, third), rows = titles, {group.number: group.rows for group in one.groups}
    more = one.accept({first: "gizmotron"}, named, text=words)
    assert more.names == (*NAMES[:4], "gizmotron") and more.labels.tolist() == [4] * 10
    np.testing.assert_array_equal(more.examples, ALL[rows[first]])
    np.testing.assert_array_equal(more.text[:4], named.text)
    for method in ("max_cosine", "energy", "mcm"):
        again = score_embeddings(one.embeddings, more, method=method)
        assert set(again.nearest[rows[first]]) == {"gizmotron"}
        assert [again.nearest[i] for i in range(0, 40, 10)] == NAMES[:4]
        assert not set(again.nearest[:40]) & {"gizmotron"}
    again = score_embeddings(one.embeddings, more, method="max_cosine", threshold=Threshold(0.8))
    assert not again.is_novel[rows[first]].any() and again.is_novel[rows[second]].mean() >= 0.8
    # names that fit and names that do not, in any order, and several groups of one class
    both = one.accept({first: "gizmotron", second: titles[second], third: "Gizmotron"}, named, text=words)
    assert both.names == (*NAMES[:4], "gizmotron", titles[second]) and np.bincount(both.labels).tolist()[4:] == [20]
    both = one.accept({second: titles[second], first: "gizmotron"}, named, text=words)
    assert both.names == (*NAMES[:4], titles[second], "gizmotron") and set(both.labels) == {5}
    assert set(score_embeddings(one.embeddings, both, method="energy").nearest[rows[first]]) == {"gizmotron"}
    alone = Discovery(one.groups[:1], one.novel, Embeddings(ALL, ME))
    np.testing.assert_allclose(np.linalg.norm(alone.direction(np.arange(70), named.text), axis=1), 1)


def test_accepting_drops_the_threshold_of_the_classes_of_before() -> None:
    one = found(ALL, NAMES)
    for known in (KNOWN, KnownClasses.from_names(NAMES[:4], TEXT)):
        calibrated = known.with_threshold(Threshold(0.8))
        for name in ("bed", "cup", "gizmotron"):
            words = FakeText({**TEXT.vectors, "gizmotron": np.eye(WIDTH)[15]}, WORDS)
            assert one.accept({1: name}, calibrated, text=words).threshold is None


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"names": []}, ClassNamesError, "Expected a list of one or more"),
        ({"names": ["car", " "]}, ClassNamesError, "Expected a list of one or more"),
        ({"names": "car"}, ClassNamesError, "names are 'car'"),
        ({"names": ["car"], "text": None}, InputError, "no text encoder for 'fake'"),
        ({"names": ["car"], "text": FakeText({}, Identity("x", "other"))}, MixedEncodersError, "one embedding space"),
        ({"min_size": 1}, InputError, "min_size is 1"),
        ({"seed": -1}, InputError, "seed is -1"),
        ({"grouping": "dbscan"}, UnknownNameError, "known: hdbscan, agglomerative"),
        ({"grouping": lambda z, _: z}, InputError, "Expected one whole number per row"),
        (
            {"threshold": Threshold(0.5, provenance=scored(ALL).provenance.__class__(ME, "knn"))},
            MixedEncodersError,
            "knn",
        ),
    ],
)
def test_what_cannot_be_is_said(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    result = scored(ALL)
    with pytest.raises(error, match=message):
        discover(result, result.embeddings, **{"text": TEXT, **settings})


def test_rows_of_another_encoder_or_without_a_threshold_are_refused() -> None:
    result, other = scored(ALL), Identity("other", "words", "0" * 64)
    with pytest.raises(MixedEncodersError, match="other"):
        discover(result, Embeddings(ALL, other))
    with pytest.raises(InputError, match="70 rows of the judgement and 69"):
        discover(result, Embeddings(ALL[:69], ME))
    for plain in (scored(ALL, None), judge(ALL, KNOWN, "prototype_distance")):
        with pytest.raises(InputError, match="there is no threshold"):
            discover(plain, Embeddings(ALL, ME))
    with pytest.raises(InputError, match="Expected a result of score_novelty"):
        discover(ALL, Embeddings(ALL, ME))
    number: Any = 0.5
    with pytest.raises(InputError, match=r"threshold is 0\.5. Expected a Threshold"):
        discover(result, result.embeddings, threshold=number)
    one = found(ALL)
    for names in ({4: "car"}, {0: "car"}):
        with pytest.raises(InputError, match="a number from 1 to 3"):
            one.accept(names, KNOWN)
    for names in ({1: " "}, {}):
        with pytest.raises(ClassNamesError):
            one.accept(names, KNOWN)
    with pytest.raises(MixedEncodersError):
        one.accept({1: "car"}, KnownClasses.from_embeddings(ALL[:2], ["a", "b"], other))


def test_the_silhouette_is_that_of_scikit_learn() -> None:
    random = np.random.RandomState(3)
    points, labels = random.normal(size=(30, 3)), np.append(random.randint(4, size=29), 4)  # the last one alone
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    assert silhouette(distance @ np.eye(5)[labels], labels) == pytest.approx(silhouette_score(points, labels))
