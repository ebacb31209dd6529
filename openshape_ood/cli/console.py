"""Printing: results on the standard output, all else on the standard error.

Names of files and messages about them come from outside: what cannot be printed is shown escaped, and nothing in
them is taken for markup.
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

WIDE = 100_000  # columns of a file or a pipe: nothing there is folded
SECONDS = 15  # between two lines about how far it is, where there is no terminal
FOLDED = 16  # columns that a folded column has at least
STYLES = {
    **dict.fromkeys(("known", "sound", "works", "in the package"), "green"),
    **dict.fromkeys(("novel", "damaged"), "bold red"),
    **dict.fromkeys(("missing", "not downloaded", "present", "unsure"), "yellow"),
}


def shown(text: Any) -> str:
    r"""Text that is safe to print: control characters and broken bytes escaped.

    >>> print(shown("a\nb\x1b[2J"))
    a\nb\x1b[2J
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def console(stderr: bool = False) -> Console:
    from rich.console import Console

    class Quitting(Console):
        def on_broken_pipe(self) -> None:
            raise  # the error itself, as rich calls this where it was caught

    width = None if (sys.stderr if stderr else sys.stdout).isatty() else WIDE
    return Quitting(stderr=stderr, highlight=False, markup=False, emoji=False, width=width, soft_wrap=False)


def print_line(text: str, style: str = "") -> None:
    """A line of the result."""
    console().print(text, style=style or None)


def print_note(text: str, style: str = "dim") -> None:
    console(stderr=True).print(text, style=style)


@contextmanager
def warnings_as_notes(wording: Callable[[object], str] = str) -> Iterator[None]:
    """Warnings as notes, each once, put into words by `wording`."""
    before = set()

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        words = shown(wording(message))
        if words not in before:
            before.add(words)
            print_note(f"warning: {words}", "yellow")

    with warnings.catch_warnings():
        if not sys.warnoptions:  # python -W, PYTHONWARNINGS
            warnings.simplefilter("default", UserWarning)
        warnings.filterwarnings("ignore", r"shape \d+ lies ")  # whoever read its file has said so by name
        warnings.showwarning = tell
        yield


def print_error(message: str) -> None:
    _print_marked("error: ", "\n".join(shown(line) for line in message.splitlines()), "red")


def print_failures(failures: Sequence[Failure]) -> None:
    """One line each, on the standard error."""
    for failure in failures:
        _print_marked("failed: ", failed_line(failure.source, failure.error))


def failed_json(failures: Sequence[Failure]) -> list[dict[str, str]]:
    """The failures as --json prints them."""
    return [{"file": failure.source, "reason": failure.error} for failure in failures]


def finish(failures: Sequence[Failure], done: bool = True) -> None:
    """Name what failed; the exit code is 1 where something did, 2 where nothing was done."""

    print_failures(failures)
    if failures or not done:
        raise SystemExit(1 if done else 2)


def failed_line(file: str, reason: str) -> str:
    """Why a file could not be used, its name said once."""
    message, name = shown(" ".join(reason.split())), shown(file)
    return message if name in message else f"{name}: {message}"


def _print_marked(mark: str, text: str, style: str = "") -> None:
    from rich.text import Text

    console(stderr=True).print(Text(mark, style="bold red") + Text(text, style=style))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], fold: str = "") -> None:
    """Some columns of records, as --json has them, on the standard output; `fold` is broken where the terminal ends."""
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
    """The result of a command: the record as JSON, or what `show` prints of it for people."""
    print_json(record) if json else show()


def print_json(content: Any) -> None:
    """The one thing on the standard output; numbers that are none become null."""
    sys.stdout.write(as_json(content))
    sys.stdout.flush()


def as_json(content: Any) -> str:
    return json.dumps(plain(content), indent=2, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Numpy's numbers and arrays as Python's, paths as texts, NaN and infinity as None.

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
    """Progress of a command. `step` counts one file: a bar on a terminal, else a line now and then."""

    def __init__(self, what: str = "", total: int = 0, advance: Callable[[], None] | None = None) -> None:
        self.what, self.total, self.done = what, total, 0
        self._advance = advance
        self._begun = self._said = time.monotonic()

    def step(self) -> None:
        if self._advance is not None:
            self._advance()
            return
        self.done += 1
        now = time.monotonic()
        if now - self._said >= SECONDS and self.done < self.total:
            self._said = now
            left = (now - self._begun) / self.done * (self.total - self.done)
            print_note(f"{self.what}: {self.done} of {self.total}, some {left:.0f} s left")


@contextmanager
def progress(what: str, total: int) -> Iterator[Bar]:
    """A bar on the standard error, or lines where that is no terminal."""
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
    """Callback for a function that knows its own steps: called with the number done and the total."""
    with ExitStack() as stack:
        bars: list[Bar] = []

        def step(_: int, of: int) -> None:
            if not bars:
                bars.append(stack.enter_context(progress(what, of)))
            bars[0].step()

        yield step
