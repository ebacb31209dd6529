"""The packaged point encoder: what it was trained to tell, it tells."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from openshape_ood import KnownClasses, PointEncoder, TextEncoder, segment_scene
from openshape_ood.encoders.text.encoder import UntrainedNameWarning
from openshape_ood.scoring import judge
from openshape_ood.synthetic.rooms import room

NAMES = ["floor", "wall", "ceiling", "chair", "table", "sofa", "bed"]


def test_a_room_gets_its_names_and_keeps_what_is_strange_apart() -> None:
    made = room(3, categories=NAMES[3:], foreign=["bicycle"], spacing=0.05, views=3, color="material")
    truth = np.array(made.names)[made.scene.labels]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UntrainedNameWarning)  # floor and wall are names that it knows
        found = segment_scene(made.scene, NAMES)
    assert found.provenance.identity.checkpoint == "tiny-points" and found.nearest is not None
    known, strange = np.isin(truth, NAMES), truth == "bicycle"
    assert (found.nearest[known] == truth[known]).mean() > 0.85
    assert found.novelty[strange].mean() > np.quantile(found.novelty[known], 0.7)


def test_it_shares_the_text_space_of_tiny_and_says_which_names_it_was_not_trained_with() -> None:
    encoder, tiny = PointEncoder.from_pretrained(), TextEncoder.from_pretrained("tiny")
    known = KnownClasses.from_names(["chair", "table"], tiny)
    judged = judge(encoder.encode_points(room(5, objects=1, spacing=0.1, views=1).scene), known, "max_cosine")
    assert np.isfinite(judged.novelty).all()
    with pytest.warns(UntrainedNameWarning, match="'tiny-points' was not trained with names like 'guitar'"):
        np.testing.assert_array_equal(encoder.text().encode(["chair", "guitar"]), tiny.encode(["chair", "guitar"]))
