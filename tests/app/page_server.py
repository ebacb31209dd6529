"""The page in a process of its own, as the command line would start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Server:
    process: subprocess.Popen[str]
    address: str
    temp: Path

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of memory that the server holds, or with VmHWM has held at most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.findall(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[0])


@contextmanager
def serving(temp: Path, **arguments: Any) -> Iterator[Server]:
    """`serve` in a process of its own, as the command line would start it."""
    code = f"from openshape_ood.app import serve; serve(port=0, **{arguments!r})"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temp)}
    environment.pop("HF_TOKEN", None)
    log = temp / "server.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=temp
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            address = re.search(r"http://\S+", said)
            assert address, f"the server said {said!r} and {log.read_text()!r}"
            yield Server(process, address[0], temp)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
