"""openshape-ood doctor: what is installed, what works offline, what is missing and how to get it."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from openshape_ood import __version__
from openshape_ood.cli import options
from openshape_ood.cli.console import print_json, print_line, shown
from openshape_ood.cli.known_options import KnownOptions
from openshape_ood.cli.options import NOT_HERE, argument, option
from openshape_ood.errors import FileError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.registry import Row

NEEDED = (
    *("torch", "open_clip_torch", "huggingface_hub", "numpy", "scipy", "scikit-learn", "safetensors", "tokenizers"),
    *("trimesh", "pycollada", "pillow", "cyclopts", "rich"),
)
# distribution -> the extra that brings it, what for
EXTRAS = {
    "matplotlib": ("plots", "pictures"),
    "plotly": ("plots", "pictures to turn"),
    "gradio": ("app", "the web page"),
    "pyarrow": ("parquet", "embed to .parquet"),
    "ray": ("ray", "embed on a cluster"),
    "laspy": ("las", "LAS files"),
    "lazrs": ("las", "LAZ files"),
    "scikit-image": ("views", "completed things as surfaces"),
    "imageio": ("views", "films of views"),
    "timm": ("surfaces", "surfaces by networks of timm"),
    "faiss-cpu": ("faiss", "approximate search among many examples"),
}
SETTINGS = (
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_ENDPOINT",
    "OPENSHAPE_OOD_CACHE",
    "OPENSHAPE_OOD_CHECKPOINTS",
    "XDG_CACHE_HOME",
    "CUDA_VISIBLE_DEVICES",
)
NETWORK_SECONDS = 10

EXAMPLES = """
  openshape-ood doctor
  openshape-ood doctor --network
  openshape-ood doctor scans/ --known chair sofa table --model tiny
  openshape-ood doctor --json
"""


@Parameter(name="*")
@dataclass(frozen=True)
class DoctorOptions(KnownOptions):
    """The options of `KnownOptions` that say what is known, by which encoder; nothing is decided."""

    method: Annotated[str | None, NOT_HERE] = None
    threshold: Annotated[str | None, NOT_HERE] = None
    calibrate: Annotated[list[str] | None, NOT_HERE] = None
    calibrate_by: Annotated[Literal["file", "folder"], NOT_HERE] = "file"
    coverage: Annotated[float | None, NOT_HERE] = None
    up: Annotated[str, NOT_HERE] = "file"
    num_samples: Annotated[int, NOT_HERE] = 1
    batch_size: Annotated[int, NOT_HERE] = 32


@options.examples(EXAMPLES)
def doctor(
    files: Annotated[
        list[str] | None,
        argument("Shapes to examine instead: files, folders or patterns in quotes.", "FILES"),
    ] = None,
    /,
    *,
    chosen: DoctorOptions = DoctorOptions(),
    network: Annotated[bool, option(None, "Ask the Hugging Face Hub whether it answers.", None, "--network")] = False,
    json: options.Json = False,
) -> None:
    """Say what is installed, what works offline (tiny always should), what is missing and how to get it.

    With FILES, say what these are like instead: unit, spacing, colors, and with known classes the share of shapes that
    they explain under each axis. Exit code 1 where something is wrong.

    Without --network nothing is asked of the network, except for weights that FILES with known classes need.
    """
    from openshape_ood.cli.doctor_files import examine_files, print_files
    from openshape_ood.cli.inputs import find_shapes

    if files:
        found = find_shapes(files).with_stored_files()
        report = examine_files(found, chosen)
    else:
        report = examine(network)
    if json:
        print_json(report)
    elif files:
        print_files(report, found.failures)
    else:
        _print(report)
    if report["problems"]:
        raise SystemExit(1)


def examine(network: bool) -> dict[str, Any]:
    """The whole report, as --json prints it."""
    report: dict[str, Any] = {
        "versions": {
            "openshape-ood": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
        },
        "needed": {name: _version(name) for name in NEEDED},
        "extras": [
            {"package": name, "extra": extra, "for": purpose, "version": _version(name)}
            for name, (extra, purpose) in EXTRAS.items()
        ],
        "devices": _devices(),
        "settings": {name: os.environ[name] for name in SETTINGS if name in os.environ},
        "caches": [
            {"what": what, "path": str(folder), "bytes": _size(folder), "writable": _writable(folder)}
            for what, folder in _cache_folders().items()
        ],
        "checkpoints": _checkpoints(),
        "self_test": _self_test(),
    }
    if network:
        report["network"] = _network()
    return {**report, "problems": _problems(report)}


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _devices() -> list[str]:
    try:
        import torch
    except ImportError:
        return []
    found = [f"cpu ({torch.get_num_threads()} threads)"]
    if torch.cuda.is_available():
        found += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def _cache_folders() -> dict[str, Path]:
    from openshape_ood.storage import hub_folder, own_folder

    names = {"by address or by hand": "downloads", "stripped encoders": "encoders", "text embeddings": "text"}
    # as the Hub's client has it, which may be missing itself
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    folders = {"downloads": Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub"))}
    with contextlib.suppress(FileError):  # no home folder, which is one of the problems
        folders["downloads"] = hub_folder() or folders["downloads"]
        folders |= {what: own_folder(name) for what, name in names.items()}
    return folders


def _size(folder: Path) -> int:
    """Bytes of the files below, links not followed: the Hub's cache links each file to one copy."""
    total = 0
    for place, _, names in os.walk(folder):  # which passes over a folder that is gone meanwhile
        for path in (Path(place, name) for name in names):
            with contextlib.suppress(OSError):
                total += 0 if path.is_symlink() else path.stat().st_size
    return total


