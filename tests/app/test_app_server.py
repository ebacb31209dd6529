"""Where the page listens, and what is refused before it does."""

from __future__ import annotations

import socket
import sys

import pytest

from openshape_ood.app import serve
from openshape_ood.app.server import _free_port
from openshape_ood.errors import ClassNamesError, InputError, MissingPackageError, UnknownNameError


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(InputError, match=r"cannot listen on 127\.0\.0\.1, port .* Expected a free port"):
            serve(port=other.getsockname()[1])


def test_what_is_no_port_model_or_name() -> None:
    with pytest.raises(InputError, match="port is 70000"):
        serve(port=70000)
    with pytest.raises(UnknownNameError, match="unknown checkpoint 'huge'"):
        serve(port=0, model="huge")
    with pytest.raises(ClassNamesError, match="no class names"):
        serve(port=0, known=[])


def test_any_free_port() -> None:
    assert 0 < _free_port("127.0.0.1", 0) < 2**16


def test_without_gradio(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")  # so that they are put back
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(MissingPackageError, match=r"package gradio\. Run pip install 'openshape-ood\[app\]'"):
        serve(port=0)
