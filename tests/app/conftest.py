"""One server for all tests of the page that need one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_server import Server, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as temp:
        with serving(Path(temp), model="tiny") as running:
            yield running
        assert running.process.returncode == 0
        assert [path.name for path in Path(temp).iterdir()] == ["server.log"]  # nothing is left behind
