"""openshape-ood embed: shapes as vectors, in a file, or many of them in a folder of Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import (
    Failure,
    print_failures,
    print_json,
    print_line,
    print_note,
    progress,
    shown,
)
from openshape_ood.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from openshape_ood.embedding_store.jobs import Cluster, Settings, Summary

EXAMPLES = """
  openshape-ood embed scans/ --out scans.safetensors --model tiny
  openshape-ood embed 'meshes/**/*.glb' --out meshes.parquet --up file
  openshape-ood embed scans/ --out scans.npz --num-samples 8 --json
  openshape-ood embed scans/ --out embedded/          # run it again to go on
  openshape-ood embed list.parquet --out embedded/ --engine ray --address auto
"""
MANY = "Many shapes (--out DIR)"
SHOWN = 20  # failures that are printed of a run into a folder; all are in its table of errors


@options.with_examples(EXAMPLES)
def embed(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES",
            help="Shape files, folders (searched through and through) or patterns in quotes, as 'scans/*.ply'. For "
            "--out DIR also lists: .parquet, .csv or .txt with a column path, and id and up if you like.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR",
            help="Where to: .safetensors, .npz, .parquet, or a folder of Parquet for many shapes; a run into a folder "
            "can be stopped and goes on. Parquet needs pip install 'openshape-ood\\[parquet]'.",
            rich_help_panel=options.RESULT,
        ),
    ],
    model: options.Model = "vitb32",
    checkpoint: options.CheckpointFile = None,
    up: options.Up = "file",
    num_samples: options.Views = 1,
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="local: this process; ray: Ray Data, here or on a cluster (pip install 'openshape-ood\\[ray]').",
            rich_help_panel=MANY,
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="ADDRESS",
            help="Ray cluster: auto, or as ray.init takes it; started here if left out.",
            rich_help_panel=MANY,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            help="Encoders at once, with ray: one a GPU, else one a core, if left out.",
            rich_help_panel=MANY,
        ),
    ] = None,
    cpus: Annotated[
        float, typer.Option("--cpus", min=0.01, help="CPUs of each worker, with ray.", rich_help_panel=MANY)
    ] = 1,
    gpus: Annotated[
        float | None,
        typer.Option("--gpus", min=0, help="GPUs of each worker, with ray: 1 if there are any.", rich_help_panel=MANY),
    ] = None,
    readers: Annotated[
        int | None,
        typer.Option("--readers", min=0, help="Processes that read ahead of each encoder.", rich_help_panel=MANY),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            "--precision", metavar="NAME", help="float32, bfloat16 or float16, of the network.", rich_help_panel=MANY
        ),
    ] = "float32",
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try again what failed in an earlier run into this folder.", rich_help_panel=MANY
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Embed shapes: a unit vector each, with ids, paths and the checkpoint's hash."""
    from openshape_ood.cli.loading import check_up
    from openshape_ood.cli.tables import is_folder

    check_up(up)
    if is_folder(out):
        from openshape_ood.embedding_store.jobs import Cluster, Settings

        weights = None if checkpoint is None else str(checkpoint)
        settings = Settings(model, weights, device, up, seed, num_samples, precision, batch_size, readers)
        cluster = Cluster(address, workers, cpus, gpus) if engine == "ray" else None
        usual = (address, workers, cpus, gpus) == (None, None, 1, None)
        if cluster is None and not usual:
            raise InputError("--address, --workers, --cpus and --gpus are for --engine ray")
        _into_folder(files, out, settings, engine, cluster, retry_failed, json)
        return
    if (engine, address, workers, cpus, gpus, readers, precision, retry_failed) != (
        "local", None, None, 1, None, None, "float32", False,
    ):  # fmt: skip
        raise InputError(f"--out is {out}, a file; the options for many shapes need a folder, as --out embedded/")
    _into_file(files, out, model, checkpoint, up, num_samples, seed, device, batch_size, json)


