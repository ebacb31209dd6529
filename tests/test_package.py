"""What an installed copy carries."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CARRIED = (
    "registry/checkpoints.toml",
    "encoders/text/templates.toml",
    "py.typed",
    "scoring/negative_words.txt",
    "registry/tiny/encoder.safetensors",
    "registry/tiny/text.safetensors",
    "registry/completion/rooms.safetensors",
)


def test_the_wheel_carries_tiny_and_no_benchmarks(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a copy, because building leaves folders behind
    shutil.copytree(ROOT / "openshape_ood", source / "openshape_ood", symlinks=True)
    for name in ("setup.cfg", "pyproject.toml", "checkpoints.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"  # as `build` does
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, cwd=source)
    [wheel] = tmp_path.glob("openshape_ood-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        registry = archive.read("openshape_ood/registry/checkpoints.toml")
    assert {f"openshape_ood/{name}" for name in CARRIED} <= set(names)
    assert registry == (ROOT / "checkpoints.toml").read_bytes()
    assert not [name for name in names if name.startswith(("benchmarks", "tests"))]


def test_both_registries_are_files_with_the_same_bytes() -> None:
    """The package reads its own. A link would be a text file of one line on Windows and in a downloaded archive."""
    top, own = ROOT / "checkpoints.toml", ROOT / "openshape_ood" / "registry" / "checkpoints.toml"
    assert not top.is_symlink() and not own.is_symlink()
    same = top.read_bytes() == own.read_bytes()
    assert same, "cp openshape_ood/registry/checkpoints.toml checkpoints.toml"


def test_what_is_embedded_is_small() -> None:
    folder = ROOT / "openshape_ood" / "registry"
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.glob("*/*.*")}
    assert sizes.pop("tiny/points.safetensors") <= 4_000_000 and sizes.pop("completion/rooms.safetensors") <= 3_000_000
    assert sum(size for name, size in sizes.items() if name.startswith("tiny/")) <= 13_000_000


def test_the_notice_holds_the_license_of_the_templates() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for words in ("Copyright (c) 2022, Salesforce.com, Inc.", "1. Redistributions", "2. Redistributions", "3. Neither"):
        assert f"    {words}" in notice
    assert "HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY" in " ".join(notice.split())
    # what it speaks of is where it says
    assert [path for path in re.findall(r"openshape_ood/[\w/.]+\b", notice) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("package", "least"), [("trimesh", "4.6"), ("pillow", "12.3"), ("gradio", "6.16"), ("ray", "2.59")]
)
def test_lowest_versions_have_what_is_used_and_no_known_hole(package: str, least: str) -> None:
    """trimesh 4.6 brought `load_scene`; the others' advisories are of versions below."""
    [found] = re.findall(rf"^    {package}>=([\d.]+)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE)
    assert [*map(int, found.split("."))] >= [*map(int, least.split("."))]


def test_contributing_names_every_part_of_the_package() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    parts = [path.name for path in (ROOT / "openshape_ood").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [name for name in parts if f"`{name}/`" not in table] == []
