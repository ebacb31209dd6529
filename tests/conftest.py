"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import archive_server
import pytest
import torch
from archive_server import TOP, ArchiveServer

from benchmarks.threedos.data.fetch import Archive
from openshape_ood import ShapeEncoder

# for networks this small threads cost more than they give, and much more on a busy machine
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key that stripped files are signed with is not that of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def tiny() -> ShapeEncoder:
    """The embedded encoder, through the real loader."""
    return ShapeEncoder.from_pretrained("tiny", device="cpu")


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    """Archives over HTTP, for the tests of the download."""
    with archive_server.running() as running:
        yield running


@pytest.fixture
def archive(server: ArchiveServer) -> Archive:
    return Archive(TOP, server.address, TOP, "the tests")
