"""openshape-ood doctor: report on the installation, or on the up axis, unit, spacing and colors of files."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from openshape_ood import __version__
from openshape_ood.cli import options
from openshape_ood.cli.console import failed_json, print_failures, print_line, print_table, progress, shown, write
from openshape_ood.cli.known_options import KnownOptions
from openshape_ood.cli.options import NOT_HERE, argument, option
from openshape_ood.errors import FileError, OpenShapeError

if TYPE_CHECKING:
    from openshape_ood.cli.console import Failure
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.novelty.up_axis import UpAxis
    from openshape_ood.registry import Row
    from openshape_ood.shapes.batches import Batch

NEEDED = (
    *("torch", "open_clip_torch", "huggingface_hub", "numpy", "scipy", "scikit-learn", "safetensors", "tokenizers"),
    *("trimesh", "pycollada", "pillow", "cyclopts", "rich"),
)
# distribution -> extra that installs it, and its purpose
EXTRAS = {
    "matplotlib": ("plots", "pictures"),
    "plotly": ("plots", "interactive pictures"),
    "gradio": ("app", "the web page"),
    "pyarrow": ("parquet", "embed to .parquet"),
    "ray": ("ray", "embed on a cluster"),
    "laspy": ("las", "LAS files"),
    "lazrs": ("las", "LAZ files"),
    "scikit-image": ("views", "completed objects as meshes"),
    "imageio": ("views", "films of views"),
    "timm": ("surfaces", "surface features by networks of timm"),
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
POINTS = 10_000  # sampled points of a mesh, without an encoder
COLUMNS = ("file", "points", "size", "spacing", "colors", "up", "looks wrong")
NAMED = 3  # files listed for a problem
UNLIKE = 30  # ratio of lengths above which the units probably differ

EXAMPLES = """
  openshape-ood doctor
  openshape-ood doctor --network
  openshape-ood doctor scans/ --known chair sofa table --model tiny
  openshape-ood doctor --json
"""


@Parameter(name="*")
@dataclass(frozen=True)
class DoctorOptions(KnownOptions):
    """Options of `KnownOptions` for known classes and encoder. Options of the decision are hidden."""

    method: Annotated[str | None, NOT_HERE] = None
    threshold: Annotated[str | None, NOT_HERE] = None
    calibrate: Annotated[list[str] | None, NOT_HERE] = None
    calibrate_by: Annotated[Literal["file", "folder"], NOT_HERE] = "file"
    coverage: Annotated[float | None, NOT_HERE] = None
    unsure: Annotated[list[float] | None, NOT_HERE] = None
    calibrate_novel: Annotated[list[str] | None, NOT_HERE] = None
    up: Annotated[str, NOT_HERE] = "file"
    num_samples: Annotated[int, NOT_HERE] = 1
    batch_size: Annotated[int, NOT_HERE] = 32


def doctor(
    files: Annotated[
        list[str] | None,
        argument("Shapes to report on instead of the installation: files, folders or patterns in quotes.", "FILES"),
    ] = None,
    /,
    *,
    chosen: DoctorOptions = DoctorOptions(),
    network: Annotated[bool, option(None, "Test the connection to the Hugging Face Hub.", None, "--network")] = False,
    json: options.Json = False,
) -> None:
    """Report on the installation: packages, encoders that work offline, missing parts and how to get them.

    With FILES, report on the files instead: unit, spacing and colors. With FILES and known classes, also report the
    fraction of files classified as known for each up axis. The exit code is 1 if a problem is found.

    Without --network, the network is used only to fetch an encoder for known classes.
    """
    from openshape_ood.cli.inputs import find_shapes

    if files:
        inputs = find_shapes(files).with_stored_files()
        report = examine_files(inputs, chosen)
        write(report, json, lambda: _print_files(report, inputs.failures))
    else:
        report = examine(network)
        write(report, json, lambda: _print(report))
    if report["problems"]:
        raise SystemExit(1)


app = options.single(doctor, EXAMPLES)


def examine(network: bool) -> dict[str, Any]:
    """Report on this installation, in the form of --json."""
    versions = {"openshape-ood": __version__, "python": platform.python_version(), "platform": platform.platform()}
    report: dict[str, Any] = {
        "versions": versions,
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
    devices = [f"cpu ({torch.get_num_threads()} threads)"]
    if torch.cuda.is_available():
        devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return devices


def _cache_folders() -> dict[str, Path]:
    from openshape_ood.storage import hub_folder, own_folder

    names = {"downloads by address or by hand": "downloads", "stripped encoders": "encoders", "text embeddings": "text"}
    # the same folder as in huggingface_hub, which may not be installed
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    folders = {"downloads": Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub"))}
    with contextlib.suppress(FileError):  # no home folder; `_problems` reports it
        folders["downloads"] = hub_folder() or folders["downloads"]
        folders |= {what: own_folder(name) for what, name in names.items()}
    return folders


def _size(folder: Path) -> int:
    """Bytes of the files in a folder and its subfolders. Links do not count: the Hub's cache links to one copy."""
    total = 0
    for place, _, names in os.walk(folder):  # a folder that is removed meanwhile is skipped
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
    from openshape_ood.cli.checkpoints import own_parts, text_part

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
    """Test that tiny finds a generated chair nearest to the name "chair"."""
    try:
        from openshape_ood import score_novelty
        from openshape_ood.synthetic import sample

        result = score_novelty(sample("chair", 2048, seed=1), ["chair", "sofa", "table"], model="tiny", up="y")
        nearest = str(result.nearest[0])
    except Exception as error:  # any error is a result of the test
        return {"ok": False, "message": f"{type(error).__name__}: {error}"}
    return {"ok": nearest == "chair", "message": f"tiny classifies a generated chair as a {nearest}"}


