"""What an installed copy carries."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import openshape_ood
from openshape_ood.errors import HashError, RegistryError
from openshape_ood.registry import find_checkpoint
from openshape_ood.registry.materials import bill_of_materials
from tests import release

ROOT = Path(__file__).parents[1]
COPIED = ("setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "NOTICE", "CHANGELOG.md")
# as `build` does, with the warnings of setuptools as errors
BUILD = """
import sys, warnings
from setuptools import SetuptoolsDeprecationWarning, build_meta
warnings.simplefilter("error", SetuptoolsDeprecationWarning)
getattr(build_meta, f"build_{sys.argv[1]}")(sys.argv[2])
"""

# a copy of the package is verified, damaged, and verified again
VERIFIED = """
import io, json, sys
from contextlib import redirect_stdout
from pathlib import Path
package = Path(sys.argv[1])
sys.path.insert(0, str(package.parent))
sys.dont_write_bytecode = True
import openshape_ood
from openshape_ood.cli import main
assert Path(openshape_ood.__file__).parent == package

def verify():
    try:
        with redirect_stdout(io.StringIO()) as said:
            code = main(["checkpoints", "verify", "--json"])
    except SystemExit as ended:
        code = ended.code
    print(json.dumps([code or 0, json.loads(said.getvalue())["files"]]))

verify()
(package / "scenes" / "sizes.json").write_text("{}")
(package / "registry" / "tiny" / "calibration.safetensors").unlink()
verify()
"""


def build(source: Path, kind: str, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BUILD, kind, str(out)]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist and the wheel of this checkout, by suffix."""
    folder = tmp_path_factory.mktemp("archives")
    source, out = folder / "source", folder / "dist"  # a copy, because building leaves folders behind
    shutil.copytree(ROOT / "openshape_ood", source / "openshape_ood", ignore=shutil.ignore_patterns("__pycache__"))
    (source / "tests").mkdir()  # of which setuptools would take the tests
    for name in (*COPIED, "tests/test_package.py"):
        shutil.copy(ROOT / name, source / name)
    for kind in ("sdist", "wheel"):
        done = build(source, kind, out)
        assert done.returncode == 0, done.stderr[-2000:]
    return {path.suffix: path for path in out.iterdir()}


@pytest.mark.parametrize("suffix", [".whl", ".gz"])
def test_an_archive_holds_the_package_and_nothing_else(archives: dict[str, Path], suffix: str) -> None:
    package = ROOT / "openshape_ood"
    expected = [path.relative_to(ROOT).as_posix() for path in package.rglob("*") if path.suffix not in ("", ".pyc")]
    assert len(expected) > 300
    assert release.faults(archives[suffix], expected) == []
    assert release.faults(archives[suffix], ["openshape_ood/more.py"]) == [
        f"{archives[suffix].name} lacks openshape_ood/more.py"
    ]


def test_what_belongs_in_no_archive_is_named() -> None:
    names = ["openshape_ood/novelty/score.py", "openshape_ood/registry/tiny/encoder.safetensors"]
    others = ["tests/test_package.py", "benchmarks/results/sr1.json", "notebooks/01_quickstart.ipynb", "setup.py",
              "openshape_ood/registry/tiny/log.csv", "openshape_ood/notes.txt", "build/lib/a.py"]  # fmt: skip
    assert release.strangers([*names, *others], "wheel") == others
    assert release.strangers([*names, *others], "sdist") == [name for name in others if name != "setup.py"]
    assert release.deprecations("adding 'a.py'\nSetuptoolsDeprecationWarning: x\ncopying deprecated.py") != []
    assert release.deprecations("adding 'a.py'\ncopying deprecated.py -> build") == []


def test_a_deprecated_setting_of_setuptools_fails(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = one\nversion = 1\n[options]\nnamespace_packages = a\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    done = build(tmp_path, "wheel", tmp_path / "dist")
    assert done.returncode and "Deprecated config" in done.stderr


def test_the_bill_of_materials_covers_every_packaged_weight(archives: dict[str, Path]) -> None:
    held = release.contents(archives[".whl"])
    [name] = [name for name in held if name.endswith(".dist-info/sboms/openshape_ood.cdx.json")]
    bill = json.loads(held[name])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == openshape_ood.__version__
    assert bill == bill_of_materials(ROOT, openshape_ood.__version__)  # the same at every build
    [tiny] = [one for one in bill["components"] if one["name"] == "openshape_ood/registry/tiny/encoder.safetensors"]
    assert tiny["hashes"] == [{"alg": "SHA-256", "content": find_checkpoint("tiny").source.sha256}]
    assert {"name": "openshape-ood:checkpoint", "value": "tiny"} in tiny["properties"]
    licences = {one["name"]: one["licenses"][0]["license"]["id"] for one in bill["components"]}
    assert licences["openshape_ood/encoders/text/templates.toml"] == "BSD-3-Clause"
    assert release.bill_faults(held | {tiny["name"]: b"other"}) == [
        f"the bill of materials has another sha256 for {tiny['name']}"
    ]
    assert release.bill_faults({}) == ["the wheel has no bill of materials"]


def test_a_build_refuses_weights_that_notice_or_the_registry_do_not_know(tmp_path: Path) -> None:
    folder = tmp_path / "openshape_ood" / "registry" / "tiny"
    folder.mkdir(parents=True)
    (folder / "encoder.safetensors").write_bytes(b"other")
    (tmp_path / "NOTICE").write_text("")
    with pytest.raises(
        RegistryError, match=r"differ in openshape_ood/registry/tiny/encoder\.safetensors\. Expected one line"
    ):
        bill_of_materials(tmp_path, "1")
    (tmp_path / "NOTICE").write_text("    openshape_ood/registry/tiny/encoder.safetensors  MIT  here\n")
    with pytest.raises(HashError, match=r"has the sha256 .* for tiny\. Restore"):
        bill_of_materials(tmp_path, "1")


def test_verify_compares_packaged_data_with_the_installed_bill(archives: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(archives[".whl"]) as wheel:
        wheel.extractall(tmp_path)

    package, environment = tmp_path / "openshape_ood", os.environ | {"OPENSHAPE_OOD_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", VERIFIED, str(package)], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    (code, sound), (damaged_code, damaged) = (
        (
            code,
            {"/".join(Path(one["path"]).parts[-2:]): one["status"] for one in files if one["source"] == "package"},
        )
        for code, files in map(json.loads, done.stdout.splitlines())
    )
    assert code == 0 and {*sound.values()} == {"sound"}
    assert {"tiny/calibration.safetensors", "tiny/tokenizer.json", "scenes/sizes.json", "tiny/text.safetensors"} <= {
        *sound
    }
    assert damaged_code == 1
    assert (damaged["scenes/sizes.json"], damaged["tiny/calibration.safetensors"]) == ("damaged", "missing")


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


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {openshape_ood.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_actions_are_pinned_and_only_publishing_may_ask_for_an_identity() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert len(used) == 5 and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one) for one in used)
    assert text.count("id-token: write") == 1 and "\npermissions: {}\n" in text and "password" not in text
