"""Known classes, comparators and encoders in folders and on a stand-in for the Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forks import Forks
from hub_server import TOKEN, HubServer, environment, running
from safetensors.numpy import load_file, save_file

from openshape_ood import KnownClasses, ShapeEncoder
from openshape_ood.comparison import Comparator, Cosine
from openshape_ood.errors import FileError, InputError, OpenShapeError, WeightsError
from openshape_ood.registry import sharing
from openshape_ood.registry.rows import PACKAGE
from openshape_ood.storage import loaded_arrays, save_arrays
from openshape_ood.synthetic import sample

Run = Callable[[str, str, dict[str, str]], Any]
KINDS = ("KnownClasses", "Comparator", "ShapeEncoder")
SHAPES = np.stack([sample("chair", 1024, seed) for seed in range(2)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ShapeEncoder:
    """An encoder of tiny's sizes with weights of its own."""
    weights = load_file(PACKAGE / "tiny" / "encoder.safetensors")
    path = tmp_path_factory.mktemp("trained") / "mine.safetensors"
    save_file({name: np.asarray(array * 1.01, np.float32) for name, array in weights.items()}, path)
    return ShapeEncoder.from_pretrained("tiny", checkpoint=path, device="cpu")


@pytest.fixture(scope="module")
def saved(trained: ShapeEncoder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind."""
    known = KnownClasses.from_examples({"chair": SHAPES, "a | b": SHAPES[:1]}, trained, up="y")
    made = {"KnownClasses": known, "Comparator": Comparator.of(Cosine(), trained.identity), "ShapeEncoder": trained}
    return {name: one.save_pretrained(tmp_path_factory.mktemp(name)) for name, one in made.items()}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[HubServer, dict[str, str]]]:
    with running() as server:
        yield server, environment(server, tmp_path / "hub", HF_TOKEN=TOKEN)


def test_what_is_saved_to_a_folder_loads_as_it_was(trained: ShapeEncoder, saved: dict[str, Path]) -> None:
    encoder = ShapeEncoder.from_pretrained(saved["ShapeEncoder"], device="cpu")
    assert encoder.identity == trained.identity and encoder.spec == trained.spec
    assert encoder.row.text == trained.row.text and encoder.temperature == trained.temperature
    assert np.array_equal(encoder.encode(SHAPES, up="y"), trained.encode(SHAPES, up="y"))
    known = KnownClasses.from_pretrained(saved["KnownClasses"])
    assert known.names == ("chair", "a | b") and known.identity == trained.identity
    comparator = Comparator.from_pretrained(str(saved["Comparator"]))
    assert (comparator.identity, comparator.similarity.family) == (trained.identity, "cosine")


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_holds_one_safe_file_and_a_card_that_names_its_contents(saved: dict[str, Path], kind: str) -> None:
    files = {path.name: path for path in saved[kind].iterdir()}
    assert len(files) == 2 and [name for name in files if name.endswith(".safetensors")]
    card = files["README.md"].read_text("utf-8")
    assert card.startswith("---\nlibrary_name: openshape-ood\n") and f"{kind}.from_pretrained(" in card
    [line] = [line for line in card.splitlines() if line.startswith("from ")]
    assert line.endswith(f"import {kind}")
    exec(line, {})  # the import of the card
    assert ("license: apache-2.0" in card) == (kind == "ShapeEncoder")
    assert kind != "KnownClasses" or "| classes | chair, a \\| b |" in card


LOAD = {
    "KnownClasses": "from openshape_ood import KnownClasses as Kind",
    "Comparator": "from openshape_ood.comparison import Comparator as Kind",
    "ShapeEncoder": "from openshape_ood import ShapeEncoder as Kind",
}


@pytest.fixture
def in_process(forks: Forks, monkeypatch: pytest.MonkeyPatch) -> Run:
    """What code on `Kind` prints as JSON; the Hub's address is read on import."""

    def ran(kind: str, code: str, env: dict[str, str]) -> Any:
        for name in os.environ:
            monkeypatch.delenv(name)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        catch = (
            "import json\nfrom openshape_ood.errors import OpenShapeError\n"
            "try:\n    {}\nexcept OpenShapeError as error:\n"
        )
        code = f"{LOAD[kind]}\n{catch.format(code)}    print(json.dumps([type(error).__name__, str(error)]))"
        done = forks.run(code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return ran


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_pushed_comes_back(
    kind: str, saved: dict[str, Path], hub: tuple[HubServer, dict[str, str]], in_process: Run
) -> None:
    server, env = hub
    push = f"print(json.dumps(Kind.from_pretrained({str(saved[kind])!r}).push_to_hub('lab/mine', private=True)))"
    assert in_process(kind, push, env).endswith("/lab/mine/commit/0123456789abcdef0123456789abcdef01234567")
    assert server.secret == {"lab/mine"}
    # what stands at the Hub is what stands in the folder
    assert {name.rpartition("/")[2]: content for name, content in server.uploaded.items()} == {
        path.name: path.read_bytes() for path in saved[kind].iterdir()
    }
    identity = json.loads(
        json.dumps(in_process(kind, "print(json.dumps(str(Kind.from_pretrained('lab/mine').identity)))", env))
    )
    assert identity == str(ShapeEncoder.from_pretrained(saved["ShapeEncoder"]).identity)


@pytest.mark.parametrize(
    "code, error, words",
    [
        ("push_to_hub('mine')", "InputError", "repo is 'mine'. Expected owner/name, a repository of the Hub."),
        ("push_to_hub('lab/forbidden')", "ServerError", "The Hub answered with HTTP 403. Run `hf auth login`"),
    ],
)
def test_a_refused_upload_says_what_to_do(
    code: str,
    error: str,
    words: str,
    saved: dict[str, Path],
    hub: tuple[HubServer, dict[str, str]],
    in_process: Run,
) -> None:
    server, env = hub
    found = in_process("KnownClasses", f"Kind.from_pretrained({str(saved['KnownClasses'])!r}).{code}", env)
    assert found[0] == error and words in found[1] and not server.uploaded


@pytest.mark.parametrize(
    "settings, error, words",
    [
        ({"HF_TOKEN": "hf_wrong"}, "ServerError", "HTTP 401. Run `hf auth login`"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "OfflineError", "cannot be reached"),
        ({"HF_HUB_OFFLINE": "1"}, "OfflineError", "HF_HUB_OFFLINE"),
    ],
)
def test_an_upload_without_hub_or_token_says_what_to_do(
    settings: dict[str, str],
    error: str,
    words: str,
    saved: dict[str, Path],
    hub: tuple[HubServer, dict[str, str]],
    in_process: Run,
) -> None:
    code = f"Kind.from_pretrained({str(saved['KnownClasses'])!r}).push_to_hub('lab/mine')"
    found = in_process("KnownClasses", code, hub[1] | settings)
    assert found[0] == error and words in found[1]


@pytest.mark.parametrize(
    "repo, error, words",
    [
        ("lab/gone", "ServerError", "Correct `repo` in the call"),
        ("lab/no-revision", "ServerError", "Correct `revision` in the call"),
        ("lab/sound", "FileError", "cannot read the set of known classes"),  # random bytes
    ],
)
def test_a_download_that_fails_says_what_to_do(
    repo: str, error: str, words: str, hub: tuple[HubServer, dict[str, str]], in_process: Run
) -> None:
    found = in_process("KnownClasses", f"Kind.from_pretrained({repo!r})", hub[1])
    assert found[0] == error and words in found[1]


def test_a_file_of_the_hub_that_is_too_large_is_not_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sharing.hub, "size", lambda wanted: sharing.MOST_BYTES + 1)
    with pytest.raises(WeightsError, match=r"lab/mine/known\.safetensors has 4,294,967,297 bytes\. Expected at most"):
        KnownClasses.from_pretrained("lab/mine")


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name is 'nowhere', and there is no such folder"):
        KnownClasses.from_pretrained("nowhere")
    with pytest.raises(WeightsError, match=r"has no known\.safetensors"):
        KnownClasses.from_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"^unknown checkpoint 'nowhere'"):
        ShapeEncoder.from_pretrained("nowhere")


