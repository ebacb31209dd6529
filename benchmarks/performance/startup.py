"""What a stripped checkpoint is worth: time and memory of a start from the training checkpoint, and from its tensors.

    python -m benchmarks.startup --model vitg14

Makes a checkpoint with made-up weights in the published layout, as if the Hub's client had downloaded it, and starts
from it, each time in a process of its own, in turn: from the checkpoint as before there were stripped files, by the
first start that writes the stripped file, and by a later one from that file. Torch and the library are imported before
the clock starts, and the files are in the system's cache, for they have just been written. A mapped file is read when
its tensors are first used, so that the load alone flatters it: time and peak are shown until the first embedding, too.
Peak memory is that above what was resident before, with pages of mapped files, which other processes share and the
system may drop; private are anonymous pages that are still held after the load (Linux). All embeddings must be equal
bit for bit. Times are of one machine: compare them with each other only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.report.output import write_json
from openshape_ood.errors import InputError, OpenShapeError
from openshape_ood.registry.rows import Row, Source, find_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from openshape_ood.encoders.shape_encoder import ShapeEncoder

MODELS = ("tiny", "vitb32", "vitl14", "vitg14")
WAYS = {"before": "from the checkpoint", "first": "first, writes the stripped file", "later": "from the stripped file"}
REPO, FILE, COMMIT = "made-up/checkpoint", "model.pt", "0" * 40
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
THREADS = 1
MIB = 1 << 20
FIGURES = {
    "seconds": 1,
    "first_embedding": 1,
    "peak": MIB,
    "peak_embedding": MIB,
    "private": MIB,
}  # and the units they are shown in
PROGRAM = "import sys; from benchmarks.performance.startup import start; start(*sys.argv[1:])"


def made_up_row(model: str) -> Row:
    """The row of `model` with a file of our own; `tiny` in the layout of vitg14, as its own file has nothing to strip.

    Its sha256 is still to be filled in.
    """
    row = find_checkpoint(model)
    keys = find_checkpoint("vitg14").keys if model == "tiny" else row.keys
    return replace(row, source=Source("0" * 64, repo=REPO, file=FILE), keys=keys)


def made_up_checkpoint(row: Row) -> dict[str, Any]:
    """What `torch.load` gives: random weights; in files that hold more, Adam's two moments of each and a temperature.

    The moments make two thirds of such a file, as of the published one.
    """
    import torch

    from openshape_ood.encoders.pointbert.network import PointBERT

    torch.manual_seed(0)
    state = {_published(key, row): tensor for key, tensor in PointBERT(row.sizes).state_dict().items()}
    if not row.keys.inside:
        return state
    moments = {i: _moments(tensor) for i, tensor in enumerate(state.values()) if tensor.is_floating_point()}
    return {
        row.keys.inside: state,
        "optimizer": {"state": moments, "param_groups": []},
        "logit_scale": {"module.logit_scale": torch.tensor(2.66)},
    }


def _published(key: str, row: Row) -> str:
    return row.keys.prefix + (key if key.startswith("proj.") else row.keys.body + key)


def _moments(tensor: Tensor) -> dict[str, Tensor]:
    import torch

    return {"step": torch.tensor(1.0), "exp_avg": torch.randn_like(tensor), "exp_avg_sq": torch.rand_like(tensor)}


def write_download(folder: Path, row: Row) -> Path:
    """The checkpoint, in the Hub's part of a cache in `folder`; gives a registry with `row` alone that points to it."""
    import torch

    from openshape_ood.registry.files import sha256

    repo = folder / "cache" / "hub" / f"models--{REPO.replace('/', '--')}"
    snapshot = repo / "snapshots" / COMMIT
    for path in (repo / "refs", snapshot):
        path.mkdir(parents=True)
    (repo / "refs" / row.source.revision).write_text(COMMIT, encoding="ascii")
    torch.save(made_up_checkpoint(row), snapshot / FILE)
    registry = folder / "checkpoints.toml"
    source = replace(row.source, sha256=sha256(snapshot / FILE))
    registry.write_text(_toml(replace(row, source=source)), encoding="utf-8")
    return registry


