"""Records of a training: a file of JSON lines, and a folder for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from openshape_ood.errors import MissingPackageError

Take = Callable[[Mapping[str, Any]], None]
Log = Callable[..., Take]


@contextmanager
def training_log(path: Path | None = None, tensorboard: Path | None = None, resumed: bool = False) -> Iterator[Log]:
    """Yield a function that opens the log of one training, for example log(method="crn", seed=0).

    The log is a function that writes a record, with its `step` and these facts, to a file of JSON lines and to a folder
    for TensorBoard.

    resumed: keep the records of earlier steps in the file; records from the first new step on are replaced. Raises
    `MissingPackageError` if TensorBoard is not installed.
    """
    with ExitStack() as opened:
        places = list[Lines | Board]()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = "a+" if resumed else "w"
            places.append(Lines(opened.enter_context(path.open(mode, encoding="utf-8", buffering=1)), resumed))
        if tensorboard:
            board = Board(tensorboard, resumed)
            opened.callback(board.close)
            places.append(board)

        def of(**facts: Any) -> Take:
            def report(record: Mapping[str, Any]) -> None:
                for place in places:
                    place.write(facts, record)

            return report

        yield of


class Lines:
    """A file of JSON lines; if `resumed`, the first record removes all lines from its step on."""

    def __init__(self, file: IO[str], resumed: bool) -> None:
        self.file, self.resumed = file, resumed

    def write(self, facts: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        if self.resumed:
            self.cut(record["step"])
            self.resumed = False
        self.file.write(json.dumps({**facts, **record}) + "\n")

    def cut(self, step: int) -> None:
        """Remove the records from a step on, and incomplete lines."""
        self.file.seek(0)
        kept = [line for line in self.file if _step(line) < step]
        self.file.seek(0)
        self.file.truncate()
        self.file.writelines(kept)


class Board:
    """A folder for TensorBoard, opened with the first record."""

    def __init__(self, folder: Path, resumed: bool) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingPackageError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
        self.folder, self.resumed, self.make = folder, resumed, SummaryWriter
        self.writer: Any = None

    def write(self, facts: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        if self.writer is None:
            first = record["step"] if self.resumed else None
            self.writer = self.make(str(self.folder), purge_step=first)
        name = "-".join(map(str, facts.values()))
        for key, value in record.items():
            if isinstance(value, float):
                self.writer.add_scalar(f"{name}/{key}", value, record["step"])

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, LookupError, TypeError):
        return float("inf")
