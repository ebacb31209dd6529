"""Where is it novel? Every point of a shape gets a novelty and the known class it is nearest to.

>>> from openshape_ood.synthetic import sample
>>> from openshape_ood.synthetic.planted import plant
>>> examples = {"chair": [sample("chair", 1024, seed) for seed in range(10)]}
>>> chair = plant("chair", "guitar", points=1024, seed=3)  # with a guitar for a back
>>> found = localize(chair.cloud, examples, model="tiny")
>>> bool(found.novelty[chair.foreign].mean() > found.novelty[~chair.foreign].mean())
True

Which of the encoder's features say most is measured by `python -m benchmarks.localize`.
"""

from __future__ import annotations

from openshape_ood.localization.patches import localize

__all__ = ["localize"]
