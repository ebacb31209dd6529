"""with_examples: more of what is known already."""

from __future__ import annotations

import numpy as np
import pytest

from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder, Threshold
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import ClassNamesError, InputError, MixedEncodersError
from openshape_ood.synthetic import sample

ENCODER = ShapeEncoder.from_pretrained("tiny")
SHAPES = {name: [sample(name, 400, seed) for seed in range(3)] for name in ("chair", "lamp")}


def test_the_same_as_if_all_had_been_given_at_once() -> None:
    first = KnownClasses.from_examples({name: shapes[:1] for name, shapes in SHAPES.items()}, ENCODER, patches="local")
    more = first.with_examples({name: shapes[1:] for name, shapes in reversed(SHAPES.items())}, ENCODER)
    whole = KnownClasses.from_examples(SHAPES, ENCODER, patches="local")
    assert more.names == whole.names and more.patches is not None and whole.patches is not None
    for c in range(2):
        np.testing.assert_allclose(
            sorted(more.examples[more.labels == c].tolist()),
            sorted(whole.examples[whole.labels == c].tolist()),
            atol=1e-6,
        )
        assert (more.patches.labels == c).sum() == (whole.patches.labels == c).sum()
    assert len(np.unique(more.patches.shapes)) == 6


def test_a_class_known_by_name_is_then_known_by_both_and_the_threshold_is_gone() -> None:
    named = KnownClasses.from_names(["chair", "lamp"], TextEncoder.from_pretrained("tiny"))
    known = named.with_threshold(Threshold(0.5)).with_examples({"lamp": SHAPES["lamp"]}, ENCODER)
    assert known.text is not None and known.shown.tolist() == [1] and known.threshold is None
    assert known.identity == ENCODER.identity and known.temperature == ENCODER.temperature
    ready = named.with_examples({"lamp": ENCODER.encode(SHAPES["lamp"])}, ENCODER)
    np.testing.assert_allclose(ready.anchors, known.anchors, atol=1e-6)


def test_what_does_not_fit_is_refused() -> None:
    known = KnownClasses.from_examples(SHAPES, ENCODER)
    with pytest.raises(ClassNamesError, match=r"examples of 'car'.*To add classes"):
        known.with_examples({"car": SHAPES["lamp"]}, ENCODER)
    with pytest.raises(InputError, match="Expected a mapping"):
        known.with_examples(["lamp"], ENCODER)
    other = KnownClasses.from_embeddings(np.eye(192)[:1], ["lamp"], Identity("mine", "mine", "0" * 64))
    with pytest.raises(MixedEncodersError):
        other.with_examples({"lamp": SHAPES["lamp"]}, ENCODER)