def test_an_encoder_of_the_registry_is_not_saved_again(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the weights of the registered checkpoint 'tiny'"):
        ShapeEncoder.from_pretrained("tiny").save_pretrained(tmp_path)


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"sizes": {"depth": 65_000}}, "depth"),
    ({"sizes": {"width": 1 << 40}}, "width"),
    ({"architecture": "os.system"}, "'architecture' is 'os.system'"),
    ({"text": "/etc/passwd"}, "text encoder belongs to '/etc/passwd'"),
    ({"text": ["tiny"]}, "no shape encoder, or a damaged one"),
    ({"sha256": "2c8b0eb4d3ce90638c7a365bd330ed910da476fa7746beebf3eb3addf9c6a07f"}, "registered checkpoint 'tiny'"),
    ({"sha256": ""}, "which identify the weights"),
    ({"spec": {"count": 10**12}}, "count"),
    ({"name": None, "sizes": None}, "no shape encoder, or a damaged one"),
]


@pytest.mark.parametrize("change, words", HOSTILE)
def test_a_hostile_header_is_refused(
    change: dict[str, Any], words: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    path = saved["ShapeEncoder"] / "encoder.safetensors"
    with loaded_arrays(path, "shape encoder") as (header, arrays):
        for name, value in change.items():
            header[name] = {**header[name], **value} if isinstance(value, dict) else value
        save_arrays(tmp_path / "encoder.safetensors", arrays, header, "shape encoder")
    with pytest.raises(OpenShapeError) as caught:
        ShapeEncoder.from_pretrained(tmp_path)
    assert words in str(caught.value)


def test_weights_that_do_not_fit_are_refused(saved: dict[str, Path], tmp_path: Path) -> None:
    with loaded_arrays(saved["ShapeEncoder"] / "encoder.safetensors", "shape encoder") as (header, arrays):
        arrays.pop(next(iter(arrays)))
        save_arrays(tmp_path / "encoder.safetensors", arrays, header, "shape encoder")
    with pytest.raises(FileError, match="is no shape encoder, or a damaged one"):
        ShapeEncoder.from_pretrained(tmp_path)