def _network() -> dict[str, Any]:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    url = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not url.startswith(("http://", "https://")):
        return {
            "ok": False,
            "message": f"HF_ENDPOINT is {url}. Expected an address that begins with https://. Change the variable.",
        }
    try:
        # the scheme was checked above
        with urlopen(Request(url, method="HEAD"), timeout=NETWORK_SECONDS) as answer:  # noqa: S310
            return {"ok": True, "message": f"{url} answers with HTTP {answer.status}"}
    except HTTPError as error:
        return {"ok": error.code < 500, "message": f"{url} answers with HTTP {error.code}"}
    except (OSError, ValueError) as error:
        return {"ok": False, "message": f"{url} cannot be reached: {getattr(error, 'reason', error)}"}


def _problems(report: dict[str, Any]) -> list[str]:
    """Problems, each with a remedy. A checkpoint that was not downloaded is no problem."""
    from openshape_ood.storage import own_folder

    problems = [
        f"{name} is not installed: pip install '{name}', or install openshape-ood again"
        for name, version in report["needed"].items()
        if version is None
    ]
    problems += [
        f"the folder for {cache['what']} is not writable: {cache['path']}; set OPENSHAPE_OOD_CACHE to another folder"
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
    """Print a title and indented lines. lines: texts, or text -> style."""
    print_line(title, "bold")
    for line in lines:
        print_line(f"  {line}", lines[line] if isinstance(lines, Mapping) else "")


def examine_files(inputs: Inputs, chosen: DoctorOptions) -> dict[str, Any]:
    """Report on shape files, in the form of --json. Its up axis is None without known classes."""
    from openshape_ood.shapes.batches import Reading, in_batches
    from openshape_ood.shapes.reading import stated_up
    from openshape_ood.shapes.shape import Shape
    from openshape_ood.shapes.statistics import CloudFacts, likely_unit

    known = chosen.known or chosen.examples or chosen.known_file
    pipeline = chosen.pipeline(inputs, decide=False) if known else None
    reading = Reading(POINTS, "y", chosen.seed, readers=chosen.readers) if pipeline is None else pipeline.reading
    failures, rows = inputs.failures, list[dict[str, Any]]()

    def facts_of(batch: Batch) -> list[CloudFacts]:
        return [CloudFacts.of(cloud) for cloud in batch.shapes]

    with progress("examining", len(inputs.files)) as bar:
        shapes = [Shape(file.path, file.path) for file in inputs.files]
        for batch in in_batches(shapes, replace(reading, up="y", num_samples=1), facts_of, bar.step):
            failures += batch.failures
            for shape, facts in zip(batch.given, batch.result or (), strict=True):
                about = {"up": stated_up(shape.name), "surface": shape.is_surface}
                rows.append({"file": shape.name, **about, **asdict(facts), "length": facts.length})
    read = {row["file"] for row in rows}
    up_axis = None
    if pipeline is not None:
        up_axis = pipeline.find_axis([file.path for file in inputs.files if file.path in read])
    lengths = [row["length"] for row in rows]
    return {
        "files": rows,
        "unit": likely_unit(lengths) if lengths else None,
        "up_axis": up_axis and up_axis.as_json(),
        "said_of_axis": _axis_sentence(up_axis, rows),
        "failed": failed_json(failures),
        "problems": _problems_of_files(rows, up_axis, failures),
    }


def _axis_sentence(up_axis: UpAxis | None, rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "no file can be read"
    if up_axis is not None:
        return str(up_axis)
    silent = sum(row["up"] is None for row in rows)
    if silent:
        return f"{silent} of {len(rows)} files do not state their up axis; it can be found with --known or --examples"
    return "every file states its up axis"


def _problems_of_files(
    rows: Sequence[dict[str, Any]], up_axis: UpAxis | None, failures: Sequence[Failure]
) -> list[str]:
    """Problems of shape files, each with a remedy."""
    problems = []
    if up_axis is not None and up_axis.axis not in ("y", None):
        problems.append(f"files without a stated axis are read with y up, but {up_axis}: give --up {up_axis.axis}")
    named = defaultdict(list)
    for row in rows:
        for remark in row["remarks"]:
            named[remark].append(row["file"])
    for remark, files in named.items():
        more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
        problems.append(f"{remark}: {', '.join(files[:NAMED])}{more}")
    lengths = sorted((row["length"], row["file"]) for row in rows)
    if lengths and lengths[-1][0] > UNLIKE * lengths[0][0] > 0:
        (least, small), (most, large) = lengths[0], lengths[-1]
        times = f"{most / least:,.0f} times as long as"
        problems.append(f"units may differ: {large} is {times} {small}. Scores ignore size; check the units.")
    colored = sum(row["colors"] is not None for row in rows)
    if 0 < colored < len(rows):
        problems.append(f"only {colored} of {len(rows)} files have color; the others are read as gray")
    if failures:
        problems.append("1 file cannot be read" if len(failures) == 1 else f"{len(failures)} files cannot be read")
    return problems


def _print_files(report: dict[str, Any], failures: Sequence[Failure]) -> None:
    rows = [_cells(row) for row in report["files"]]
    if rows:
        print_table(rows, COLUMNS, fold="file")
        print_line(f"unit: {report['unit']}, if the shapes are objects in a room; scores do not depend on it")
    print_line(f"axis: {report['said_of_axis']}")
    if report["up_axis"]:
        kept, novelty = report["up_axis"]["kept"], report["up_axis"]["novelty"]
        shares = [{"up": a, "kept": f"{100 * kept[a]:.0f} %", "mean novelty": novelty[a]} for a in kept]
        print_table(shares, ("up", "kept", "mean novelty"))
    print_failures(failures)
    for problem in report["problems"]:
        print_line(f"looks wrong: {shown(problem)}", "bold red")
    if not report["problems"]:
        print_line("nothing looks wrong", "green")


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    size, colors = " x ".join(f"{side:.3g}" for side in row["size"]), row["colors"]
    return {
        "file": row["file"],
        "points": "surface" if row["surface"] else row["points"],
        "size": size,
        "spacing": None if row["surface"] else f"{row['spacing']:.2g}",
        "colors": "none" if colors is None else f"{colors[0]:.2f} to {colors[1]:.2f}",
        "up": row["up"] or "not stated",
        "looks wrong": "; ".join(row["remarks"]),
    }
