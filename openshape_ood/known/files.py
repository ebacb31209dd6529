"""Known classes as files: arrays, and what is told of them."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from openshape_ood.checks import check_names
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity
from openshape_ood.known.memory import MEMORY, MemoryBank
from openshape_ood.known.soundness import check_sound
from openshape_ood.storage import loaded_arrays, save_arrays

ARRAYS = ("text", "negatives", "examples", "labels")


def save_known(known: Any, path: str | os.PathLike[str]) -> Path:
    """Write known classes, and their threshold, to a .safetensors file."""
    arrays = {name: getattr(known, name) for name in ARRAYS if getattr(known, name) is not None}
    header: dict[str, Any] = {"names": known.names, "identity": asdict(known.identity)}
    header["temperature"] = known.temperature
    header["threshold"] = known.threshold and known.threshold.state()
    if known.patches is not None:
        arrays |= {f"patches.{name}": getattr(known.patches, name) for name in MEMORY}
        header["patches"] = {"stage": known.patches.stage, "radius": known.patches.radius}
    return save_arrays(path, arrays, header, "set of known classes")


def load_known(cls: Any, path: str | os.PathLike[str]) -> Any:
    """Read what `save_known` wrote. Raises `FileError` for any other file."""
    with loaded_arrays(path, "set of known classes") as (header, arrays):
        memory: dict[str, Any] = {
            n.removeprefix("patches."): arrays.pop(n) for n in list(arrays) if n.startswith("patches.")
        }
        strangers = sorted({*arrays} - {*ARRAYS} | {*memory} - {*MEMORY})
        if strangers:
            raise ValueError(f"it holds {', '.join(strangers)}; expected {', '.join(ARRAYS)}, and patches")
        temperature, threshold, about = header["temperature"], header.get("threshold"), header.get("patches")
        if about is not None:
            about = {**about, "radius": float(about["radius"])}
        known = cls(
            names=check_names(header["names"]),
            identity=Identity(**{field: str(value) for field, value in header["identity"].items()}),
            patches=MemoryBank(**memory, **about) if memory else None,
            temperature=None if temperature is None else float(temperature),
            **arrays,
        )
        check_sound(known)
        return known if threshold is None else known.with_threshold(Threshold.from_state(threshold))
