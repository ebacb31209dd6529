"""A run as a page: what was run, its figures, the published ones, and why they differ. Markdown, as GitHub shows it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.report import facts, tables
from benchmarks.report.tables import Table, markdown_words
from benchmarks.threedos.published import Published, published_rows, reasons, support_copies
from benchmarks.threedos.recipes import SEEDS
from benchmarks.threedos.splits import load_split, split_names
from openshape_ood.storage import replacing

COMMANDS = {"synthetic": "sn", "real": "r2r"}
DEFAULTS = {"num_samples": 1, "draws": 1000, "per_class": 60, "data_seed": 0, "batch_size": 32}  # of the commands
FILES = {"failures.html": "failures, to be turned", "objects.csv": "every shape"}


def write_report(finished_report: Mapping[str, Any], path: Path, pictures: Mapping[str, str]) -> Path:
    """Write a run's page to `path` (Markdown), with links to what exists of its pictures and its files."""
    beside = {title: f"{path.stem}/{name}" for name, title in FILES.items()} | {"all figures": f"{path.stem}.json"}
    there = {title: file for title, file in (dict(pictures) | beside).items() if (path.parent / file).is_file()}
    with replacing(path) as partial:
        partial.write_text(page(finished_report, there), encoding="utf-8")
    return path


def page(report: Mapping[str, Any], pictures: Mapping[str, str]) -> str:
    """The whole page; sections that have nothing to say are left out."""
    sections: dict[str, Iterable[str]] = {
        "What was run": _what(report),
        "Figures": _figures(report),
        "Published figures": _published(report),
        "Why the figures differ": _why(report),
        "What novel shapes are taken for": _confusion(report),
        "What each switch is worth": _ablation(report),
        "Pictures and files": _pictures(pictures),
        "For the spreadsheet": _spreadsheet(report),
        "All settings": _settings(report),
        "Shapes": _counts(report),
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
    yield markdown_words(f"By others, in percent, one or a few runs each. {tables.same_test_set(report)}")
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
    wanting = ["left out for want of support or test shapes: " + ", ".join(data["absent"])] if data["absent"] else []
    if found := [*facts.count_differences(data["differs"]), *wanting]:
        lines.append(f"- **data**: this run had others. {markdown_words('; '.join(found))}.")
    for reason in reasons().values():
        here = HERE[reason.title](report) if reason.title in HERE else ""
        ours = f" **Here**: {markdown_words(here)}." if here else ""
        lines.append(f"- **{reason.title}**: {reason.text}{ours} (Source: {reason.source}.)")
    yield "\n".join(lines)


def _axis(report: Mapping[str, Any]) -> str:
    settings, model = report["settings"], report["provenance"]["identity"]["checkpoint"]
    if settings["encoder_up"] == "y":
        return f"{model} is y up like the data, nothing to exchange"
    exchanged = "exchanged" if settings["exchange"] else "NOT exchanged, as in the reference run"
    return f"{model} is {settings['encoder_up']} up, the axes are {exchanged}"


def _seeds(report: Mapping[str, Any]) -> str:
    spread = max((result["both"]["auroc"]["spread"] for result in report["results"]), default=0.0)
    seeds = report["settings"]["seeds"]
    if len(seeds) < 2:
        return f"a single seed, {seeds[0]}" if seeds else ""
    return f"seeds {facts.setting_words(seeds)}; over them AUROC spreads by at most {100 * spread:.1f} points"


def _views(report: Mapping[str, Any]) -> str:
    num_samples = report["settings"]["num_samples"]
    return "one embedding a shape" if num_samples == 1 else f"{num_samples} embeddings a shape, averaged"


OWN_CLASS = "the accuracy by prototypes is that of the nearest prototype's own class"
HERE: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "points": lambda report: "{support_points:,} points of a support shape, {test_points:,} of a test shape".format(
        **report["settings"]
    ),
    "color": lambda report: f"{report['settings']['color']:g}",
    "gravity axis": _axis,
    "distance": lambda report: "cosines of unit vectors" if report["settings"]["unit"] else "Euclidean, raw features",
    "sampling start": lambda report: f"drawn by the seed, {_views(report)}",
    "seeds": _seeds,
    "prototype accuracy": lambda report: "; ".join(tables.printed_accuracy(report)) or OWN_CLASS,
}


