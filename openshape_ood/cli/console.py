"""Printing: results to the standard output, all other text to the standard error.

File names and messages about them are untrusted text. Unprintable characters are escaped, and markup is not
interpreted.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from openshape_ood.shapes.failure import Failure

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 100_000  # characters in a line of a file or a pipe, where lines are not folded
SECONDS = 15  # interval of progress lines if the output is no terminal
FOLDED = 16  # minimum width of a folded column
STYLES = {
    **dict.fromkeys(("known", "sound", "works", "in the package"), "green"),
    **dict.fromkeys(("novel", "damaged"), "bold red"),
    **dict.fromkeys(("missing", "not downloaded", "present", "unsure"), "yellow"),
}


def shown(text: Any) -> str:
    r"""Text that is safe to print, with control characters and invalid bytes escaped.

    >>> print(shown("a\nb\x1b[2J"))
    a\nb\x1b[2J
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def console(stderr: bool = False) -> Console:
    from rich.console import Console

    class Quitting(Console):
        def on_broken_pipe(self) -> None:
            raise  # re-raises the current error: rich calls this method in its exception handler

    width = None if (sys.stderr if stderr else sys.stdout).isatty() else WIDE
    return Quitting(stderr=stderr, highlight=False, markup=False, emoji=False, width=width, soft_wrap=False)


def print_line(text: str, style: str = "") -> None:
    """Print a line of the result."""
    console().print(text, style=style or None)


def print_note(text: str, style: str = "dim") -> None:
    console(stderr=True).print(text, style=style)


@contextmanager
def warnings_as_notes(wording: Callable[[object], str] = str) -> Iterator[None]:
    """Print warnings as notes, each once. wording: message -> text to print."""
    before = set()

    def note(message: Warning | str, *_: Any, **__: Any) -> None:
        words = shown(wording(message))
        if words not in before:
            before.add(words)
            print_note(f"warning: {words}", "yellow")

    with warnings.catch_warnings():
        if not sys.warnoptions:  # neither python -W nor PYTHONWARNINGS is set
            warnings.simplefilter("default", UserWarning)
        # the reader of the file has already warned
        warnings.filterwarnings("ignore", r"shape \d+ is .* steps of float32")
        warnings.showwarning = note
        yield


def print_error(message: str) -> None:
    _print_marked("error: ", "\n".join(shown(line) for line in message.splitlines()), "red")


def print_failures(failures: Sequence[Failure]) -> None:
    """Print one line per failure on the standard error."""
    for failure in failures:
        _print_marked("failed: ", failed_line(failure.source, failure.error))


def failed_json(failures: Sequence[Failure]) -> list[dict[str, str]]:
    """Failures in the form of --json."""
    return [{"file": failure.source, "reason": failure.error} for failure in failures]


def finish(failures: Sequence[Failure], done: bool = True) -> None:
    """Print failures and end with exit code 1, or with 2 if nothing was done. Return if all went well."""
    print_failures(failures)
    if failures or not done:
        raise SystemExit(1 if done else 2)


def failed_line(file: str, reason: str) -> str:
    """File name and reason of a failure. The name is left out if the reason contains it."""
    message, name = shown(" ".join(reason.split())), shown(file)
    return message if name in message else f"{name}: {message}"


def _print_marked(mark: str, text: str, style: str = "") -> None:
    from rich.text import Text

    console(stderr=True).print(Text(mark, style="bold red") + Text(text, style=style))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], fold: str = "") -> None:
    """Print some columns of records as a table. The column `fold` is wrapped to the width of the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        wide = 0 if name != fold else FOLDED
        justify: Any = "right" if any(isinstance(row[name], int | float) for row in rows) else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != fold, min_width=wide or None)
    for row in rows:
        cells = (f"{row[name]:.3f}" if isinstance(row[name], float) else row[name] for name in columns)
        table.add_row(*(Text("" if cell is None else shown(cell), STYLES.get(str(cell), "")) for cell in cells))
    console().print(table)


def write(record: Any, json: bool, show: Callable[[], object] = lambda: None) -> None:
    """Print the result of a command: its record as JSON, or as text by calling `show`."""
    print_json(record) if json else show()


def print_json(content: Any) -> None:
    """Print JSON on the standard output; NaN and infinity become null."""
    sys.stdout.write(as_json(content))
    sys.stdout.flush()


def as_json(content: Any) -> str:
    return json.dumps(plain(content), indent=2, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Convert numpy numbers and arrays to Python's, paths to strings, NaN and infinity to None.

    >>> plain({"a": float("nan"), "b": (1, 2)})
    {'a': None, 'b': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy
        return plain(value.tolist())
    if hasattr(value, "__fspath__"):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Bar:
    """Progress of a command. `step` counts one file, and updates a bar or prints a line every `SECONDS`."""

    def __init__(self, what: str = "", total: int = 0, advance: Callable[[], None] | None = None) -> None:
        self.what, self.total, self.done = what, total, 0
        self._advance = advance
        self._begun = self._printed = time.monotonic()

    def step(self) -> None:
        if self._advance is not None:
            self._advance()
            return
        self.done += 1
        now = time.monotonic()
        if now - self._printed >= SECONDS and self.done < self.total:
            self._printed = now
            left = (now - self._begun) / self.done * (self.total - self.done)
            print_note(f"{self.what}: {self.done} of {self.total}, about {left:.0f} s left")


@contextmanager
def progress(what: str, total: int) -> Iterator[Bar]:
    """Progress bar on the standard error; lines of text if it is no terminal."""
    out = console(stderr=True)
    if not out.is_terminal or total < 2:
        yield Bar(what, total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=out, transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield Bar(what, total, lambda: bars.advance(task))


@contextmanager
def steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """Progress callback (steps done, total steps) for a function that counts its own steps."""
    with ExitStack() as stack:
        bars: list[Bar] = []

        def step(_: int, of: int) -> None:
            if not bars:
                bars.append(stack.enter_context(progress(what, of)))
            bars[0].step()

        yield step
