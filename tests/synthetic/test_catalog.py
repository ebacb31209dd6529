"""What every category owes, and the public face of the package."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from openshape_ood import synthetic
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic import Mesh, categories, generate, sample, scan, synonyms, variants
from openshape_ood.synthetic.catalog import BUILDERS, category
from openshape_ood.synthetic.mesh import box

BENCHMARK = ["chair", "bookshelf", "door", "sink", "sofa", "bed", "toilet", "desk", "table", "monitor", "bag", "bin"]
BENCHMARK += ["box", "cabinet", "pillow"]
SEEDS = range(2)


def test_enough_categories() -> None:
    assert len(categories()) >= 55
    assert list(categories()) == sorted(categories())
    assert all(map(variants, categories())) and sorted(BUILDERS) == list(categories())


@pytest.mark.parametrize("name", BENCHMARK)
def test_benchmark_classes_come_in_many_kinds(name: str) -> None:
    assert len(variants(name)) >= 5


def test_no_word_names_two_categories() -> None:
    words = Counter(word for name in categories() for word in {name, *synonyms(name)})
    assert [word for word, count in words.items() if count > 1] == []


def test_words_and_kinds() -> None:
    for name in categories():
        assert len(set(synonyms(name))) == len(synonyms(name)) >= 8, name
        assert len(set(variants(name))) == len(variants(name)) >= 1, name
        assert all(word == word.strip() and word for word in (*synonyms(name), *variants(name))), name


@pytest.mark.parametrize("name", categories())
def test_every_variant_builds(name: str) -> None:
    for variant in variants(name):
        for seed in SEEDS:
            mesh = generate(name, seed, variant)
            try:
                check_arrays(mesh)
                check_stance(mesh)
            except AssertionError as error:
                raise AssertionError(f"variant {variant!r}, seed {seed}") from error


def check_arrays(mesh: Mesh) -> None:
    assert np.isfinite(mesh.vertices).all()
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < len(mesh.vertices)
    assert mesh.parts.shape == (len(mesh.faces),)
    assert len(mesh.faces) < 60_000


def check_stance(mesh: Mesh) -> None:
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert abs(low[1]) < 1e-9
    np.testing.assert_allclose((low + high)[[0, 2]], 0, atol=1e-9)
    assert 0.02 < mesh.size().max() < 80
    assert mesh.size().min() > 0.001


def test_the_seed_decides() -> None:
    for name in categories():
        first, again, other = (generate(name, seed).vertices for seed in (5, 5, 6))
        np.testing.assert_array_equal(first, again, err_msg=name)
        assert first.shape != other.shape or not np.allclose(first, other), name


def test_seeds_reach_every_variant() -> None:
    built = {generate("chair", seed).vertices.tobytes() for seed in range(10)}
    assert len(built) == 10


@pytest.mark.parametrize("draw", [sample, scan])
def test_drawing_repeats(draw) -> None:
    first, again, other = (draw("chair", 64, seed) for seed in (1, 1, 2))
    assert first.shape == (64, 3)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_sample_lies_within_the_generated_mesh() -> None:
    mesh, cloud = generate("table", 4), sample("table", 500, 4)
    assert (cloud >= mesh.vertices.min(axis=0) - 1e-9).all()
    assert (cloud <= mesh.vertices.max(axis=0) + 1e-9).all()


def test_a_mesh_of_ones_own_can_be_drawn_from() -> None:
    mesh = generate("sofa", 3)
    assert sample(mesh, 32, 0).shape == scan(mesh, 32, 0, severity=1.0).shape == (32, 3)


def test_a_category_enters_itself_once_with_its_words_and_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    assert variants("ball")  # all others have entered themselves
    monkeypatch.delitem(BUILDERS, "ball")
    category("ball", big=lambda rng: box(1, 1, 1), small=lambda rng: box(0.1, 0.1, 0.1))
    assert variants("ball") == ("big", "small")
    assert generate("ball", 0, "small").size().max() < 0.2 < generate("ball", 0, "big").size().max()
    with pytest.raises(ValueError, match="'ball' is registered twice"):
        category("ball", big=lambda rng: box(1, 1, 1))
    with pytest.raises(ValueError, match=r"'globe' has no synonyms\. Expected a line in categories\.toml"):
        category("globe", big=lambda rng: box(1, 1, 1))


def test_unknown_names_are_met_with_close_ones() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'chair'"):
        generate("chiar", 0)
    with pytest.raises(UnknownNameError, match="variant of 'chair'"):
        generate("chair", 0, variant="no such kind at all")
    with pytest.raises(UnknownNameError, match="Expected one of"):
        synonyms("qqqqqqqq")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", None])
def test_bad_seeds_are_refused(seed: object) -> None:
    with pytest.raises(InputError, match="seed"):
        generate("chair", seed)


@pytest.mark.parametrize("points", [0, -5, 2.5])
def test_bad_counts_are_refused(points: object) -> None:
    with pytest.raises(InputError, match="points"):
        sample("chair", points, 0)


def test_public_names_exist() -> None:
    assert all(hasattr(synthetic, name) for name in synthetic.__all__)
