"""What a stripped checkpoint is worth: time and memory of a start from the training checkpoint, and from its tensors.

    python -m benchmarks.startup --model vitg14

Makes a checkpoint with made-up weights in the published layout, as if the Hub's client had downloaded it, and starts
from it, each time in a process of its own, in turn: from the checkpoint itself, by the first start that writes the
stripped file, and by a later one from that file. Torch and the library are imported before the clock starts, and the
files are in the system's cache, for they have just been written. A mapped file is read when its tensors are first used,
so that the load alone flatters it: time and peak are shown until the first embedding, too. Peak memory is that above
what was resident before, with pages of mapped files, which other processes share and the system may drop; private are
anonymous pages that are still held after the load (Linux). All embeddings must be equal bit for bit. Times are of one
machine: compare them with each other only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.performance.harness import MIB, apart, in_turns, machine, medians, memory, versions
from benchmarks.report.output import write_json
from openshape_ood.errors import OpenShapeError
from openshape_ood.registry.rows import PACKAGE, Row, find_checkpoint

MODELS = ("tiny", "vitb32", "vitl14", "vitg14")
WAYS = {"before": "from the checkpoint", "first": "first, writes the stripped file", "later": "from the stripped file"}
REPO, FILE, COMMIT = "made-up/checkpoint", "model.pt", "0" * 40
THREADS = 1
# and the units they are shown in
FIGURES = {"seconds": 1, "first_embedding": 1, "peak": MIB, "peak_embedding": MIB, "private": MIB}


def made_up_checkpoint(row: Row) -> dict[str, Any]:
    """What `torch.load` gives: random weights; in files that hold more, Adam's two moments of each and a temperature.

    The moments make two thirds of such a file, as of the published one.
    """
    import torch

    from benchmarks.performance.networks import made_up_weights

    weights = made_up_weights(row).items()
    state = {row.keys.prefix + (k if k.startswith("proj.") else row.keys.body + k): tensor for k, tensor in weights}
    if not row.keys.inside:
        return state
    adam = {
        i: {"step": torch.tensor(1.0), "exp_avg": torch.randn_like(own), "exp_avg_sq": torch.rand_like(own)}
        for i, own in enumerate(state.values())
        if own.is_floating_point()
    }
    scale = {"module.logit_scale": torch.tensor(2.66)}
    return {row.keys.inside: state, "optimizer": {"state": adam, "param_groups": []}, "logit_scale": scale}


def write_download(folder: Path, model: str) -> tuple[Path, Path]:
    """A checkpoint in the Hub's part of a cache in `folder`, and a registry with the row of `model` that points to it.

    `tiny` has the layout of vitg14, as its own file has nothing to strip.
    """
    import torch

    from openshape_ood.registry.files import sha256

    repo = folder / "cache" / "hub" / f"models--{REPO.replace('/', '--')}"
    checkpoint, registry = repo / "snapshots" / COMMIT / FILE, folder / "checkpoints.toml"
    for path in (checkpoint.parent, repo / "refs"):
        path.mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT, encoding="ascii")
    packaged = tomllib.loads((PACKAGE / "checkpoints.toml").read_text(encoding="utf-8"))
    row = packaged[model] | ({"keys": packaged["vitg14"]["keys"]} if model == "tiny" else {})
    for digest in ("0" * 64, ""):  # the file is made from the row, which then learns its hash
        row["source"] = {"sha256": digest or sha256(checkpoint), "repo": REPO, "file": FILE}
        registry.write_text("\n".join(_toml(model, row)) + "\n", encoding="utf-8")
        if digest:
            torch.save(made_up_checkpoint(find_checkpoint(model, registry)), checkpoint)
    return checkpoint, registry


def _toml(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    yield from (f"{json.dumps(key)} = {json.dumps(v)}" for key, v in table.items() if not isinstance(v, dict))
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _toml(f"{name}.{json.dumps(key)}", value)


def start(way: str, name: str, checkpoint: str, registry: str) -> dict[str, Any]:
    """One start, in a process of its own: seconds, peak and private bytes of the load, and those with one cloud, None
    where the system does not say; sha256 of the embedding; size and time of the stripped file there is then."""
    import torch

    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.registry import stripped

    torch.set_num_threads(THREADS)
    kept = stripped.stripped_path(find_checkpoint(name, registry))
    if way == "first" and kept:
        kept.unlink(missing_ok=True)
    before, began = memory(forget=True), time.perf_counter()
    given = checkpoint if way == "before" else None
    encoder = ShapeEncoder.from_pretrained(name, checkpoint=given, registry=registry, device="cpu")
    seconds, after = time.perf_counter() - began, memory()
    points = np.random.RandomState(0).uniform(-0.5, 0.5, (1, encoder.spec.count, 6)).astype(np.float32)
    embedding = encoder.encode_prepared(points)
    embedded, last = time.perf_counter() - began, memory()
    file = kept.stat() if kept and kept.is_file() else None
    return {
        "seconds": seconds,
        "first_embedding": embedded,
        "peak": max(0, after["peak"] - before["resident"]) if before else None,
        "peak_embedding": max(0, last["peak"] - before["resident"]) if before else None,
        "private": after["private"] - before["private"] if "private" in before else None,
        "embedding": hashlib.sha256(embedding.tobytes()).hexdigest(),
        "file": [file.st_size, file.st_mtime_ns] if file else None,
    }


def measure(folder: Path, model: str, repeats: int, progress: bool = False) -> dict[str, Any]:
    """Every way `repeats` times, in turn. Raises `OpenShapeError` where embeddings differ or a start failed."""
    checkpoint, registry = write_download(folder, model)
    # nothing of the caller's own cache or Hub settings
    env = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "OPENSHAPE_"))}
    env |= {"HF_HOME": str(folder / "home"), "OPENSHAPE_OOD_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    given = (model, str(checkpoint), str(registry))
    ways = {way: partial(apart, f"start {title!r}", start, way, *given, env=env) for way, title in WAYS.items()}
    children = in_turns(ways, repeats, model if progress else "")
    runs = {way: [child.found for child in own] for way, own in children.items()}
    check_runs(runs)
    return {
        "model": model,
        "bytes": {"checkpoint": checkpoint.stat().st_size, "stripped": runs["later"][0]["file"][0]},
        "equal_bit_for_bit": True,
        "ways": {way: medians(found, tuple(FIGURES)) for way, found in runs.items()},
        "runs": {way: [{key: one[key] for key in FIGURES} for one in found] for way, found in runs.items()},
    }


def check_runs(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Raises `OpenShapeError` where a start did not do what is compared."""
    if len({one["embedding"] for found in runs.values() for one in found}) != 1:
        raise OpenShapeError("the embeddings of the starts are not equal bit for bit")
    for first, later in zip(runs["first"], runs["later"], strict=True):
        if first["file"] is None or first["file"] != later["file"]:  # written anew, had it not been taken
            raise OpenShapeError("a later start did not take the stripped file that the first one wrote")


