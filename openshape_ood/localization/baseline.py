"""How novel the patches of known shapes are to one another: what a map's colors and its threshold rest on."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.known import MemoryBank
from openshape_ood.localization.interpolation import weights
from openshape_ood.scoring.neighbors import nearest

COMPARED = 32  # shapes that are compared with the others; more say the same, and each searches the whole memory bank
COVERAGE = 0.95

_MEASURED: WeakKeyDictionary[MemoryBank, tuple[float, Threshold]] = WeakKeyDictionary()


def baseline(memory: MemoryBank) -> tuple[float, Threshold]:
    """The median novelty of the patches of known shapes, and the threshold that 95 % of them stay below.

    Each of up to 32 shapes is compared with all other shapes of the memory bank, of any class. 40 and more a class are
    needed to tell it well: of five chairs each is strange beside the other four, and then nothing looks novel.

    Parameters
    ----------
    memory : MemoryBank
        Patches of example shapes. Copies of a shape count as that shape; a class of one shape says nothing.

    Returns
    -------
    baseline : float
    threshold : Threshold

    Raises
    ------
    InputError
        Where no class has two different example shapes.
    """
    if memory not in _MEASURED:
        _MEASURED[memory] = _measure(memory)
    return _MEASURED[memory]


def _measure(memory: MemoryBank) -> tuple[float, Threshold]:
    order = np.argsort(memory.shapes, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(memory.shapes[order])) + 1)
    originals: dict[bytes, int] = {}
    owners = [originals.setdefault(memory.features[own].tobytes(), i) for i, own in enumerate(rows)]
    owner = np.empty(len(order), dtype=np.int64)  # of each patch, the first shape that is the same as its own
    owner[order] = np.repeat(owners, [len(own) for own in rows])
    classes = [memory.labels[rows[i][0]] for i in originals.values()]
    alike = [i for i, label in zip(originals.values(), classes, strict=True) if classes.count(label) > 1]
    if not alike:
        raise InputError("no class has two different example shapes; expected at least two of one, for the threshold")
    novelty = []
    for i in (alike[j] for j in np.unique(np.linspace(0, len(alike) - 1, min(COMPARED, len(alike))).astype(int))):
        distance, _ = nearest(memory.features[rows[i]], memory.features[owner != i])
        centers = memory.centers[rows[i]]
        novelty.append(weights(centers, centers, memory.radius) @ distance[:, 0])
    scores = np.sort(np.concatenate(novelty))
    source = f"patches of {len(novelty)} known shapes, each against the other shapes"
    half, value = np.quantile(scores, (0.5, COVERAGE)).tolist()
    return half, Threshold(value, COVERAGE, scores, source=source)