def _confusion(report: Mapping[str, Any]) -> Iterable[str]:
    taken = tables.taken_for(report)
    if taken.rows:
        yield "The known classes that each novel class is taken for most often, in percent of its shapes."
        yield taken.markdown()


def _ablation(report: Mapping[str, Any]) -> Iterable[str]:
    found = tables.ablation_tables(report)
    for title, table in found.items():
        yield f"{title}, change in points:"
        yield table.markdown()
    if found:
        yield markdown_words(tables.ABLATION_NOTE)
        # what others found of one of the switches; on generated shapes, nothing to compare with
        pairs = [] if report["data"]["generated"] else support_copies(report["benchmark"])
        if pairs:
            sources = ", ".join(dict.fromkeys(row.source.name for _, row in pairs))
            network = pairs[0][0].encoder.partition(" ")[0]
            words = f"What corrupted copies did to a trained {network}, in training and beside the support shapes"
            yield f"{words}; one training each, in percent (Source: {sources})."
            yield tables.copies_table(pairs).markdown()


def _pictures(pictures: Mapping[str, str]) -> Iterable[str]:
    for title, picture in pictures.items():
        place, words = quote(Path(picture).as_posix()), markdown_words(title)
        shown = Path(picture).suffix.lower() in (".png", ".jpg", ".jpeg", ".svg")
        yield f"**{words}**\n\n![{words}]({place})" if shown else f"[{words}]({place})"


def _spreadsheet(report: Mapping[str, Any]) -> Iterable[str]:
    if report["results"]:
        yield "As the 3DOS code prints it: AUROC, FPR95, AUPR-in, AUPR-out for novel 1, novel 2 and both, as fractions."
        yield "\n".join(["```text", *tables.spreadsheet_lines(report), "```"])


def _settings(report: Mapping[str, Any]) -> Iterable[str]:
    text, identity = report["text"] or {}, report["provenance"]["identity"]
    rows = {
        "protocol": report["protocol"],
        **{facts.SWITCHES.get(key, key): value for key, value in report["settings"].items() if value is not None},
        "text": facts.text_words(report["text"]),
        **{f"text {key}": value for key, value in text.items() if key not in facts.TEXT_WORDS},
        "checkpoint sha256": identity["sha256"],
        **({"architecture": facts.network_words(report["architecture"])} if "architecture" in report else {}),
        "device": report["device"],
        "openshape_ood version": report["provenance"]["version"],
        **{f"{package} version": version for package, version in report["versions"].items()},
        **{f"run: {key}": value for key, value in report.get("run", {}).items()},
        **{f"sha256 of {part}": found for part, found in report["data"].get("sha256", {}).items()},
    }
    cells = tuple((key, facts.setting_words(value)) for key, value in rows.items())
    yield Table(("setting", "value"), cells, 2).markdown()


def _counts(report: Mapping[str, Any]) -> Iterable[str]:
    counts = report["data"]["counts"]
    titles = dict.fromkeys(title for found in counts.values() for title in found)
    rows = [(title, *(f"{found[title]:,}" if title in found else "" for found in counts.values())) for title in titles]
    rows.append(("all", *(f"{sum(found.values()):,}" for found in counts.values())))
    if published := report["data"]["published_counts"]:
        rows.append(("published", *(f"{published[part]:,}" if part in published else "-" for part in counts)))
    yield Table(("class", *counts), tuple(rows)).markdown()


def command(report: Mapping[str, Any]) -> str:
    """The command that runs this again; where weights and caches lie is not part of it."""
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
