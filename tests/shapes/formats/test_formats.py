"""The table of formats: every module is in it, and its entries do not contradict each other."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest

from openshape_ood.shapes import formats
from openshape_ood.shapes.formats import BY_SUFFIX, FORMATS, SUFFIXES
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.shapes.reading import load_shape, stated_up

MODULES = {module.name for module in iter_modules(formats.__path__)} - {"format"}


def test_every_module_is_in_the_table() -> None:
    listed = [import_module(f"{formats.__name__}.{name}").FORMAT for name in MODULES]
    assert len(FORMATS) == len(listed) == len([one for one in listed if one in FORMATS])
    assert len(SUFFIXES) == sum(len(one.suffixes) for one in FORMATS)  # none twice


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.suffixes[0])
def test_conventions_and_readers_fit_each_other(one: Format) -> None:
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in one.suffixes)
    assert one.cloud is not None or one.surface is not None
    assert (one.has_faces is not None) == (one.cloud is not None and one.surface is not None)
    assert one.up in (None, "x", "y", "z") and (one.declared_up is None or one.up is not None)
    assert one.cloud is not None or (one.select is None and one.pieces is None)


def test_a_new_format_is_a_line_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = Format(suffixes=(".new",), cloud=lambda data: np.eye(3), up="x")
    monkeypatch.setitem(BY_SUFFIX, ".new", new)
    (tmp_path / "a.NEW").write_bytes(b"1")
    assert load_shape(tmp_path / "a.NEW").tolist() == np.eye(3).tolist()
    assert stated_up(tmp_path / "a.new") == "x"
    assert not new.holds_surface(b"1") and new.columns(b"1")["x"].tolist() == [1, 0, 0]


def test_a_format_without_readers_is_a_mistake() -> None:
    with pytest.raises(TypeError, match=r"'\.new',\) has no reader"):
        Format(suffixes=(".new",)).read(b"1", SideFiles(Path()))
