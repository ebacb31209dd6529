"""The JSON of a run: what was run, on what, and what came out."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.threedos.evaluation import kept
from benchmarks.threedos.protocol import Run
from benchmarks.threedos.recipes import Settings
from benchmarks.threedos.results import SHOWN, MethodResult
from openshape_ood import __version__


def record(
    this: Run, settings: Settings, results: Sequence[MethodResult], differs: list[str], args: argparse.Namespace
) -> dict[str, Any]:
    """Everything about a run that a reader of its figures may ask for."""
    import torch

    data, encoder = this.data, this.encoder
    switches = {key: value for key, value in asdict(settings).items() if key != "protocol"}
    return {
        "benchmark": this.split.name,
        "title": this.split.title,
        "protocol": settings.protocol,
        "data": _data(this, differs),
        "classes": {
            part: [[c.title, list(c.names)] for c in classes]
            for part, classes in (("known", data.known), ("novel1", this.split.novel1), ("novel2", this.split.novel2))
        },
        "model": encoder.identity.checkpoint,
        "checkpoint_sha256": encoder.identity.sha256,
        "architecture": {"name": encoder.row.architecture, **asdict(encoder.row.sizes)},
        "text": _text(this, settings),
        "settings": switches
        | {
            "encoder_up": encoder.spec.up,
            "seeds": list(args.seeds),
            "draws": args.draws,
            "batch_size": args.batch_size,
            "data_seed": args.data_seed if data.generated else None,
            "per_class": args.per_class if data.generated else None,
        },
        "device": str(encoder.device),
        "versions": {
            "openshape_ood": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "metrics": "fractions; auroc, fpr95, aupr_in, aupr_out as in 3DOS: known is the positive class; mean over the "
        "seeds, standard deviation over the seeds, bootstrap 95 % interval of the mean over the test shapes",
        "results": [result_json(result, settings) for result in results],
    }


def _text(this: Run, settings: Settings) -> dict[str, Any] | None:
    if this.text is None:
        return None
    text = this.text(settings.templates)
    return {
        "space": text.identity.space,
        "weights": text.weights,
        "templates": len(text.templates),
        "average": text.average,
    }


def _data(this: Run, differs: list[str]) -> dict[str, Any]:
    data = this.data
    published: dict[str, int] = {}
    if not data.generated:
        from benchmarks.threedos.data.check import published_counts

        published = published_counts(this.split.name)
    return {
        "source": data.source,
        "generated": data.generated,
        "absent": list(data.absent),
        "counts": {name: objects.counts() for name, objects in data.sets.items()},
        "published_counts": published,
        "differs": differs,
        "sha256": {name: this.embedder.fingerprint(objects) for name, objects in data.sets.items()},
    }


def result_json(result: MethodResult, settings: Settings) -> dict[str, Any]:
    """One method's part of the report."""
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
