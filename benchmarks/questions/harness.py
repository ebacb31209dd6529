"""Common steps of the commands in this folder: load encoders, print and save results."""

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

if TYPE_CHECKING:  # reader processes import this module, and importing torch would slow them
    from openshape_ood import ShapeEncoder, TextEncoder


def loaded(args: argparse.Namespace) -> tuple[ShapeEncoder, TextEncoder]:
    """Make the output folder, then load the encoders named by the options."""
    from openshape_ood import ShapeEncoder, TextEncoder

    args.out.mkdir(parents=True, exist_ok=True)
    where = {"registry": getattr(args, "registry", None), "device": args.device}
    encoder = ShapeEncoder.from_pretrained(args.model, checkpoint=args.checkpoint, **where)
    return encoder, TextEncoder.from_pretrained(args.model, checkpoint=args.text_checkpoint, **where)


def facts(encoder: ShapeEncoder, text: TextEncoder | None = None) -> dict[str, Any]:
    """First entries of a report: checkpoint, its hash, and unregistered weights in use."""
    identity = {"model": encoder.identity.checkpoint, "checkpoint_sha256": encoder.identity.sha256}
    return identity | {"other_weights": other_weights(encoder, text)}


def named(report: Mapping[str, Any]) -> str:
    """The encoder's name for file names; unregistered weights add the first eight digits of their hash."""
    return str(report["model"]) + (f"-{report['checkpoint_sha256'][:8]}" if report["other_weights"] else "")


def finish(
    args: argparse.Namespace,
    name: str,
    report: Mapping[str, Any],
    lines: Sequence[Any],
    draw: Callable[[Path], Sequence[Path]] | None = None,
    named: Sequence[str] = (),
    texts: Mapping[str, str] | None = None,
    **usual: Any,
) -> None:
    """Write NAME.json and its picture, then print `lines` and the paths of the files.

    `options.suffix` adds changed options to the name, except those in `named`, which the name has already.
    `texts` maps the suffix of a further file to its content.
    """
    path = write_json(args.out / f"{name}{settings_of(args, *named, **usual)}.json", finite(report))
    others = [save_whole(path.with_suffix(end), text.encode(), "a table") for end, text in (texts or {}).items()]
    files = [path, *others, *(draw(path.with_suffix(".png")) if draw and args.pictures else ())]
    print(*weights_notes(report), *lines, sep="\n\n")
    print("", *files, sep="\n")


def settings_of(args: argparse.Namespace, *named: str, **usual: Any) -> str:
    """`options.suffix` without the options of model and machine."""
    return options.suffix(args, *options.MODEL, *options.MACHINE, *named, **usual)


def finite(value: Any) -> Any:
    """Replace NaN and infinite numbers by None, as JSON has neither."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def run_parts(
    args: argparse.Namespace, benchmark: str, parts: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]]
) -> None:
    """Run the requested parts of a benchmark; print the rows of each, and write BENCHMARK-PART.json."""
    args.out.mkdir(parents=True, exist_ok=True)
    for part in args.parts:
        record = parts[part](args)
        for row in record.get("rows", [record]):
            print(", ".join(f"{name} {spanned(one)}" for name, one in row.items() if name not in ("marks", "each")))
        path = args.out / f"{benchmark}-{part}{options.suffix(args, 'parts', 'real')}.json"
        print(write_json(path, {"benchmark": benchmark, "part": part, **record}))


def spanned(value: Any, digits: int = 3) -> str:
    """A value as text; a mean with its interval as "0.600 (0.400 to 0.800)"."""
    if isinstance(value, Mapping) and "mean" in value:
        mean, low, high = (f"{value[key]:.{digits}f}" for key in ("mean", "low", "high"))
        return f"{mean} ({low} to {high})"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def words(figure: Mapping[str, float], scale: float, digits: int) -> str:
    """Mean and interval as a table cell: "0.6 [0.4, 0.8]"."""
    mean, low, high = (f"{scale * figure[key]:.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
