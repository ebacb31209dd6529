"""Markdown page of a run: settings, figures, published figures, and reasons for differences."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.report import facts, tables
from benchmarks.report.tables import markdown_words
from benchmarks.threedos.published import Published, published_rows, reasons
from benchmarks.threedos.recipes import SEEDS
from benchmarks.threedos.splits import load_split, split_names
from openshape_ood.storage import replacing

COMMANDS = {"synthetic": "sn", "real": "r2r"}
DEFAULTS = {"num_samples": 1, "draws": 1000, "per_class": 60, "data_seed": 0, "batch_size": 32}  # of the commands
FILES = {"failures.html": "failures, as clouds that can be rotated", "objects.csv": "every shape"}


def write_report(finished_report: Mapping[str, Any], path: Path, pictures: Mapping[str, str]) -> Path:
    """Write the page of a run to `path`, with links to its pictures and other files that exist."""
    beside = {title: f"{path.stem}/{name}" for name, title in FILES.items()} | {"all figures": f"{path.stem}.json"}
    there = {title: file for title, file in (dict(pictures) | beside).items() if (path.parent / file).is_file()}
    with replacing(path) as partial:
        partial.write_text(page(finished_report, there), encoding="utf-8")
    return path


def page(report: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The whole page; empty sections are left out."""
    sections: dict[str, Iterable[str]] = {
        "What was run": _what(report),
        "Figures": _figures(report),
        "Published figures": _published(report),
        "Why the figures differ": _why(report),
        "Nearest known classes of novel shapes": _confusion(report),
        "Effect of each switch": _ablation(report),
        "Pictures and files": _pictures(pictures),
        "For the spreadsheet": _spreadsheet(report),
        "How to repeat it": [f"```bash\n{command(report)}\n```"],
    }
    model = report["provenance"]["identity"]["checkpoint"]
    title = f"# {markdown_words(report['title'])}: {markdown_words(model)}, protocol {report['protocol']}"
    written = {head: "\n\n".join(part for part in parts if part) for head, parts in sections.items()}
    return "\n\n".join([title, *(f"## {head}\n\n{body}" for head, body in written.items() if body)]) + "\n"


def _what(report: Mapping[str, Any]) -> Iterable[str]:
    yield from (f"> **{markdown_words(words.lstrip('! '))}**" for words in facts.warnings(report))
    lines = (words.partition(": ") for words in facts.facts_of_run(report)[1:])
    yield "\n".join(f"- **{markdown_words(name)}**: {markdown_words(words)}" for name, _, words in lines)


def _figures(report: Mapping[str, Any]) -> Iterable[str]:
    yield tables.figures_table(report).markdown()
    yield markdown_words(f"In {tables.FIGURES_NOTE}.")
    yield from (f"By {markdown_words(words)}." for words in tables.printed_accuracy(report))
    if (accepted := tables.accepted_table(report)).rows:
        yield tables.ACCEPTED_NOTE.capitalize()
        yield accepted.markdown()


def _published(report: Mapping[str, Any]) -> Iterable[str]:
    rows = _rows(report)
    if not rows:
        yield markdown_words(tables.why_none_published(report))
        return
    yield markdown_words(f"Published figures in percent, of one or a few runs each. {tables.same_test_set(report)}")
    yield tables.published_table(rows, report, differs=True).markdown()
    yield "\n".join(f"- {source}" for source in tables.sources_of(rows, "**"))
    scores = {row.method: row.score for row in rows}
    yield "Scores: " + "; ".join(f"*{markdown_words(method)}*, {score}" for method, score in scores.items()) + "."


def _rows(report: Mapping[str, Any]) -> list[Published]:
    model = report["provenance"]["identity"]["checkpoint"]
    return [] if report["data"]["generated"] else published_rows(report["benchmark"], model)


def _why(report: Mapping[str, Any]) -> Iterable[str]:
    if not _rows(report):
        return
    data, lines = report["data"], []
    absent = ["left out, because they have no support or no test shapes: " + ", ".join(data["absent"])]
    if differences := [*facts.count_differences(data["differs"]), *(absent if data["absent"] else [])]:
        lines.append(f"- **data**: this run had other data. {markdown_words('; '.join(differences))}.")
    yield "\n".join([*lines, *(f"- **{row['title']}**: {row['text']} (Source: {row['source']}.)" for row in reasons())])


def _confusion(report: Mapping[str, Any]) -> Iterable[str]:
    taken = tables.taken_for(report)
    if taken.rows:
        yield "Most frequent nearest known classes of each novel class, in percent of its shapes."
        yield taken.markdown()


def _ablation(report: Mapping[str, Any]) -> Iterable[str]:
    effects = tables.ablation_tables(report)
    for title, table in effects.items():
        yield f"{title}, change in points:"
        yield table.markdown()
    if effects:
        yield markdown_words(tables.ABLATION_NOTE)


def _pictures(pictures: Mapping[str, str]) -> Iterable[str]:
    for title, picture in pictures.items():
        place, words = quote(Path(picture).as_posix()), markdown_words(title)
        shown = Path(picture).suffix.lower() in (".png", ".jpg", ".jpeg", ".svg")
        yield f"**{words}**\n\n![{words}]({place})" if shown else f"[{words}]({place})"


def _spreadsheet(report: Mapping[str, Any]) -> Iterable[str]:
    if report["results"]:
        yield "As the 3DOS code prints it: AUROC, FPR95, AUPR-in, AUPR-out for novel 1, novel 2 and both, as fractions."
        yield "\n".join(["```text", *tables.spreadsheet_lines(report), "```"])


def command(report: Mapping[str, Any]) -> str:
    """Command that repeats the run; paths of weights and caches are left out."""
    settings, name = report["settings"], report["benchmark"]
    several = COMMANDS.get(load_split(name).track) if name in split_names() else None
    words = ["python", "-m", *([f"benchmarks.{several}", "--set", name] if several else [f"benchmarks.{name}"])]
    words += ["--model", report["provenance"]["identity"]["checkpoint"], "--protocol", report["protocol"]]
    words += [] if report["data"]["generated"] else ["--data-root", "3D_OS_release_data"]
    words += ["--no-names"] if report["text"] is None else []
    if list(settings["seeds"]) != list(SEEDS):
        words += ["--seeds", *map(str, settings["seeds"])]
    for name, default in DEFAULTS.items():
        if settings.get(name, default) not in (default, None):
            words += [f"--{name.replace('_', '-')}", str(settings[name])]
    return shlex.join([*words, "--ablate"] if report.get("ablation") else words)
