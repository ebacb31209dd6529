"""Records of trainings: a line of JSON a step, and TensorBoard where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from openshape_ood.errors import MissingPackageError

Report = Callable[[Mapping[str, Any]], None]


class TrainingLog:
    """Where the records of trainings go: `log.of(method="crn", seed=0)` is what a reconstructor's `progress` takes.

    Parameters
    ----------
    path : Path, optional
        A file of JSON lines, which is written anew.
    tensorboard : Path, optional
        A folder for TensorBoard; needs the package tensorboard.

    Raises
    ------
    MissingPackageError
        For TensorBoard where it is not installed.
    """

    def __init__(self, path: Path | None = None, tensorboard: Path | None = None) -> None:
        self._open, self._path, self._folder = ExitStack(), path, tensorboard
        self._lines: Any = None
        self._board: Any = None

    def __enter__(self) -> Self:
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lines = self._open.enter_context(self._path.open("w", encoding="utf-8", buffering=1))
        if self._folder:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise MissingPackageError(
                    "--tensorboard needs the package tensorboard: pip install tensorboard"
                ) from error
            self._board = self._open.enter_context(SummaryWriter(str(self._folder)))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def of(self, **facts: Any) -> Report:
        """What takes the records of one training, which these facts stand before."""
        name = "-".join(map(str, facts.values()))

        def report(record: Mapping[str, Any]) -> None:
            if self._lines:
                self._lines.write(json.dumps({**facts, **record}) + "\n")
            if self._board:
                for key, value in record.items():
                    if isinstance(value, float):
                        self._board.add_scalar(f"{name}/{key}", value, record["step"])

        return report
