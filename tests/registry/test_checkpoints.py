"""The registry: good rows, and every way a row can be wrong."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import pytest
from safetensors.torch import save_file

from openshape_ood.errors import FileError, InputError, RegistryError, UnknownNameError, WeightsError
from openshape_ood.registry import ARCHITECTURES, Architecture
from openshape_ood.registry.architectures import PointBERTSizes
from openshape_ood.registry.names import find_checkpoint
from openshape_ood.registry.rows import (
    KINDS,
    NO_TEXT,
    PACKAGE,
    REGISTRY_VARIABLE,
    About,
    Keys,
    Row,
    Source,
    Text,
    list_checkpoints,
    load_registry,
)
from openshape_ood.registry.schema import meant
from openshape_ood.registry.weights import load_network
from openshape_ood.shapes import CloudSpec

UNI3D = [f"uni3d-{size}{data}" for size in ("b", "s", "ti", "l", "g") for data in ("", "-no-lvis")]
NAMES = ["tiny", "small", "vitb32", "vitl14", "vitg14", "openshape-no-lvis", *UNI3D]
NAMES += ["tamm", "tamm-no-lvis", "openshape-shapenet", "tripletmix"]
COMPARATORS = ["tiny-relation", "tiny-whitened"]
SCENES = ("scannet-openseg", "scannet-lseg", "matterport-openseg", "nuscenes-openseg")
POINTS = ["tiny-points", *(f"openscene-{data}" for data in SCENES), "lground-34d", "lground-34c"]
COMPLETION = ["completion-rooms", "completion-rooms-relations", "semabs-ovssc", "semabs-chefer-ovssc"]
COMPLETION += [
    "semabs-semaware-ovssc",
    "semabs-vool",
    "semabs-chefer-vool",
    "semabs-semaware-vool",
    "semabs-clipspatial-vool",
]
TABLES = {"sizes": PointBERTSizes, "source": Source, "keys": Keys, "text": Text, "spec": CloudSpec}
VITB32 = tomllib.loads((PACKAGE / "checkpoints.toml").read_text())["vitb32"]

Registry = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_registry_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REGISTRY_VARIABLE, raising=False)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with the row of vitb32, called `mine`, changed by {"table.field": value}; ... takes a field away."""

    def write(changes: dict[str, Any]) -> Path:
        row = deepcopy(VITB32)
        for place, value in changes.items():
            *tables, field = place.split(".")
            table = row
            for name in tables:
                table = table[name]
            if value is ...:
                table.pop(field, None)
            else:
                table[field] = value
        path = tmp_path / "mine.toml"
        path.write_text(f"mine = {inline(row)}\n")
        return path

    return write


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {inline(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def places(kind: type = Row, table: str = "") -> list[tuple[str, str, type]]:
    """(table, field, type) of every field that the row of an encoder may hold."""
    found = []
    for field in fields(kind):
        hint = PointBERTSizes if field.name == "sizes" else get_type_hints(kind)[field.name]
        if field.name == "scan":  # of point encoders
            continue
        if is_dataclass(hint):
            found += places(hint, field.name)
        elif field.name not in ("name", "folder", "members", "encoder"):  # the last is of comparators
            found.append((table, field.name, hint))
    return found


def place(table: str, field: str) -> str:
    return f"{table}.{field}" if table else field


def shown(table: str) -> str:
    return f"[mine.{table}]" if table else "[mine]"


def refusal(path: Path) -> str:
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_all_rows_are_read() -> None:
    rows = load_registry()
    assert (
        set(rows) == {*NAMES, *POINTS, *COMPARATORS, *COMPLETION} and list_checkpoints(kind="comparator") == COMPARATORS
    )
    assert list_checkpoints() == NAMES and list_checkpoints(kind="points") == POINTS
    assert sorted(list_checkpoints(kind="completion")) == sorted(COMPLETION)
    assert all(row.name == name and row.folder == PACKAGE for name, row in rows.items())


@pytest.mark.parametrize(
    "name, dim, up, kind, space",
    [
        ("tiny", 192, "y", "package", "tiny/text.safetensors"),
        ("small", 512, "y", "package", "small/names.safetensors"),
        ("vitb32", 512, "y", "hub", "ViT-B-32-quickgelu/openai"),
        ("vitl14", 768, "y", "hub", "ViT-L-14-quickgelu/openai"),
        ("vitg14", 1280, "z", "hub", "ViT-bigG-14/laion2b_s39b_b160k"),
    ],
)
def test_rows(name: str, dim: int, up: str, kind: str, space: str) -> None:
    row = find_checkpoint(name)
    assert (row.sizes.embedding_dim, row.spec.up, row.source.kind, row.text.space) == (dim, up, kind, space)


def test_published_rows_share_what_they_were_trained_with() -> None:
    rows = [find_checkpoint(name) for name in NAMES[2:5]]
    assert {(r.spec.count, r.spec.color, r.text.templates, r.text.average) for r in rows} == {
        (10_000, 0.4, "modelnet40_64", "mean")
    }
    assert len({r.source.sha256 for r in rows}) == 3


def test_a_row_of_ones_own(registry: Registry) -> None:
    row = find_checkpoint("mine", registry({"spec.color": 0.5}))
    assert row.spec.color == 0.5
    assert row.sizes == find_checkpoint("vitb32").sizes


def test_one_is_a_size(registry: Registry) -> None:
    """The least that any of them may be."""
    row = find_checkpoint("mine", registry({"spec.count": 1, "sizes.depth": 1, "spec.color": 1}))
    assert (row.spec.count, row.sizes.depth, row.spec.color) == (1, 1, 1.0)
    assert isinstance(row.spec.color, float)  # whole in the file


def test_the_environment_names_a_registry(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REGISTRY_VARIABLE, str(registry({})))
    assert list_checkpoints() == [*NAMES, "mine"]
    assert find_checkpoint("tiny").folder == PACKAGE


def test_the_argument_goes_before_the_environment(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REGISTRY_VARIABLE, "/nowhere.toml")
    assert list_checkpoints(registry({})) == [*NAMES, "mine"]


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REGISTRY_VARIABLE, "")
    assert list_checkpoints() == NAMES


def test_every_field_is_checked(registry: Registry) -> None:
    for table, field, kind in places():
        wrong: dict[Any, Any] = {str: 5, int: 1.5, float: "0.4", tuple: "layers"}
        message = refusal(registry({place(table, field): wrong[get_origin(kind) or kind]}))
        assert shown(table) in message
        assert repr(field) in message


def test_a_boolean_is_no_number(registry: Registry) -> None:
    for table, field, _ in [p for p in places() if p[2] is not str]:
        message = refusal(registry({place(table, field): True}))
        assert f"{shown(table)} field {field!r} is a boolean (True)" in message


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_list_or_table_is_no_value(registry: Registry, value: Any) -> None:
    assert "[mine.spec] field 'count' is a" in refusal(registry({"spec.count": value}))


def test_every_field_is_needed_but_those_with_a_default(registry: Registry) -> None:
    has_default = {"kind", "source.package", "source.repo", "source.revision", "source.sha256", "source.url"}
    has_default |= {"text.pretrained", "text.revision", "text.sha256", "text.trained", "text.tower"} | {
        f"keys.{f.name}" for f in fields(Keys)
    }
    has_default |= {"source.bytes", "source.page", "sizes.adapter_width", "spec.fewer", "unconfirmed"}
    has_default |= {f"about.{f.name}" for f in fields(About) if f.default is not MISSING}
    for table, field, _ in places():
        where = place(table, field)
        if where in has_default - {"source.package"}:
            assert "mine" in load_registry(registry({where: ...}))
        elif where not in ("source.package", "source.file"):
            assert f"{shown(table)} lacks the field {field!r}" in refusal(registry({where: ...}))


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_needed(registry: Registry, table: str) -> None:
    assert f"[mine] lacks the field {table!r}. Expected a table" in refusal(registry({table: ...}))


@pytest.mark.parametrize("table", TABLES)
def test_a_value_is_no_table(registry: Registry, table: str) -> None:
    assert f"[mine.{table}] is a whole number. Expected a table" in refusal(registry({table: 5}))


@pytest.mark.parametrize("table", ["", *TABLES])
def test_unknown_fields(registry: Registry, table: str) -> None:
    message = refusal(registry({place(table, "zzzz"): 1}))
    assert f"{shown(table)} has an unknown field 'zzzz'. Expected one of " in message


def test_a_slip_of_the_pen_is_answered_with_the_field_meant(registry: Registry) -> None:
    assert "Did you mean 'patches'?" in refusal(registry({"sizes.patchs": 64}))
    assert meant("mynett", ["MyNet", "other"]) == "Did you mean 'MyNet'?"


@pytest.mark.parametrize("field", ["name", "folder"])
def test_a_row_cannot_set_what_the_library_sets(registry: Registry, field: str) -> None:
    assert f"unknown field {field!r}" in refusal(registry({field: "x"}))


@pytest.mark.parametrize(
    "where, value",
    [
        ("architecture", "pointnet"),
        ("kind", "shapes"),
        ("text.kind", "clip"),
        ("text.average", "median"),
        ("text.templates", "modelnet40_65"),
        ("text.sha256", "491a08f1"),
        ("spec.up", "w"),
        ("spec.up", "-y"),
        ("spec.count", 0),
        ("spec.count", -1),
        ("spec.color", 1.1),
        ("spec.color", -0.1),
        ("spec.color", float("nan")),
        ("sizes.width", 0),
        ("sizes.depth", -12),
        ("sizes.radius", 0.0),
        ("sizes.radius", float("nan")),
        ("sizes.radius", float("inf")),
        ("sizes.projection", -1),
        ("source.sha256", "491a08f1"),
        ("sizes.channels", 3),
        ("source.sha256", "Z" * 64),
        ("source.sha256", "A" * 64),
        ("source.sha256", "a" * 65),
    ],
)
def test_values_out_of_range(registry: Registry, where: str, value: Any) -> None:
    table, _, field = where.rpartition(".")
    message = refusal(registry({where: value}))
    assert f"{shown(table)} field {field!r} is {value!r}" in message


def test_refusals_say_what_would_do(registry: Registry) -> None:
    assert refusal(registry({"sizes.projection": -1})).endswith("Expected 0 or more. Correct the row.")
    assert "Expected one of modelnet40_64" in refusal(registry({"text.templates": "modelnet"}))
    assert "[mine.text] field 'model' is empty" in refusal(registry({"text.model": "", "text.pretrained": ""}))


@pytest.mark.parametrize(
    "changes", [{"source.package": "x.pt"}, {"source.file": ...}, {"source.url": "https://x.org/m"}]
)
def test_a_source_has_one_place(registry: Registry, changes: dict[str, Any]) -> None:
    assert "[mine.source] has no location, or several. Expected one of 'package', 'file'" in refusal(registry(changes))


@pytest.mark.parametrize(
    "url",
    ["http://lab.org/m.pt", "file:///etc/passwd", "ftp://lab.org/m.pt", "m.pt", "https:///m.pt", "https://[x/m.pt"],
)
def test_addresses_are_https(registry: Registry, url: str) -> None:
    address = {"source.repo": ..., "source.file": ..., "source.url": url}
    assert "Expected an address that begins with https://" in refusal(registry(address))


def test_an_https_address(registry: Registry) -> None:
    address = {"source.repo": ..., "source.file": ..., "source.url": "https://lab.org/m.pt"}
    assert find_checkpoint("mine", registry(address)).source.kind == "https"


def test_a_file_beside_the_registry(registry: Registry) -> None:
    row = find_checkpoint("mine", registry({"source.repo": ...}))
    assert row.source.kind == "file"


def test_a_row_of_the_same_name_takes_the_place_of_the_packaged_one(registry: Registry) -> None:
    path = registry({"licence": "my own"})
    path.write_text(path.read_text().replace("mine = ", "vitl14 = "))
    assert list_checkpoints(path) == NAMES
    assert find_checkpoint("vitl14", path).licence == "my own"
    assert find_checkpoint("vitl14", path).folder == path.parent


@pytest.mark.parametrize(
    "rules, words",
    [
        ({"drop": ["("]}, "Expected a regular expression"),
        ({"rename": [["a", "b", "c"]]}, "Expected pairs"),
        ({"rename": [["(", "b"]]}, "Expected a regular expression"),
        ({"rename": ["ab"]}, "field 'rename' is a string"),
        ({"merge": [["a", "b"]]}, "two or more parts"),
        ({"merge": [["*.a", "*.b", "c"]]}, "two or more parts"),
        ({"merge": [["*.a.*", "*.b.*", "*.c.*"]]}, "at most one *"),
        ({"drop": ["a"] * 65}, "Expected a list of at most 64"),
        ({"drop": [5]}, "field 'drop' is a whole number"),
    ],
)
def test_rules_for_keys_are_checked(registry: Registry, rules: dict[str, Any], words: str) -> None:
    message = refusal(registry({f"keys.{field}": value for field, value in rules.items()}))
    assert "[mine.keys]" in message and words in message


@dataclass(frozen=True)
class CubeSizes:
    side: int
    style: str = "plain"

    @property
    def embedding_dim(self) -> int:
        return self.side**3


def test_an_architecture_brings_its_own_sizes(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Expected one of pointbert" in refusal(registry({"architecture": "cube"}))
    monkeypatch.setitem(ARCHITECTURES, "cube", Architecture(CubeSizes, lambda sizes: None))
    cube = {"architecture": "cube", "sizes": {"side": 3}}
    assert find_checkpoint("mine", registry(cube)).sizes == CubeSizes(3)
    assert "[mine.sizes] field 'side' is 0" in refusal(registry(cube | {"sizes": {"side": 0}}))
    assert "[mine.sizes] has an unknown field 'width'" in refusal(registry({"architecture": "cube"}))


@dataclass(frozen=True)
class Widthless:
    side: int


def test_sizes_say_how_wide_embeddings_are(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "cube", Architecture(Widthless, lambda sizes: None))
    assert "have no embedding_dim" in refusal(registry({"architecture": "cube", "sizes": {"side": 3}}))


@pytest.mark.parametrize("sizes, build", [(dict, print), (CubeSizes, "cube")])
def test_architectures_that_cannot_be_used(sizes: Any, build: Any) -> None:
    with pytest.raises(RegistryError, match="Expected a"):
        Architecture(sizes, build)


def test_rows_of_another_kind_have_the_tables_of_that_kind(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "toy", ("architecture", "sizes", "keys"))
    path = registry({"kind": "toy", "text": ..., "spec": ...})
    assert list_checkpoints(path) == NAMES and list_checkpoints(path, kind="toy") == ["mine"]
    assert load_registry(path)["mine"].text == NO_TEXT
    assert "unknown field 'text'" in refusal(registry({"kind": "toy", "spec": ...}))


def test_a_source_without_a_hash(registry: Registry) -> None:
    assert find_checkpoint("mine", registry({"source.sha256": ...})).source.sha256 == ""


def test_the_space_of_another_text_encoder(registry: Registry) -> None:
    changes = {"text.model": "ViT-B-32", "text.pretrained": "laion2b_s34b_b79k"}
    assert find_checkpoint("mine", registry(changes)).text.space == "ViT-B-32/laion2b_s34b_b79k"


@pytest.mark.parametrize("given, meant", [("vitb-32", "vitb32"), ("VITG14", "vitg14"), ("tinny", "tiny")])
def test_unknown_checkpoints_are_answered_with_the_known(given: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match="Expected one of tiny, small, vitb32, vitl14, vitg14") as caught:
        find_checkpoint(given)
    assert f"Did you mean {meant!r}?" in str(caught.value)


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown kind 'shapes'.*one of shape, .*Did you mean 'shape'"):
        list_checkpoints(kind="shapes")


@pytest.mark.parametrize("given", ["", "resnet", 5, None, ["tiny"], {}])
def test_names_far_from_all(given: Any) -> None:
    with pytest.raises(InputError, match="unknown checkpoint"):
        find_checkpoint(given)


@pytest.mark.parametrize("content", [b"[mine", b"= 3", b"\xff\xfe", b"a = 1\na = 2", b"\x00"])
def test_no_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    assert "is not valid TOML" in refusal(path)


@pytest.mark.parametrize("content", ["mine = 3", "mine = []", '[[mine]]\nlicence = "MIT"'])
def test_rows_that_are_no_tables(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    assert "[mine] is a" in refusal(path)


def test_a_registry_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.toml")
    assert "directory" in refusal(tmp_path)


@pytest.mark.parametrize("given", [{}, [], 0, 5, b"mine.toml"])
def test_a_registry_that_is_no_path(given: Any) -> None:
    with pytest.raises(RegistryError, match=r"registry is .* Expected the path of a file"):
        load_registry(given)


def test_a_registry_at_home(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(registry({}).parent))
    assert list_checkpoints("~/mine.toml") == [*NAMES, "mine"]
    monkeypatch.setenv(REGISTRY_VARIABLE, "~/mine.toml")
    assert list_checkpoints() == [*NAMES, "mine"]


def test_registry_errors_are_file_errors_and_value_errors() -> None:
    assert issubclass(RegistryError, FileError)
    assert issubclass(RegistryError, OSError)
    assert issubclass(RegistryError, ValueError)


def test_one_wrong_row_is_named_whichever_is_asked_for(registry: Registry) -> None:
    path = registry({"spec.count": 0})
    path.write_text(path.read_text() + path.read_text().replace("mine", "yours"))
    with pytest.raises(RegistryError, match=r"\[mine.spec\]"):
        find_checkpoint("tiny", path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("sizes.width", 10**12), ("sizes.depth", 10**5), ("sizes.radius", 1e300), ("spec.count", 10**14)],
)
def test_absurd_sizes_are_refused_before_anything_is_built(registry: Registry, field: str, value: Any) -> None:
    table, _, name = field.partition(".")
    message = refusal(registry({field: value}))
    assert f"[mine.{table}] field {name!r} is {value}" in message and "Expected at most" in message


def test_a_number_without_end(registry: Registry) -> None:
    path = registry({})
    path.write_text(path.read_text().replace("width = 512", f"width = {'9' * 5000}"))
    assert "is not valid TOML" in refusal(path)


def test_the_largest_sizes_allowed_are_built_at_once(registry: Registry, tmp_path: Path) -> None:
    sizes = {f"sizes.{name}": 65_536 for name in ("width", "heads", "head_width", "mlp_width", "patch_width")}
    path = registry(sizes | {"sizes.depth": 256})
    save_file({}, tmp_path / "none.safetensors")
    started = time.process_time()
    with pytest.raises(WeightsError, match="missing keys"):
        load_network(find_checkpoint("mine", path), tmp_path / "none.safetensors")
    assert time.process_time() - started < 10


@pytest.mark.parametrize("file", ["/etc/model.pt", "../model.pt", "a/../../model.pt", "a//b.pt"])
def test_a_file_of_a_repository_is_inside_of_it(registry: Registry, file: str) -> None:
    message = refusal(registry({"source.file": file}))
    assert f"[mine.source] field 'file' is {file!r}. Expected its path inside the repository" in message
