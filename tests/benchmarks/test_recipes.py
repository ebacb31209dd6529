from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import openshape_ood
from benchmarks.threedos.recipes import SEEDS, Recipe, find_settings, openshape, record_key, semnov
from openshape_ood.errors import CloudError, UnknownNameError
from openshape_ood.registry.names import find_checkpoint

CLOUD = np.random.RandomState(0).normal(size=(500, 3)).astype(np.float32)


def test_the_openshape_protocol_is_the_registrys() -> None:
    for name, points, up in (("vitb32", 10_000, "y"), ("vitg14", 10_000, "z"), ("tiny", 1024, "y")):
        row = find_checkpoint(name)
        settings = openshape(row)
        assert settings.recipe("support", row) == settings.recipe("known", row) == Recipe(points, "y", up, 0.4)
        assert settings.unit and settings.templates == row.text.templates


def test_the_semnov_protocol_is_the_published_run() -> None:
    """1,024 and 2,048 points, black, no exchange even for the encoder that is z up, raw features."""
    for name in ("vitb32", "vitl14", "vitg14"):
        row = find_checkpoint(name)
        settings = semnov(row)
        assert settings.recipe("support", row) == Recipe(1024, "y", "y", 0.0)
        assert {settings.recipe(part, row) for part in ("validation", "known", "novel1", "novel2")} == {
            Recipe(2048, "y", "y", 0.0)
        }
        assert not settings.unit and settings.templates == ""
    assert SEEDS == (1, 41, 13718)


def test_a_prepared_cloud_is_in_the_unit_ball() -> None:
    prepared = Recipe(1024, "y", "z", 0.25).prepare(CLOUD, 1, "shape")
    assert (prepared.shape, prepared.dtype) == ((1024, 6), np.float32)
    assert np.linalg.norm(prepared[:, :3], axis=1).max() == pytest.approx(1, abs=1e-4)
    assert (prepared[:, 3:] == 0.25).all()
    exchanged = Recipe(1024, "y", "y", 0.25).prepare(CLOUD, 1, "shape")
    np.testing.assert_array_equal(prepared[:, [0, 2, 1]], exchanged[:, :3])


def test_the_seed_begins_sampling_elsewhere() -> None:
    """Sampling begins at the first point, and a shuffle by the seed puts another one there."""
    first = {Recipe(500, "y", "y", 0.0).prepare(CLOUD, s, "shape")[0].tobytes() for s in SEEDS}
    assert len(first) == 3


def test_bad_clouds_are_named() -> None:
    with pytest.raises(CloudError, match="row 7 of a file"):
        Recipe(64, "y", "y", 0.4).prepare(CLOUD * np.nan, 1, "row 7 of a file")


def test_every_field_of_the_record_counts() -> None:
    recipe = Recipe(64, "y", "y", 0.4)
    tiny = find_checkpoint("tiny")
    wider = replace(tiny, sizes=replace(tiny.sizes, radius=0.9))  # a radius is not in the weights
    records = [recipe.record(tiny, "ab", 1, "cpu"), recipe.record(tiny, "cd", 1, "cpu")]
    records += [recipe.record(tiny, "ab", 2, "cpu"), recipe.record(tiny, "ab", 1, "cuda")]
    records += [Recipe(65, "y", "y", 0.4).record(tiny, "ab", 1, "cpu"), recipe.record(wider, "ab", 1, "cpu")]
    assert len({record_key(r) for r in records}) == len(records)
    assert record_key(dict(reversed(records[0].items()))) == record_key(records[0])


def test_the_code_that_embeds_is_part_of_the_record() -> None:
    record = Recipe(64, "y", "y", 0.4).record(find_checkpoint("tiny"), "ab", 1, "cpu")
    folder = Path(openshape_ood.__file__).parent
    paths = [folder / "shapes/points.py", *sorted((folder / "encoders").rglob("*.py"))]
    assert len(paths) > 10
    assert record["code"] == hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def test_the_semnov_protocol_samples_what_3dos_does_in_other_tracks() -> None:
    row = find_checkpoint("vitb32")
    assert (semnov(row, "real").support_points, semnov(row, "real").test_points) == (2048, 2048)
    assert (semnov(row, "synthetic").support_points, semnov(row, "synthetic").test_points) == (1024, 1024)


def test_unknown_protocols_are_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown protocol 'sead'; known: openshape, semnov"):
        find_settings("sead", find_checkpoint("tiny"), "real")
