"""openshape-ood embed: shapes as vectors, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import print_failures, print_json, print_line, progress, shown
from openshape_ood.errors import InputError

EXAMPLES = """
  openshape-ood embed scans/ --out scans.safetensors --model tiny
  openshape-ood embed 'meshes/**/*.glb' --out meshes.parquet --up file
  openshape-ood embed scans/ --out scans.npz --views 8 --json
"""


@options.with_examples(EXAMPLES)
def embed(
    files: options.Files,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Where to: .safetensors, .npz, or .parquet (needs pip install 'openshape-ood\\[parquet]').",
            rich_help_panel=options.RESULT,
        ),
    ],
    model: options.Model = "vitb32",
    checkpoint: options.CheckpointFile = None,
    up: options.Up = "file",
    views: options.Views = 1,
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    json: options.Json = False,
) -> None:
    """Embed shapes: a unit vector each, with ids, paths and the checkpoint's hash."""
    from openshape_ood.cli.inputs import find_files
    from openshape_ood.cli.loading import check_up, load_encoder
    from openshape_ood.cli.reading import Reading, encode_files, nothing_found, warn_of_axes
    from openshape_ood.cli.tables import Embedded, Failed, check_table

    write = check_table(out)
    check_up(up)
    found = find_files(files)
    if not found.files and not found.failures:
        raise InputError(nothing_found(files, found.ignored))
    encoder = load_encoder(model, checkpoint, device)
    import numpy as np

    def encode(shapes: list[Any], ups: list[str]) -> Any:
        return encoder.encode(shapes, ups, batch_size, seed=seed, views=views)

    reading, failures = Reading(encoder.num_points, up, seed, views, batch_size), found.failures
    with progress("embedding", len(found.files)) as bar:
        results = encode_files(found.files, reading, encode, failures, bar)
        done = [(one.batch.files, one.batch.ups, one.result) for one in results]
    ids = {file.path: file.id for file in found.files}
    table = Embedded(
        ids=[file.id for files, _, _ in done for file in files],
        paths=[file.path for files, _, _ in done for file in files],
        ups=[axis for _, ups, _ in done for axis in ups],
        embeddings=np.concatenate([rows for _, _, rows in done]) if done else np.empty((0, encoder.embedding_dim)),
        failed=[Failed(ids.get(one.file, one.file), one.file, one.reason) for one in failures],
        checkpoint=encoder.name,
        checkpoint_sha256=encoder.checkpoint_hash,
        seed=seed,
        views=views,
    )
    if table.ids:
        write(table, out)
    counts = {"embedded": len(table.ids), "failed": len(failures), "ignored": found.ignored}
    if json:
        written = str(out) if table.ids else None
        failed = [{"file": one.path, "reason": one.error} for one in table.failed]
        head = {key: value for key, value in table.header().items() if key not in ("shapes", "failed", "format")}
        print_json(
            {"out": written, "dimensions": encoder.embedding_dim, "up": up, **head, "failed": failed, "counts": counts}
        )
    elif table.ids:
        note = " (what each file says, else y)" if up == "file" else ""
        print_line(f"{len(table.ids)} embeddings of {encoder.embedding_dim} numbers in {shown(out)}")
        print_line(f"{encoder.name}, up {up}{note}: {len(failures)} failed, {found.ignored} other files ignored")
    print_failures(failures)
    warn_of_axes(found.files, up)
    if not table.ids:
        raise typer.Exit(2)
    if failures:
        raise typer.Exit(1)
