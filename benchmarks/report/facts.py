"""Settings of a run as text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 120
MOST_DIFFERING = 3  # most classes that are listed by name
# printed names of settings; all others are printed with spaces for underscores
SWITCHES = {
    "exchange": "axes exchanged", "unit": "unit vectors", "num_samples": "samplings a shape",
    "encoder_up": "encoder's up axis", "draws": "bootstrap draws", "data_seed": "seed of generated shapes",
    "per_class": "generated shapes per class",
}  # fmt: skip


def header(report: Mapping[str, Any]) -> str:
    """Warnings, then settings of a run, line by line."""
    return "\n".join(map(wrapped, (*warnings(report), *facts_of_run(report))))


def warnings(report: Mapping[str, Any]) -> list[str]:
    data = report["data"]
    lines = weights_notes(report)
    if data["differs"]:
        lines.append(f"!!! COUNTS DIFFER FROM THE PUBLISHED ONES: {'; '.join(count_differences(data['differs']))}")
    if data["absent"]:
        lines.append(f"!!! LEFT OUT, because support or test shapes are missing: {', '.join(data['absent'])}")
    return lines


def weights_notes(report: Mapping[str, Any]) -> list[str]:
    return [f"!!! OTHER WEIGHTS THAN THE REGISTERED ONES: {words}" for words in report.get("other_weights", ())]


def count_differences(differs: Sequence[str]) -> list[str]:
    """Counts that differ from the published ones: all totals, and at most `MOST_DIFFERING` single classes."""
    single = [words for words in differs if "," in words.partition(":")[0]]
    totals = [words for words in differs if words not in single]
    more = [f"and {len(single) - MOST_DIFFERING:,} more"] if len(single) > MOST_DIFFERING else []
    return [*totals, *single[:MOST_DIFFERING], *more]


def facts_of_run(report: Mapping[str, Any]) -> list[str]:
    identity = report["provenance"]["identity"]
    return [
        f"{report['title']} ({report['benchmark']})",
        f"known: {', '.join(classes_of(report, 'known'))}",
        *(f"{part}: {', '.join(names)}" for part in ("novel1", "novel2") if (names := classes_of(report, part))),
        f"data: {report['data']['source']}",
        f"shapes: {counts_line(report)}",
        f"encoder: {identity['checkpoint']}, checkpoint {identity['sha256'][:12]}, on {report['device']}",
        f"text: {text_words(report['text'])}",
        f"protocol {report['protocol']}: {switches_line(report['settings'])}",
    ]


def text_words(text: Mapping[str, Any] | None) -> str:
    """Embedding space, templates and averaging of the names; `text` is None for a run without names."""
    if text is None:
        return "none, known classes by examples only"
    return f"{text['space']}, {text['templates']} template{'s' * (text['templates'] != 1)}, average: {text['average']}"


def classes_of(report: Mapping[str, Any], part: str) -> list[str]:
    """Classes that have shapes in a set, in label order."""
    return [title for title, _ in report["classes"][part] if report["data"]["counts"][part].get(title)]


def counts_line(report: Mapping[str, Any]) -> str:
    """Number of shapes in each set, with the published number if it differs."""
    cells = []
    for part, counts in report["data"]["counts"].items():
        total, published = sum(counts.values()), report["data"]["published_counts"].get(part)
        cells.append(f"{part} {total:,}" + ("" if published in (None, total) else f" (published {published:,})"))
    return ", ".join(cells)


def switches_line(settings: Mapping[str, Any]) -> str:
    """All settings that are not None, as text."""
    return "; ".join(
        f"{setting_name(key)} {setting_words(value)}" for key, value in settings.items() if value is not None
    )


def setting_name(key: str) -> str:
    return SWITCHES.get(key, key.replace("_", " "))


def setting_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(setting_words(v) if isinstance(v, Mapping) else str(v) for v in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {setting_words(v)}" for key, v in value.items())
    return "none" if value in ("", None) else str(value)


def wrapped(words: str) -> str:
    """Text wrapped to `WIDTH`."""
    return "\n".join(textwrap.wrap(words, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