def table(ways: Mapping[str, Mapping[str, float | None]]) -> str:
    """Medians, and in brackets what a start from the checkpoint takes as a multiple of them."""

    def cell(value: float | None, base: float | None, unit: int) -> str:
        if value is None or base is None:
            return "–"
        shown = f"{value / unit:.3f}" if unit == 1 else f"{value / unit:.1f}"
        return f"{shown} ({base / value:.1f}×)" if value > 0 else shown

    head = ["start", "load, s", "first embedding, s", "peak of load, MiB", "first embedding, MiB", "private, MiB"]
    rows = [[WAYS[w], *(cell(own[k], ways["before"][k], u) for k, u in FIGURES.items())] for w, own in ways.items()]
    return options.grid(head, rows)


def run(args: argparse.Namespace) -> None:
    options.check(args, repeats=1)
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        found = measure(Path(folder), args.model, args.repeats, args.progress)
    checkpoint, stripped = (f"{held / 1e6:.1f} MB" for held in found["bytes"].values())
    print(f"{args.model}: checkpoint {checkpoint}, stripped {stripped}; medians of {args.repeats}, in brackets how "
          "many times as much the first row takes; embeddings equal bit for bit\n")  # fmt: skip
    print(table(found["ways"]))
    args.out.mkdir(parents=True, exist_ok=True)
    system = versions("torch", "numpy") | {"system": machine()["system"]}
    report = {"benchmark": "startup", "repeats": args.repeats, "threads": THREADS, "versions": system, **found}
    print(f"\n{write_json(args.out / f'startup-{args.model}.json', report)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON: 0 when done, 1 when something was wrong."""
    about = "time and memory of a start with and without a stripped file"
    parser = options.parser("startup", about, repeats=5)
    parser.add_argument("--model", choices=MODELS, default="vitg14", help="whose sizes and layout (default: vitg14)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
