"""Processes of their own for programs that need torch: forks of one process that has loaded it, which takes seconds.

This file is also what runs in that process: a line of JSON asks for a fork or for the end of one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

COMMAND = "import runpy; runpy.run_module('openshape_ood', run_name='__main__', alter_sys=True)"  # as python -m does


@dataclass(frozen=True)
class Ended:
    """The exit code of a process and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Forks:
    """Starts programs; each has the environment and the folder of its start, and files for its streams."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        command = [sys.executable, "-P", "-W", "ignore::DeprecationWarning", __file__]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request: Any) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def start(self, program: str, *arguments: str | Path, unread: bool = False) -> tuple[int, Path]:
        """Source of Python, run with these arguments; unread: its output goes to a reader that has left."""
        self.count += 1
        streams = self.folder / str(self.count)
        words = [str(argument) for argument in arguments]
        place = {"env": dict(os.environ), "cwd": os.getcwd(), "streams": str(streams), "unread": unread}
        return self.ask(program=program, arguments=words, **place), streams

    def wait(self, started: tuple[int, Path]) -> Ended:
        pid, streams = started
        texts = [streams.with_suffix(suffix).read_text for suffix in (".out", ".err")]
        code = self.ask(pid=pid)
        return Ended(code, *(read(encoding="utf-8") for read in texts))

    def run(self, program: str, *arguments: str | Path, unread: bool = False) -> Ended:
        return self.wait(self.start(program, *arguments, unread=unread))

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()


def serve() -> None:
    """Answer each line; a fork leaves the loop and becomes the program."""
    for module in ("torch", "openshape_ood.encoders.pointbert", "openshape_ood.encoders.shape_encoder"):
        import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        if "pid" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["pid"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                return become(**request)
        print(json.dumps(answer), flush=True)


def become(program: str, arguments: list[str], env: dict[str, str], cwd: str, streams: str, unread: bool) -> None:
    """Run a program in this process."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(streams + suffix, os.O_WRONLY | os.O_CREAT), number)
    if unread:
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        os.close(writer)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["-c", *arguments]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    serve()