def _toml(row: Row) -> str:
    content = {key: value for key, value in asdict(row).items() if key not in ("name", "folder")}
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    lines = [f"[{row.name}]", *(f"{key} = {json.dumps(value)}" for key, value in content.items() if key not in tables)]
    for name, table in tables.items():
        lines += [f"[{row.name}.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def start(way: str, name: str, registry: str) -> None:
    """One start, in a process of its own; prints as JSON what it took and gave.

    seconds: of the load; first_embedding: of the load and one cloud; peak, peak_embedding: bytes, likewise; private:
    bytes of the load; None where the system does not say; embedding: sha256 of it; file: size and time of the stripped
    one that there is then.
    """
    import torch

    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.registry import stripped

    torch.set_num_threads(THREADS)
    row = find_checkpoint(name, registry)
    kept = stripped.stripped_path(row)
    if way == "first" and kept:
        kept.unlink(missing_ok=True)
    points = np.random.RandomState(0).uniform(-0.5, 0.5, (1, row.spec.count, 6)).astype(np.float32)
    before = _memory(forget=True)
    began = time.perf_counter()
    if way == "before":
        encoder = from_the_checkpoint(name, registry)
    else:
        encoder = ShapeEncoder.from_pretrained(name, registry=registry, device="cpu")
    seconds = time.perf_counter() - began
    after = _memory()
    embedding = encoder.encode_prepared(points)
    found = {
        "seconds": seconds,
        "first_embedding": time.perf_counter() - began,
        "peak": _risen(before, after),
        "peak_embedding": _risen(before, _memory()),
        "private": after["private"] - before["private"] if "private" in after else None,
        "embedding": hashlib.sha256(embedding.tobytes()).hexdigest(),
        "file": [kept.stat().st_size, kept.stat().st_mtime_ns] if kept and kept.is_file() else None,
    }
    print(json.dumps(found))


def from_the_checkpoint(name: str, registry: str) -> ShapeEncoder:
    """As every start was: the file hashed, a network with random weights, and the right ones copied into it."""
    import torch

    from openshape_ood.encoders.grouping.samplers import find_grouping
    from openshape_ood.encoders.pointbert.network import PointBERT
    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.registry.files import fetch
    from openshape_ood.registry.weights import read_temperature, read_weights

    row, device = find_checkpoint(name, registry), torch.device("cpu")
    path = fetch(row)
    network = PointBERT(row.sizes, find_grouping("auto", device))
    network.load_state_dict(read_weights(path, row.keys, name))  # strict; into the tensors that are there
    return ShapeEncoder(row, network, row.source.sha256, device, read_temperature(path, row.keys, name))


def _memory(forget: bool = False) -> dict[str, int]:
    """Bytes of this process: "resident", the "peak" of it, and "private", of which Linux alone tells.

    forget: the peak so far, where the system allows it.
    """
    if not STATUS.exists():
        return _most_so_far()
    if forget:
        _forget_peak()
    names = {"VmHWM:": "peak", "VmRSS:": "resident", "RssAnon:": "private"}
    lines = [line.split() for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines() if line]
    return {names[line[0]]: int(line[1]) * 1024 for line in lines if line[0] in names}


def _risen(before: Mapping[str, int], after: Mapping[str, int]) -> int | None:
    return max(0, after["peak"] - before["resident"]) if "peak" in after else None


def _most_so_far() -> dict[str, int]:
    """The peak alone; that before a load stands in for what was resident then."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"peak": peak, "resident": peak}


def _forget_peak() -> None:
    try:
        FORGET.write_text("5", encoding="ascii")
    except OSError:  # not allowed in some containers: the peak of the imports then stays
        return


def measure(folder: Path, model: str, repeats: int, quiet: bool = True) -> dict[str, Any]:
    """Every way `repeats` times, in turn. Raises `OpenShapeError` where embeddings differ or a start failed."""
    row = made_up_row(model)
    registry = write_download(folder, row)
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for i in range(repeats):
        if not quiet:
            print(f"{model}: {i + 1} of {repeats}", file=sys.stderr)
        for way in WAYS:
            runs[way].append(_start(way, model, registry))
    _check_runs(runs)
    (checkpoint,) = folder.glob(f"cache/hub/*/snapshots/*/{FILE}")
    return {
        "model": model,
        "bytes": {"checkpoint": checkpoint.stat().st_size, "stripped": runs["later"][0]["file"][0]},
        "equal_bit_for_bit": True,
        "ways": {way: _middle(found) for way, found in runs.items()},
        "runs": {way: [{key: one[key] for key in FIGURES} for one in found] for way, found in runs.items()},
    }


def _start(way: str, model: str, registry: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, way, model, str(registry)]
    done = subprocess.run(  # noqa: S603 our own program
        command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=_environment(registry), check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise OpenShapeError(f"start {WAYS[way]!r}: {said[-1] if said else f'exit status {done.returncode}'}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _environment(registry: Path) -> dict[str, str]:
    """Nothing of the caller's own cache or Hub settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "OPENSHAPE_"))}
    folders = {"HF_HOME": str(registry.parent / "home"), "OPENSHAPE_OOD_CACHE": str(registry.parent / "cache")}
    return {**kept, **folders, "HF_HUB_OFFLINE": "1"}


def _check_runs(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    if len({one["embedding"] for found in runs.values() for one in found}) != 1:
        raise OpenShapeError("the embeddings of the starts are not equal bit for bit")
    for first, later in zip(runs["first"], runs["later"], strict=True):
        if first["file"] is None or first["file"] != later["file"]:  # written anew, had it not been taken
            raise OpenShapeError("a later start did not take the stripped file that the first one wrote")


def _middle(found: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Medians; None of what the system does not say."""
    columns = {key: [one[key] for one in found] for key in FIGURES}
    middle = {key: None if None in column else median(column) for key, column in columns.items()}
    return middle | {"fastest": min(columns["seconds"]), "slowest": max(columns["seconds"])}


def table(found: Mapping[str, Any]) -> str:
    """Markdown: medians, and in brackets what a start from the checkpoint takes as a multiple of them."""
    titles = ("start", "load, s", "first embedding, s", "peak of load, MiB", "first embedding, MiB", "private, MiB")
    lines = [f"| {' | '.join(titles)} |", f"|---|{'---:|' * len(FIGURES)}"]
    base = found["ways"]["before"]
    for way, title in WAYS.items():
        own = found["ways"][way]
        cells = [_cell(own[key], base[key], unit) for key, unit in FIGURES.items()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float | None, base: float | None, unit: int) -> str:
    if value is None or base is None:
        return "–"
    shown = f"{value / unit:.3f}" if unit == 1 else f"{value / unit:.1f}"
    return f"{shown} ({base / value:.1f}×)" if value > 0 else shown


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON: 0 when done, 1 when something was wrong."""
    args = _parser().parse_args(argv)
    try:
        if args.repeats < 1:
            raise InputError(f"--repeats is {args.repeats}; expected 1 or more")
        with tempfile.TemporaryDirectory(prefix="startup-") as folder:
            found = measure(Path(folder), args.model, args.repeats, args.quiet)
        sizes = found["bytes"]
        checkpoint, stripped = (f"{sizes[key] / 1e6:.1f} MB" for key in ("checkpoint", "stripped"))
        print(f"{args.model}: checkpoint {checkpoint}, stripped {stripped}; medians of {args.repeats}, in brackets how "
              "many times as much the first row takes; embeddings equal bit for bit\n")  # fmt: skip
        print(table(found))
        args.out.mkdir(parents=True, exist_ok=True)
        report = {"benchmark": "startup", "repeats": args.repeats, "threads": THREADS, "versions": _versions(), **found}
        print(f"\n{write_json(args.out / f'startup-{args.model}.json', report)}")
    except OpenShapeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _versions() -> dict[str, str]:
    import torch

    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
            "system": platform.system()}  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup",
        description="Time and memory of a start with and without a stripped file.",
    )
    parser.add_argument("--model", choices=MODELS, default="vitg14", help="whose sizes and layout (default: vitg14)")
    parser.add_argument("--repeats", type=int, default=5, help="medians are of so many (default: 5)")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the JSON (default: results)")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
