"""What the tests share. The process that hands them out to others loads this too: heavy packages are loaded by use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import archive_server
import pytest
from archive_server import TOP, ArchiveServer
from forks import Forks

if TYPE_CHECKING:
    from benchmarks.threedos.data.download import Archive
    from openshape_ood import ShapeEncoder

# The tests and their child processes use one thread, unless the environment says otherwise: the networks are small, and
# threads cost more than they give. Child processes inherit it, and torch reads it on import.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    """Files are handed out in the order of the next hook, not those of most tests first."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, so that no process is left alone with it at the end; other long ones follow soon."""
    items.sort(key=lambda item: item.path.name != "test_docs.py")


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key that stripped files are signed with is not that of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def draws() -> dict[str, Any]:
    from openshape_ood.synthetic import calibration

    return {name: lru_cache(1000)(getattr(calibration, name)) for name in ("sample", "scan")}


@pytest.fixture(scope="session")
def mesh_and_stream() -> Callable[..., tuple[Any, Any]]:
    """What clouds are sampled with; the mesh of a category and a seed is generated once and cannot be changed."""
    from openshape_ood import synthetic

    plain = synthetic._mesh_and_stream

    @lru_cache(500)
    def mesh(category: str, seed: int) -> Any:
        made = synthetic.generate(category, seed)
        for values in vars(made).values():
            values.flags.writeable = False
        return made

    def remembered(category: Any, seed: Any, purpose: int) -> tuple[Any, Any]:
        if type(category) is str and type(seed) is int:
            return mesh(category, seed), synthetic._stream(seed, category, purpose)
        return plain(category, seed, purpose)

    return remembered


@pytest.fixture(scope="module", autouse=True)
def drawn_once(
    request: pytest.FixtureRequest, draws: dict[str, Any], mesh_and_stream: Callable[..., tuple[Any, Any]]
) -> Iterator[None]:
    """Shapes to calibrate thresholds on and all meshes are made once, but for the tests of the making itself."""
    from openshape_ood import synthetic
    from openshape_ood.synthetic import calibration

    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name != "synthetic":
            patch.setattr(synthetic, "_mesh_and_stream", mesh_and_stream)
            for name, draw in draws.items():
                patch.setattr(calibration, name, lambda *given, draw=draw, **more: draw(*given, **more).copy())
        yield


@pytest.fixture(scope="session")
def tiny() -> ShapeEncoder:
    """The embedded encoder, through the real loader."""
    from openshape_ood import ShapeEncoder

    return ShapeEncoder.from_pretrained("tiny", device="cpu")


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes that have loaded torch."""
    running = Forks(tmp_path_factory.mktemp("forks"))
    yield running
    running.close()


@pytest.fixture
def server() -> Iterator[ArchiveServer]:
    """Archives over HTTP, for the tests of the download."""
    with archive_server.running() as running:
        yield running


@pytest.fixture
def archive(server: ArchiveServer) -> Archive:
    from benchmarks.threedos.data.download import Archive

    return Archive(TOP, server.address, TOP, "the tests")