def _writable(folder: Path) -> bool:
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    return there is not None and there.is_dir() and os.access(there, os.W_OK)


def _checkpoints() -> list[dict[str, Any]]:
    from openshape_ood.registry import load_registry

    try:
        rows = [row for row in load_registry().values() if row.kind == "shape"]
    except OpenShapeError as error:
        return [{"name": "registry", "error": str(error)}]
    return [_checkpoint(row) for row in rows]


def _checkpoint(row: Row) -> dict[str, Any]:
    from openshape_ood.cli.checkpoint_files import own_parts, text_part

    try:
        encoder, text = own_parts(row)[0], text_part(row) if row.text.kind else None
    except (OpenShapeError, ImportError) as error:
        return {"name": row.name, "error": str(error)}
    ready = encoder.path is not None and (text is None or text.path is not None)
    get = None if ready else f"openshape-ood checkpoints fetch {row.name}"
    return {
        "name": row.name,
        "encoder": encoder.place,
        "text": text.place if text else "none",
        "works_offline": ready,
        "get": get,
    }


def _self_test() -> dict[str, Any]:
    """A generated chair, embedded by tiny, is nearest to the word chair."""
    try:
        from openshape_ood import score_novelty
        from openshape_ood.synthetic import sample

        result = score_novelty(sample("chair", 2048, seed=1), ["chair", "sofa", "table"], model="tiny", up="y")
        nearest = str(result.nearest[0])
    except Exception as error:  # whatever it is, it is what the doctor was called for
        return {"ok": False, "message": f"{type(error).__name__}: {error}"}
    return {"ok": nearest == "chair", "message": f"tiny takes a generated chair for a {nearest}"}


def _network() -> dict[str, Any]:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    url = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not url.startswith(("http://", "https://")):
        return {"ok": False, "message": f"HF_ENDPOINT is {url}; expected an address that begins with https://"}
    try:
        # http or https, as checked above
        with urlopen(Request(url, method="HEAD"), timeout=NETWORK_SECONDS) as answer:  # noqa: S310
            return {"ok": True, "message": f"{url} answers with HTTP {answer.status}"}
    except HTTPError as error:
        return {"ok": error.code < 500, "message": f"{url} answers with HTTP {error.code}"}
    except (OSError, ValueError) as error:
        return {"ok": False, "message": f"{url} cannot be reached: {getattr(error, 'reason', error)}"}


def _problems(report: dict[str, Any]) -> list[str]:
    """What is wrong, each with what to do; a checkpoint that was never downloaded is no such thing."""
    from openshape_ood.storage import own_folder

    problems = [
        f"{name} is not installed: pip install '{name}', or install openshape-ood again"
        for name, version in report["needed"].items()
        if version is None
    ]
    problems += [
        f"the folder for {cache['what']} cannot be written: {cache['path']}; set OPENSHAPE_OOD_CACHE to another"
        for cache in report["caches"]
        if not cache["writable"]
    ]
    try:
        own_folder("downloads")
    except FileError as error:
        problems.append(str(error))
    problems += [f"{one['name']}: {one['error']}" for one in report["checkpoints"] if "error" in one]
    for check in ("self_test", "network"):
        if check in report and not report[check]["ok"]:
            problems.append(report[check]["message"])
    return problems


def _print(report: dict[str, Any]) -> None:
    versions = [*report["versions"].items(), *((k, v or "missing") for k, v in report["needed"].items())]
    settings = [f"{name}={shown(value)}" for name, value in report["settings"].items()]
    _print_part("Versions", [", ".join(f"{name} {version}" for name, version in versions), sys.executable])
    extras = {}
    for one in report["extras"]:
        how = f"missing: pip install 'openshape-ood[{one['extra']}]'"
        extras[f"{one['package']} {one['version'] or how} ({one['for']})"] = "" if one["version"] else "yellow"
    _print_part("Extras", extras)
    _print_part("Devices", [", ".join(report["devices"]) or "none: torch is missing"])
    _print_part("Settings", [", ".join(settings) or "no variable is set"])
    _print_part("Caches", [f"{one['what']}: {one['path']}, {one['bytes'] / 2**20:.1f} MiB" for one in report["caches"]])
    checkpoints = {}
    for one in report["checkpoints"]:
        encoders = f"{one['encoder']}, text encoder {one['text']}" if "error" not in one else "cannot be used"
        works = "works offline" if one.get("works_offline") else one.get("get") or one["error"]
        checkpoints[f"{one['name']}: {encoders}; {shown(works)}"] = "" if one.get("works_offline") else "yellow"
    _print_part("Checkpoints", checkpoints)
    checks = [report[name] for name in ("self_test", "network") if name in report]
    _print_part("Self-test", {one["message"]: "green" if one["ok"] else "bold red" for one in checks})
    for problem in report["problems"]:
        print_line(f"problem: {problem}", "bold red")
    if not report["problems"]:
        print_line("all well", "green")


def _print_part(title: str, lines: Sequence[str] | Mapping[str, str]) -> None:
    """lines: with a style each, or plain."""
    print_line(title, "bold")
    for line in lines:
        print_line(f"  {line}", lines[line] if isinstance(lines, Mapping) else "")
