"""From a picture with depth to logits, against the original code: keys `scene/*` of the golden numbers."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from golden_completion import absent, made
from published_completion import corner_grid
from test_parity_relevancy import check, encoder, model, pack

from openshape_ood.encoders.protocols import Identity
from openshape_ood.views import View
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.completion import Completer, complete, locate
from openshape_ood.views.geometry import in_picture, signed_distance
from openshape_ood.views.relevancy import PRESETS, tiling

pytestmark = [pytest.mark.slow, absent]
assert model and pack  # fixtures


def completer(layout: str) -> Completer:
    return Completer(made(layout, torch.float32), Identity(layout, "completion"), torch.device("cpu"))


def test_the_whole_chain(pack: Any, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make, golden = pack
    seed, (h, w) = int(golden["seed"]), json.loads(str(golden["sizes"]))["scene"]
    picture, names = make.image(seed, h, w), make.NAMES
    monkeypatch.setattr(tiling, "jittered", lambda picture, count, seed: [picture, make.jitter(picture, 0)])
    preset = replace(PRESETS["ours"], jitters=1, legacy="height")
    found = encoder(pack, model).encode_image(picture, names, preset=preset, background=()).values
    centered = Affinities(found - found.mean(axis=0), names)
    camera, queries = make.camera(h, w), corner_grid(16)
    view = View(picture, make.depth(seed, h, w), *camera)

    field = complete(view, names[:3], affinities=centered, model=completer("ovssc"))
    assert len(field.points) == golden["scene/points_kept"]
    check(field.parts[0].numbers[:, 0], golden, "scene/relevancy_lamp")
    logits = field.logits(queries)
    check(logits, golden, "scene/ovssc_logits")

    corners = np.stack(np.meshgrid(*[low + np.arange(16) / 8 for low in make.BOUNDS[0]], indexing="ij"), -1)
    distance = signed_distance(corners.reshape(-1, 3), view.depth, *camera, 2 / 16)
    assert np.abs(distance.reshape(16, 16, 16) - golden["geometry/tsdf_16"]).max() <= 1e-5
    filled = (logits == logits.max(axis=0)) & (logits >= 0) & (distance <= 0)
    filled &= in_picture(queries, *camera, view.shape)
    np.testing.assert_array_equal(filled.reshape(3, 16, 16, 16), golden["scene/ovssc_volumes"])

    triples = (names[4], "behind", names[2]), (names[0], "in", names[3])
    located = [
        locate(view, *triple, affinities=centered, model=completer("vool")).logits(queries)[0] for triple in triples
    ]
    check(np.stack(located), golden, "scene/vool_logits")
    kept = [int((one >= one.max() - 0.15).sum()) for one in located]
    np.testing.assert_array_equal(kept, golden["scene/vool_kept_points"])
