"""Rooms with a name withheld: told apart where affinities are fair, not where they say nothing."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.questions.view_novelty import made_room


def test_what_is_withheld_is_most_novel_and_the_same_for_the_same_seed() -> None:
    rooms = [made_room(seed, withheld=True, severity=0.4) for seed in (700, 701)]
    assert np.mean([roc_auc_score(room.truth, room.map.novelty) for room in rooms]) > 0.9
    again = made_room(700, withheld=True, severity=0.4)
    assert np.array_equal(again.map.novelty, rooms[0].map.novelty)


def test_clean_masks_leave_one_region_or_none() -> None:
    calm, told = (made_room(703, withheld=withheld, severity=0.0) for withheld in (False, True))
    assert calm.regions(0.5) == 0 and not calm.truth.any()
    assert told.regions(0.5) == 1
