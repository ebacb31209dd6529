"""JSON report of a run: creation, reading and validation."""

from __future__ import annotations

import argparse
import json
import platform
from collections import namedtuple
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.options import printable
from benchmarks.threedos.evaluation import kept
from benchmarks.threedos.recipes import Settings
from benchmarks.threedos.results import SHOWN, MethodResult
from openshape_ood import __version__
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import FileError
from openshape_ood.registry.files import known_sha256

if TYPE_CHECKING:
    from benchmarks.threedos.protocol import Run
    from openshape_ood import ShapeEncoder, TextEncoder

LARGEST = 64 * 2**20  # most bytes of a report; usual are 10,000
LONGEST = 60  # most printed characters of a name


def record(
    this: Run, settings: Settings, results: Sequence[MethodResult], differs: list[str], args: argparse.Namespace
) -> dict[str, Any]:
    """The report of a run: data, settings, provenance, results."""
    import torch

    from benchmarks.threedos.data.check import published_counts

    split, data, encoder = this.split, this.data, this.encoder
    text = this.text(settings.templates) if this.text else None
    average = {"templates": len(text.templates), "average": text.average} if text else {}
    data_facts = {
        "source": data.source,
        "generated": data.generated,
        "absent": list(data.absent),
        "counts": data.counts,
        "published_counts": {} if data.generated else published_counts(split.name),
        "differs": differs,
        "sha256": {name: this.embedder.fingerprint(objects) for name, objects in data.sets.items()},
    }
    classes = {"known": data.known, "novel1": split.novel1, "novel2": split.novel2}
    provenance = Provenance(
        encoder.identity, up="y", seed=args.seeds[0], num_samples=settings.num_samples, version=__version__
    )
    switches = asdict(settings) | {"encoder_up": encoder.spec.up, "seeds": list(args.seeds)}
    switches |= {key: getattr(args, key) for key in ("draws", "batch_size", "data_seed", "per_class", "shots")}
    switches |= {} if data.generated else {"data_seed": None, "per_class": None}
    return {
        "benchmark": split.name,
        "title": split.title,
        "protocol": switches.pop("protocol"),
        "data": data_facts,
        "classes": {part: [[c.title, list(c.names)] for c in of] for part, of in classes.items()},
        "provenance": asdict(provenance),
        "architecture": {"name": encoder.row.architecture, **asdict(encoder.row.sizes)},
        "other_weights": other_weights(encoder, text),
        "text": {"space": text.identity.space, "weights": text.weights} | average if text else None,
        "settings": switches,
        "device": str(encoder.device),
        "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "metrics": "fractions; auroc, fpr95, aupr_in, aupr_out as in 3DOS: known is the positive class; mean over the "
        "seeds, standard deviation over the seeds, bootstrap 95 % interval of the mean over the test shapes",
        "results": [result_json(result, settings) for result in results],
    }


def other_weights(encoder: ShapeEncoder, text: TextEncoder | None) -> list[str]:
    """Texts about unregistered weights in use, with sha256."""
    row, sha256, registered = encoder.row, encoder.identity.sha256, known_sha256(encoder.row)
    lines = (
        [f"{row.name}, sha256 {sha256[:12]}, registered {registered[:12] or 'none'}"] if registered != sha256 else []
    )
    _, given, sha256 = text.weights.rpartition(" sha256:") if text else ("", "", "")
    if text and "revision:" not in text.weights and given and sha256 != row.text.sha256:
        lines.append(f"text encoder of {row.name}, sha256 {sha256[:12]}, registered {row.text.sha256[:12] or 'none'}")
    return lines


def result_json(result: MethodResult, settings: Settings) -> dict[str, Any]:
    """Entry of one method in the report."""
    printed = result.printed_accuracy if settings.protocol == "semnov" else None
    shares = kept(result)
    return {
        "known_by": result.known_by,
        "score": result.score if settings.unit or result.known_by == "names" else f"{result.score}, raw features",
        "accuracy": result.accuracy.as_json(),
        "balanced_accuracy": result.balanced_accuracy.as_json(),
        "printed_accuracy": printed.as_json() if printed else None,
        **{name: {m: figures[m].as_json() for m in SHOWN} for name, figures in result.metrics.items()},
        "thresholds": [round(limit, 6) for limit in result.thresholds] if result.thresholds else None,
        "kept": {name: round(share, 9) for name, share in shares.items()} if shares else None,
        "confusion": {n: {k: round(v, 9) for k, v in row.items()} for n, row in result.confusion.items()},
    }


# --- reading ---


Is = namedtuple("Is", "expected holds")  # schema of a single value: description for errors, predicate
Each = namedtuple("Each", "value")  # schema of a mapping with any keys, whose values have one schema


def _is_setting(value: Any) -> bool:
    return not any(isinstance(v, dict | list) for v in (value if isinstance(value, list) else [value]))


TEXT = Is("text", lambda value: isinstance(value, str))
FLAG = Is("true or false", lambda value: isinstance(value, bool))
COUNT = Is("a count", lambda value: type(value) is int and value >= 0)
SHARE = Is("a fraction from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1)
FIGURE = {"mean": SHARE, "low": SHARE, "high": SHARE}
SETS = {"counts": Each(Each(COUNT)), "differs": [TEXT], "absent": [TEXT], "sha256": Each(TEXT)}
# schema of the parts of a report that are used; a dict has fixed keys, the items of a list have one schema
REPORT = {
    "benchmark": TEXT,
    "protocol": TEXT,
    "provenance": {"identity": {"checkpoint": TEXT, "sha256": TEXT}},
    "data": {"generated": FLAG, **SETS},
    "settings": Each(Is("a setting", _is_setting)),
    "results": [{"known_by": TEXT, "score": TEXT, "accuracy": FIGURE, "both": {"auroc": FIGURE, "fpr95": FIGURE}}],
}


def read_record(path: Path) -> dict[str, Any]:
    """Read the JSON file of a run. Raises `FileError` with the path and the problem."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > LARGEST:
        raise FileError(f"{path} has more than {LARGEST // 2**20} MiB. Expected the report of a run. Give another file")
    try:
        report = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise FileError(f"{path} cannot be read as JSON ({type(error).__name__})") from error
    if wrong := next(problems(report, REPORT), ""):
        raise FileError(f"{path} is not the report of a run: {wrong}. `python -m benchmarks.sr1` writes a report")
    return dict(report)


def problems(value: Any, wanted: Any, where: str = "") -> Iterator[str]:
    """Yield the differences between a value from a JSON file and its schema `wanted`."""
    kind = wanted.expected if isinstance(wanted, Is) else "a list" if isinstance(wanted, list) else "named values"
    fits = wanted.holds(value) if isinstance(wanted, Is) else isinstance(value, list if kind == "a list" else dict)
    if not fits:
        shown = type(value).__name__ if isinstance(value, dict | list) else plain(json.dumps(value))
        yield f"{where or 'the whole'} is {shown}, expected {kind}"
    elif isinstance(wanted, list):
        for i, item in enumerate(value):
            yield from problems(item, wanted[0], f"{where}[{i}]")
    elif not isinstance(wanted, Is):
        for key, part in (dict.fromkeys(value, wanted.value) if isinstance(wanted, Each) else wanted).items():
            place = f"{where}.{plain(key)}" if where else plain(key)
            if key in value:
                yield from problems(value[key], part, place)
            else:
                yield f"{place} is missing"


def plain(words: str, longest: int = LONGEST) -> str:
    """Text from a file without control characters, cut to `longest` characters."""
    safe = printable(words)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"
