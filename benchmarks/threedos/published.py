"""Published figures from `published.toml`, and how the settings of their runs differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.threedos.splits import tables
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import list_checkpoints

METRICS = ("auroc", "fpr95", "aupr_in", "aupr_out")
PARTS = ("novel1", "novel2", "both")
MOST = 12  # most published rows below a run
TRAINED, FROZEN = 3, 2  # rows of the best trained networks; least number of rows of other frozen encoders
REFERENCE = "semnov"  # source with the settings of the protocol of this name
TRAINED_MARK = " (trained"
KNOWN_BY = ("names", "prototypes", "nearest example", "")


@dataclass(frozen=True)
class Source:
    """Source of published figures: short name for tables, full reference, description."""

    name: str
    where: str
    what: str


@dataclass(frozen=True)
class Published:
    """A published row. All figures are in percent.

    encoder: name of a checkpoint, or of a network followed by "(trained)" or "(trained once)"; known_by: as in our
    results, "" for other kinds; percent: "both" and, if published, "novel1" and "novel2" -> metric -> figure.
    """

    benchmark: str
    source: Source
    encoder: str
    method: str
    known_by: str
    score: str
    settings: Mapping[str, Any]
    percent: Mapping[str, Mapping[str, float]]
    accuracy: float | None = None
    balanced_accuracy: float | None = None
    remark: str = ""

    @property
    def trained(self) -> bool:
        return TRAINED_MARK in self.encoder

    @property
    def support(self) -> str:
        """Kind of support shapes, as in `Settings`."""
        return str(self.settings.get("support", "clean"))

    @property
    def label(self) -> str:
        """The method, followed by "+ copies" if its support has copies."""
        return self.method if self.support == "clean" else f"{self.method} + copies"


@cache
def sources() -> Mapping[str, Source]:
    """Short name -> source."""
    return {name: Source(name, **row) for name, row in tables("published.toml")["sources"].items()}


def reasons() -> Sequence[Mapping[str, str]]:
    """Reasons why figures differ: "title", "text" and "source" of each, in reading order."""
    rows: Sequence[Mapping[str, str]] = tables("published.toml")["reasons"]
    return rows


@cache
def all_published() -> tuple[Published, ...]:
    """Every row of `published.toml`, in its order."""
    return tuple(_published(table, row) for table in tables("published.toml")["tables"] for row in table["rows"])


def _published(table: Mapping[str, Any], row: Mapping[str, Any]) -> Published:
    method = tables("published.toml")["methods"][row["method"]]
    accuracy, balanced = (*row.get("accuracy", ()), None, None)[:2]
    return Published(
        **{key: row[key] for key in ("benchmark", "encoder", "method")},
        **{key: method[key] for key in ("known_by", "score")},
        source=sources()[table["source"]],
        settings=table["settings"] | {key: method[key] for key in ("unit", "means", "templates") if key in method},
        # the last figures of a row may be missing
        percent={part: dict(zip(METRICS, row[part], strict=False)) for part in PARTS if part in row},
        accuracy=accuracy,
        balanced_accuracy=balanced,
        remark=row.get("remark", table.get("remark", "")),
    )


def score_words(method: str) -> str:
    """Score of a published method, in words."""
    return str(tables("published.toml")["methods"][method]["score"])


def published_rows(benchmark: str, model: str | None = None) -> list[Published]:
    """Published rows to print below a run.

    For a trained network these are all its rows. For an encoder they are at most `MOST`: rows of the same encoder, of
    the best trained networks, and of other frozen encoders.
    """
    rows = [row for row in all_published() if row.benchmark == benchmark]
    trained_network, mark, _ = (model or "").partition(TRAINED_MARK)
    if mark:  # all scores of all trainings of this network
        return [row for row in rows if row.encoder.partition(TRAINED_MARK)[0] == trained_network]
    same = sorted(_best(row for row in rows if row.encoder == model), key=lambda row: row.source.name != REFERENCE)
    same = sorted(same[: MOST - TRAINED - FROZEN], key=lambda row: KNOWN_BY.index(row.known_by))
    others = _best(row for row in rows if row.encoder != model)
    first: dict[tuple[str, ...], Published] = {}  # the best row of each training
    for row in others:
        if row.trained:
            first.setdefault((row.source.name, row.encoder, row.support), row)
    trained = list(first.values())[:TRAINED]
    return same + trained + [row for row in others if not row.trained][: MOST - len(same) - len(trained)]


def _best(rows: Iterable[Published]) -> list[Published]:
    return sorted(rows, key=lambda row: -row.percent["both"]["auroc"])


def differences_in_settings(row: Published, report: Mapping[str, Any]) -> str:
    """Text about the settings in which a published row and a run differ; "nothing that is known" if there are none."""
    there, here, data = row.settings, report["settings"], report["data"]
    model = report["provenance"]["identity"]["checkpoint"]
    lines = []
    if row.trained:
        lines.append("a network trained on the support set")
    elif row.encoder != model:
        lines.append(f"another encoder (here {model})")
    points = [key for key in ("support_points", "test_points") if key in there]
    if any(there[key] != here[key] for key in points):
        # one number, or support/test if they differ
        counts = ["/".join(f"{n:,}" for n in dict.fromkeys(side[key] for key in points)) for side in (there, here)]
        lines.append(f"{counts[0]} points (here {counts[1]})")
    if there.get("color", here["color"]) != here["color"]:
        lines.append(f"color {there['color']:g} (here {here['color']:g})")
    # was the encoder's own up axis used? all data are y up
    if "exchange" in there and row.encoder in list_checkpoints():
        upright = there["exchange"] or find_checkpoint(row.encoder).spec.up == "y"
        if upright != (here["exchange"] or here["encoder_up"] == "y"):
            lines.append("axes exchanged (here not)" if upright else "no axis exchange")
    # rows by names use cosines under both protocols
    if there.get("unit", here["unit"]) != here["unit"]:
        lines.append("cosine (here raw L2)" if there["unit"] else "raw L2")
    elif here["unit"] and "means" in there:
        lines.append("class means of raw features (here of unit vectors)")
    ours = here["templates"] if report["text"] else None
    if there.get("templates", ours) != ours:  # only rows by names have templates
        shown = "no names" if ours is None else ours or "bare names"
        lines.append(f"{there['templates'] or 'bare names'} (here {shown})")
    samples = there.get("num_samples", 1)
    if samples != here["num_samples"]:
        lines.append(f"{samples} sample{'s' * (samples > 1)} a shape (here {here['num_samples']})")
    if row.support != here["support"]:
        lines.append(f"support {row.support} (here {here['support']})")
    if there.get("start") == "random":
        lines.append("random sampling start")
    runs, seeds = there.get("seeds"), len(here["seeds"])
    if runs is not None and (row.trained or runs != seeds):
        kind = "training" if row.trained else "seed"
        lines.append(f"{runs} {kind}{'s' * (runs > 1)} (here {seeds} seed{'s' * (seeds > 1)})")
    lines += [row.remark] if row.remark else []
    lines += ["data (here other counts)"] if data["differs"] or data["absent"] else []
    return ", ".join(lines) or "nothing that is known"
