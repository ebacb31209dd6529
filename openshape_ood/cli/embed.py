"""openshape-ood embed: store embeddings of shapes in a file, or in a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    failed_json,
    print_failures,
    print_line,
    print_note,
    progress,
    shown,
    write,
)
from openshape_ood.cli.options import RESULT, argument, option
from openshape_ood.errors import InputError

EXAMPLES = """
  openshape-ood embed scans/ --out scans.safetensors --model tiny
  openshape-ood embed 'meshes/**/*.glb' --out meshes.parquet --up file
  openshape-ood embed scans/ --out scans.npz --num-samples 8 --json
  openshape-ood embed scans/ --out embedded/          # run it again to resume
  openshape-ood embed list.parquet --out embedded/ --shard 0/8   # in parallel with 1/8 to 7/8
  openshape-ood embed list.parquet --out embedded/ --engine ray --address auto
"""
SHARDS = "Many shapes (--out DIR)"
SHOWN = 20  # printed failures of a run into a folder; the table of errors in the folder has all failures


def embed(
    files: Annotated[
        list[str],
        argument(
            "Shape files, folders (searched recursively), patterns in quotes such as 'scans/*.ply', or lists. A list "
            "is a .parquet, .csv or .txt file with a column path, and optionally id and up.",
            "FILES",
        ),
    ],
    /,
    *,
    out: Annotated[
        Path,
        option(
            RESULT,
            "Output: a .safetensors, .npz or .parquet file, or for many shapes a folder of Parquet files. A run into a "
            "folder is resumable. Parquet needs pip install 'openshape-ood\\[parquet]'.",
            "FILE|DIR",
            "--out",
            "-o",
        ),
    ],
    model: options.Model = "vitb32",
    checkpoint: options.CheckpointFile = None,
    up: options.Up = "file",
    num_samples: options.NumSamples = 1,
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    readers: options.Readers = None,
    engine: Annotated[
        str,
        option(
            SHARDS,
            "local: this process. ray: Ray tasks on this machine or on a cluster (pip install 'openshape-ood\\[ray]').",
            "NAME",
        ),
    ] = "local",
    address: Annotated[
        str | None,
        option(SHARDS, "Ray cluster: auto, or an address for ray.init. Default: start Ray on this machine.", "ADDRESS"),
    ] = None,
    workers: Annotated[
        int | None,
        option(SHARDS, "Number of parallel encoders, with ray. Default: one per GPU, else one per core.", min=1),
    ] = None,
    cpus: Annotated[float, option(SHARDS, "CPUs of each worker, with ray.", min=0.01)] = 1,
    gpus: Annotated[
        float | None, option(SHARDS, "GPUs of each worker, with ray. Default: 1 if available.", min=0)
    ] = None,
    precision: Annotated[
        str, option(SHARDS, "Precision of the network: float32, bfloat16 or float16.", "NAME")
    ] = "float32",
    shard: Annotated[
        str | None,
        option(
            SHARDS,
            "Embed only part I of N, counted from 0. Use it in N independent processes, such as a Slurm array.",
            "I/N",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, option(SHARDS, "Retry the shapes that failed in earlier runs into this folder.", None, "--retry-failed")
    ] = False,
    json: options.Json = False,
) -> None:
    """Embed shapes: store unit vectors with ids, paths and the checkpoint's hash."""
    from openshape_ood.cli.axes import warn_of_axes
    from openshape_ood.cli.inputs import File, each_once, list_items, named_ignored, nothing_found
    from openshape_ood.embedding_store.files import is_folder
    from openshape_ood.embedding_store.jobs import Cluster, Settings, Share
    from openshape_ood.embedding_store.jobs import embed as run
    from openshape_ood.embedding_store.schema import text
    from openshape_ood.shapes.batches import MANY

    cluster, folder = Cluster(address, workers, cpus, gpus), is_folder(out)
    if engine != "ray" and cluster != Cluster():
        raise InputError(
            f"--address, --workers, --cpus or --gpus was given with --engine {engine}. Expected --engine ray. Give it, "
            "or leave these options out."
        )
    share = None if shard is None else Share.parse(shard)
    listed = list_items(files)
    count = listed.count()
    if not count and not listed.failures:
        raise InputError(nothing_found(files, listed.ignored))
    if not count:
        print_failures(listed.failures)
        raise InputError("there is no shape to embed. Expected at least one readable input. See the failures above.")
    if not folder:
        listed.items = each_once(listed.items)
        readers = 1 if readers is None and count <= MANY else readers
    weights = None if checkpoint is None else str(checkpoint)
    settings = Settings(model, weights, device, up, seed, num_samples, precision, batch_size, readers)
    with progress("embedding", count // (share.count if share else 1)) as bar:

        def step(count: int, process: int) -> None:
            for _ in range(count):
                bar.step()

        how: dict[str, Any] = {"engine": engine, "cluster": cluster, "shard": share, "retry_failed": retry_failed}
        done = run(listed.items, out, settings, step=step, **how)
    failures = [*listed.failures, *(Failure(one.path, one.error) for one in done.failed)]
    names = ("given", "embedded", "reused", "changed", "skipped", "rows", "errors")
    counts = {name: getattr(done, name) for name in names}
    header = done.header
    record: dict[str, Any] = {
        **{"out": done.out if done.rows else None, "engine": engine, "shard": shard, "dim": header.dim},
        **{"provenance": header.provenance.as_json(), "failed": failed_json(failures)},
        "counts": {**counts, "failed": len(failures), "ignored": len(listed.ignored)},
    }

    def show() -> None:
        if done.rows:
            note = " (stated by each file, else y)" if up == "file" else ""
            print_line(f"{done.rows} embeddings of {header.dim} numbers in {shown(done.out)}")
            print_line(
                f"{header.identity.checkpoint}, up {up}{note}: {done.embedded} embedded now, {done.reused} embedded "
                f"before, {len(failures)} failed, {len(listed.ignored)} ignored"
            )

    write(record, json, show)
    if done.changed:
        print_note(f"{done.changed} files had changed since they were embedded, and were embedded again", "yellow")
    if done.skipped:
        print_note(f"{done.skipped} failed in an earlier run; --retry-failed retries them", "yellow")
    most = SHOWN if folder else len(failures)
    print_failures(failures[:most])
    if len(failures) > most:
        print_note(f"and {len(failures) - most} more, in {shown(out / 'errors')}")
    named_ignored(listed.ignored)
    if not folder:
        bad = {one.id for one in done.failed}
        warn_of_axes([File(item.path, item.id) for item in listed.items if text(item.id) not in bad], up)
    if done.given and not (done.embedded or done.reused):
        raise SystemExit(2)
    if failures or done.skipped:
        raise SystemExit(1)


app = options.single(embed, EXAMPLES)
