"""Golden numbers of Semantic Abstraction, where OPENSHAPE_OOD_PARITY names a folder with `semabs_golden.npz`.

`seed` in the file is that of weights and inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import golden
import numpy as np
import torch
from published_completion import SMALL, completion_file, network_of, small_row

from openshape_ood.views.completion.network import CompletionNetwork

absent = golden.needs("semabs_golden.npz")
KINDS = {"single": torch.float32, "double": torch.float64}
Found = Iterator[tuple[str, Any]]


pack, seed = partial(golden.arrays, "semabs_golden.npz"), partial(golden.seed_of, "semabs_golden.npz")


def made(layout: str, kind: torch.dtype, side: int = 16, sizes: dict[str, int] = SMALL) -> CompletionNetwork:
    """The network of a layout, with the made-up weights of the file's seed."""
    return network_of(small_row(layout, side, sizes), completion_file(layout, sizes, seed())["net"]).to(kind)


def differences(
    measure: Callable[[torch.dtype], Found], kind: str, bounds: Mapping[str, float] = MappingProxyType({})
) -> Iterator[tuple[str, float, float]]:
    """Key, largest difference, and the bound: that of `bounds`, else of the file, 0 for whole numbers.

    NaN belongs in the same places.
    """
    allowed = json.loads(str(pack()["tolerances"]))
    with torch.no_grad():
        for key, found in measure(KINDS[kind]):
            key += "_64" * (kind == "double")
            if key in pack():
                golden, own = pack()[key].astype(np.float64), found.double().numpy()
                assert own.shape == golden.shape and (np.isnan(own) == np.isnan(golden)).all(), key
                most = bounds.get(key, allowed[key]["tolerance"] if key in allowed else 0.0)
                yield key, float(np.nanmax(np.abs(own - golden), initial=0.0)), most


def check(
    measure: Callable[[torch.dtype], Found], kind: str, bounds: Mapping[str, float] = MappingProxyType({})
) -> None:
    found = list(differences(measure, kind, bounds))
    assert found
    for key, error, most in found:
        assert error <= most, f"{key}: {error:.1e}, allowed {most:.1e}"
