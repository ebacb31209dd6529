"""The table in words, and what a reader has to know before comparing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.compare.rows import protocols_of, published_beside, rows_of
from benchmarks.report.compare.runs import LONGEST, Run, plain
from benchmarks.report.tables import (
    SWITCHES,
    Table,
    count_differences,
    markdown_words,
    setting_words,
    sources_of,
    wrapped,
)

HEAD = ("benchmark", "model", "protocol", "data", "known by", "accuracy", "AUROC", "FPR95")
CAPTION = (
    "percent [95 % interval]; known against both novel sets. Published rows name their source as protocol; "
    "MEAN is over SR1 and SR2."
)


def compared(runs: Sequence[Run], markdown: bool = False) -> str:
    """The table with what has to be said about it, as plain text or Markdown."""
    table = Table(HEAD, tuple(row.cells for row in rows_of(runs)), words=5)
    sources = [f"{source.name}: {source.where}. {source.what}" for source in sources_of(published_beside(runs))]
    said = [*variant_notes(runs), *(f"warning: {words}" for words in warnings(runs))]
    if not markdown:
        return "\n".join([table.text(), *(line for words in (CAPTION, *said, *sources) for line in wrapped(words))])
    # places of sources hold code spans, which are to stay so
    listed = "\n".join(f"- {words}" for words in [*map(markdown_words, said), *sources])
    return "\n\n".join(part for part in (table.markdown(), markdown_words(f"In {CAPTION}"), listed) if part)


def variant_notes(runs: Sequence[Run]) -> list[str]:
    """What the numbers behind protocols stand for: the settings in which such runs differ, and their files."""
    found: dict[tuple[str, ...], list[Run]] = defaultdict(list)
    for run, protocol in zip(runs, protocols_of(runs), strict=True):
        if protocol != run.report["protocol"]:
            found[run.kind[0], protocol, run.kind[2]].append(run)
    return [
        f"{plain(', '.join(called))}: {_varied(of[0], [run for run in runs if run.kind == of[0].kind])}"
        f" ({', '.join(run.name for run in of)})"
        for called, of in found.items()
    ]


def _varied(run: Run, alike: Sequence[Run]) -> str:
    settings = run.report["settings"]
    varied = [key for key in settings if any(other.report["settings"].get(key) != settings[key] for other in alike)]
    words = ", ".join(f"{SWITCHES.get(key, key)} {setting_words(settings[key])}" for key in varied)
    return plain(words or "the same settings", longest=4 * LONGEST)


def warnings(runs: Sequence[Run]) -> list[str]:
    """Runs of one benchmark on different data, and data that are not the published: other counts, classes left out."""
    found = []
    for benchmark in dict.fromkeys(run.benchmark for run in runs):
        of = [run for run in runs if run.benchmark == benchmark]
        differing = {
            "numbers of shapes": _differing([run.report["data"]["counts"] for run in of]),
            "sha256": _differing([run.report["data"]["sha256"] for run in of]),
        }
        if any(differing.values()):
            words = "; ".join(f"{what} of {parts}" for what, parts in differing.items() if parts)
            found.append(f"{plain(benchmark.upper())} was run on different data ({words}): {_by_data(of)}")
    for run in runs:
        data = run.report["data"]
        absent = [f"left out {title}" for title in data["absent"]]
        if wrong := [*count_differences(data["differs"]), *absent]:
            found.append(f"{run.name}: its data are not the published: {'; '.join(map(plain, wrong))}")
    return found


def _differing(data: Sequence[Mapping[str, Any]]) -> str:
    """The sets in which data differ."""
    parts = dict.fromkeys(part for one in data for part in one)
    return ", ".join(plain(part) for part in parts if any(one.get(part) != data[0].get(part) for one in data))


def _by_data(runs: Sequence[Run]) -> str:
    """Names of the files, those on the same data together."""
    groups: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        data = run.report["data"]
        groups[json.dumps([data["counts"], data["sha256"]], sort_keys=True)].append(run.name)
    return " against ".join(", ".join(names) for names in groups.values())
