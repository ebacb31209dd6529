"""Reports that runs left, read and checked: a file from elsewhere may hold anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openshape_ood.errors import FileError

LARGEST = 64 * 2**20  # bytes of a report; real ones have some 10,000
LONGEST = 60  # characters of a name that are shown


@dataclass(frozen=True)
class Run:
    """A report that was read, and the file it is from."""

    path: Path
    report: Mapping[str, Any] = field(repr=False)

    @property
    def benchmark(self) -> str:
        return str(self.report["benchmark"])

    @property
    def name(self) -> str:
        """Of the file, as it can be printed."""
        return plain(self.path.name, longest=4 * LONGEST)

    @property
    def generated(self) -> bool:
        return bool(self.report["data"]["generated"])

    @property
    def kind(self) -> tuple[str, str, str]:
        """What a run is called by in the table: model, protocol, data."""
        return (str(self.report["model"]), str(self.report["protocol"]), "generated" if self.generated else "3DOS")


def plain(words: str, longest: int = LONGEST) -> str:
    """Words of a file as a table may show them: no control characters, not too long."""
    safe = printable(words)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def printable(words: str) -> str:
    """Words on one line, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in words)


@dataclass(frozen=True)
class Is:
    """A single value for which `holds`; `expected` says in words what that is."""

    expected: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Each:
    """A mapping from any name to values that look like one."""

    value: Any


def _is_setting(value: Any) -> bool:
    return not any(isinstance(v, dict | list) for v in (value if isinstance(value, list) else [value]))


TEXT = Is("text", lambda value: isinstance(value, str))
FLAG = Is("true or false", lambda value: isinstance(value, bool))
COUNT = Is("a count", lambda value: type(value) is int and value >= 0)
SHARE = Is("a fraction from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1)
SETTING = Is("a setting", _is_setting)
FIGURE = {"mean": SHARE, "low": SHARE, "high": SHARE}

# what is read of a report: a mapping by key, a list of one thing, a mapping to one thing, or a single value
REPORT = {
    "benchmark": TEXT,
    "model": TEXT,
    "protocol": TEXT,
    "checkpoint_sha256": TEXT,
    "data": {
        "generated": FLAG,
        "counts": Each(Each(COUNT)),
        "differs": [TEXT],
        "absent": [TEXT],
        "sha256": Each(TEXT),
    },
    "settings": Each(SETTING),
    "results": [{"known_by": TEXT, "score": TEXT, "accuracy": FIGURE, "both": {"auroc": FIGURE, "fpr95": FIGURE}}],
}


def read_run(path: Path) -> Run:
    """A run from the JSON file it left. Raises `FileError` with the path and what is wrong with the file."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > LARGEST:
        raise FileError(f"{path} has more than {LARGEST // 2**20} MiB; a run's report is far smaller")
    try:
        report = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise FileError(f"{path} cannot be read as JSON ({type(error).__name__})") from error
    if wrong := next(problems(report, REPORT), ""):
        raise FileError(f"{path} is no report of a benchmark run: {wrong}. `python -m benchmarks.sr1` writes one")
    return Run(path, report)


def problems(value: Any, wanted: Any, where: str = "") -> Iterator[str]:
    """What is wrong with a value from a JSON file, thing after thing; nothing if it is as `wanted`."""
    if isinstance(wanted, Is):
        if not wanted.holds(value):
            yield f"{where} is {_shown(value)}, expected {wanted.expected}"
    elif isinstance(wanted, list):
        if isinstance(value, list):
            for i, item in enumerate(value):
                yield from problems(item, wanted[0], f"{where}[{i}]")
        else:
            yield f"{where} is {_shown(value)}, expected a list"
    elif isinstance(value, dict):
        parts = dict.fromkeys(value, wanted.value) if isinstance(wanted, Each) else wanted
        for key, part in parts.items():
            place = f"{where}.{plain(key)}" if where else plain(key)
            if key in value:
                yield from problems(value[key], part, place)
            else:
                yield f"{place} is missing"
    else:
        yield f"{where or 'the whole'} is {_shown(value)}, expected named values"


def _shown(value: Any) -> str:
    return type(value).__name__ if isinstance(value, dict | list) else plain(json.dumps(value))
