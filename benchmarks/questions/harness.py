"""Common steps of the commands of this folder: load inputs, print and save results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import options
from benchmarks.report.facts import weights_notes
from benchmarks.report.output import write_json
from benchmarks.threedos.record import other_weights
from openshape_ood.storage import save_whole

if TYPE_CHECKING:  # the reader processes import this module, and must not wait for torch
    from openshape_ood import ShapeEncoder, TextEncoder


def loaded(args: argparse.Namespace) -> tuple[ShapeEncoder, TextEncoder]:
    """The encoders that a command's options name, once there is a folder for what it finds."""
    from openshape_ood import ShapeEncoder, TextEncoder

    args.out.mkdir(parents=True, exist_ok=True)
    where = {"registry": getattr(args, "registry", None), "device": args.device}
    encoder = ShapeEncoder.from_pretrained(args.model, checkpoint=args.checkpoint, **where)
    return encoder, TextEncoder.from_pretrained(args.model, checkpoint=args.text_checkpoint, **where)


def facts(encoder: ShapeEncoder, text: TextEncoder | None = None) -> dict[str, Any]:
    """First entries of a report: checkpoint, its hash, other weights in use."""
    own = {"model": encoder.identity.checkpoint, "checkpoint_sha256": encoder.identity.sha256}
    return own | {"other_weights": other_weights(encoder, text)}


def named(report: Mapping[str, Any]) -> str:
    """The encoder as files are called by it: with the beginning of its hash where it is not the registered one."""
    return str(report["model"]) + (f"-{report['checkpoint_sha256'][:8]}" if report["other_weights"] else "")


def finish(
    args: argparse.Namespace,
    name: str,
    report: Mapping[str, Any],
    said: Sequence[Any],
    draw: Callable[[Path], Sequence[Path]] | None = None,
    named: Sequence[str] = (),
    texts: Mapping[str, str] | None = None,
    **usual: Any,
) -> None:
    """Writes NAME.json, draws beside it unless told not to, and prints what is to be said, then the files.

    Options that are not as usual are added to the name, as `options.suffix` has them; `named`: options that the name
    holds already; `texts`: further files beside NAME.json, by suffix.
    """
    path = write_json(args.out / f"{name}{settings_of(args, *named, **usual)}.json", finite(report))
    others = [save_whole(path.with_suffix(end), text.encode(), "a table") for end, text in (texts or {}).items()]
    files = [path, *others, *(draw(path.with_suffix(".png")) if draw and args.pictures else ())]
    print(*weights_notes(report), *said, sep="\n\n")
    print("", *files, sep="\n")


def settings_of(args: argparse.Namespace, *named: str, **usual: Any) -> str:
    """`options.suffix` of a command whose figures do not depend on the machine."""
    return options.suffix(args, *options.MODEL, *options.MACHINE, *named, **usual)


def finite(value: Any) -> Any:
    """With None for what JSON has no word for: a figure that there is not, a rank of what was not found."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def words(figure: Mapping[str, float], scale: float, digits: int) -> str:
    """Mean and interval, as tables have them."""
    mean, low, high = (f"{scale * figure[key]:.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