def _into_file(
    files: list[str],
    out: Path,
    model: str,
    checkpoint: Path | None,
    up: str,
    num_samples: int,
    seed: int,
    device: str | None,
    batch_size: int,
    json: bool,
) -> None:
    from openshape_ood.cli.inputs import find_files
    from openshape_ood.cli.loading import load_encoder
    from openshape_ood.cli.reading import Reading, encode_files, nothing_found, warn_of_axes
    from openshape_ood.cli.tables import Embedded, Failed, check_table

    write = check_table(out)
    found = find_files(files)
    if not found.files and not found.failures:
        raise InputError(nothing_found(files, found.ignored))
    encoder = load_encoder(model, checkpoint, device)
    import numpy as np

    def encode(shapes: list[Any], ups: list[str]) -> Any:
        return encoder.encode(shapes, up=ups, batch_size=batch_size, seed=seed, num_samples=num_samples)

    reading, failures = Reading(encoder.spec.count, up, seed, num_samples, batch_size), found.failures
    with progress("embedding", len(found.files)) as bar:
        results = encode_files(found.files, reading, encode, failures, bar)
        done = [(one.batch.files, one.batch.ups, one.result) for one in results]
    ids = {file.path: file.id for file in found.files}
    table = Embedded(
        ids=[file.id for files, _, _ in done for file in files],
        paths=[file.path for files, _, _ in done for file in files],
        ups=[axis for _, ups, _ in done for axis in ups],
        embeddings=np.concatenate([rows for _, _, rows in done]) if done else np.empty((0, encoder.dim)),
        failed=[Failed(ids.get(one.file, one.file), one.file, one.reason) for one in failures],
        checkpoint=encoder.identity.checkpoint,
        checkpoint_sha256=encoder.identity.sha256,
        seed=seed,
        num_samples=num_samples,
    )
    if table.ids:
        write(table, out)
    counts = {"embedded": len(table.ids), "failed": len(failures), "ignored": found.ignored}
    if json:
        written = str(out) if table.ids else None
        failed = [{"file": one.path, "reason": one.error} for one in table.failed]
        head = {key: value for key, value in table.header().items() if key not in ("shapes", "failed", "format")}
        print_json({"out": written, "dimensions": encoder.dim, "up": up, **head, "failed": failed, "counts": counts})
    elif table.ids:
        note = " (what each file says, else y)" if up == "file" else ""
        print_line(f"{len(table.ids)} embeddings of {encoder.dim} numbers in {shown(out)}")
        print_line(
            f"{encoder.identity.checkpoint}, up {up}{note}: {len(failures)} failed, {found.ignored} other files ignored"
        )
    print_failures(failures)
    warn_of_axes(found.files, up)
    if not table.ids:
        raise typer.Exit(2)
    if failures:
        raise typer.Exit(1)


def _into_folder(
    files: list[str], out: Path, settings: Settings, engine: str, cluster: Cluster | None, retry: bool, json: bool
) -> None:
    from openshape_ood.cli.listing import list_items
    from openshape_ood.cli.reading import nothing_found
    from openshape_ood.embedding_store import check_parquet
    from openshape_ood.embedding_store.jobs import ENGINES, embed

    if engine not in ENGINES:
        raise UnknownNameError(f"unknown engine {engine!r}; known: {', '.join(ENGINES)}")
    settings.check()
    check_parquet()
    listed = list_items(files)
    if not listed.items and not listed.failures:
        raise InputError(nothing_found(files, listed.ignored))
    if not listed.items:
        print_failures(listed.failures)
        raise typer.Exit(2)
    with progress("embedding", len(listed.items)) as bar:

        def step(count: int, process: int) -> None:
            for _ in range(count):
                bar.step()

        done = embed(listed.items, out, settings, engine=engine, cluster=cluster, retry_failed=retry, step=step)
    failures = [*listed.failures, *(Failure(one.path, one.error) for one in done.failed)]
    if json:
        _print_summary(done, settings, engine, failures, listed.ignored)
    else:
        print_line(f"{done.rows} embeddings of {done.origin.dimensions} numbers in {shown(done.out)}")
        print_line(
            f"{done.origin.checkpoint}, up {settings.up}: {done.embedded} embedded now, {done.reused} there already, "
            f"{len(failures)} failed, {listed.ignored} other files ignored"
        )
        if done.skipped:
            print_note(f"{done.skipped} failed in an earlier run; --retry-failed tries them again", "yellow")
    print_failures(failures[:SHOWN])
    if len(failures) > SHOWN:
        print_note(f"and {len(failures) - SHOWN} more, in {shown(out / 'errors')}")
    if not (done.embedded or done.reused):
        raise typer.Exit(2)
    if failures or done.skipped:
        raise typer.Exit(1)


def _print_summary(done: Summary, settings: Settings, engine: str, failures: list[Failure], ignored: int) -> None:
    print_json(
        {
            "out": done.out,
            "engine": engine,
            "dimensions": done.origin.dimensions,
            "checkpoint": done.origin.checkpoint,
            "checkpoint_sha256": done.origin.checkpoint_hash,
            "preprocessing": settings.preprocessing(),
            "failed": [{"file": one.file, "reason": one.reason} for one in failures],
            "counts": {
                "given": done.given,
                "embedded": done.embedded,
                "reused": done.reused,
                "failed": len(failures),
                "skipped": done.skipped,
                "ignored": ignored,
                "rows": done.rows,
                "errors": done.errors,
            },
        }
    )
