"""Scoring of files and stored embeddings with a pipeline: results in batches, and their JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from openshape_ood.cli.console import print_note, progress, shown
from openshape_ood.cli.inputs import File, Inputs
from openshape_ood.embedding_store import read_embeddings, read_header
from openshape_ood.encoders.protocols import Embeddings, Provenance
from openshape_ood.novelty import Failure, NoveltyPipeline, NoveltyResult

STORED_AT_ONCE = 8192  # stored embeddings scored at once


@dataclass(frozen=True)
class Scored:
    """Files and their result. stored: True for stored embeddings."""

    files: list[File]
    result: NoveltyResult
    stored: bool = False


def score_all(pipeline: NoveltyPipeline, inputs: Inputs, failures: list[Failure], label: str) -> Iterator[Scored]:
    """Results of all usable files, then of all stored embeddings, in batches. Other files go to `failures`."""
    files = {file.path: file for file in inputs.files}
    with progress(label, len(files)) as bar:
        for result in pipeline.stream(files, step=bar.step, monitor=False):
            failures += result.failures
            if len(result):
                yield Scored([files[path] for path in result.shapes], result)
    for store in inputs.stores:
        header, ups = read_header(store), set[str]()
        for rows in read_embeddings(store, ("id", "path", "embedding", "up"), STORED_AT_ONCE):
            stored_files = [File(path, id) for path, id in zip(rows["path"], rows["id"], strict=True)]
            embeddings = Embeddings(rows["embedding"], header.identity, rows["path"], header.temperature)
            ups.update(rows["up"])
            yield Scored(stored_files, replace(pipeline(embeddings), up=tuple(rows["up"])), stored=True)
        _note_late(pipeline, store, header.provenance, ups)


def provenance_of(pipeline: NoveltyPipeline, inputs: Inputs) -> Provenance:
    """Provenance of the results. Without files: the provenance of the first stored embeddings."""
    if inputs.files or not inputs.stores:
        return pipeline.provenance
    return replace(read_header(inputs.stores[0]).provenance, method=pipeline.method.name)


def as_json(pipeline: NoveltyPipeline, provenance: Provenance) -> dict[str, Any]:
    """Provenance, known classes and threshold of results for whole shapes."""
    return {
        "provenance": provenance.as_json(),
        "classes": list(pipeline.known.names),
        "threshold": pipeline.threshold and pipeline.threshold.as_json(),
    }


def records(scored: Scored) -> list[dict[str, Any]]:
    """JSON of each shape in a batch."""
    rows = [
        {"file": file.path, "id": file.id, **row}
        for file, row in zip(scored.files, scored.result.records(), strict=True)
    ]
    for row in rows:
        del row["shape"]  # the same as row["file"]
        row["up"] = row.pop("up")
    return rows


def _note_late(pipeline: NoveltyPipeline, store: str, made: Provenance, ups: set[str]) -> None:
    """Print a note on options that have no effect on stored embeddings. ups: up axes of their shapes."""
    options = {
        "up": (pipeline.up, {"file"}, made.up, ups),
        "num-samples": (pipeline.num_samples, {1}, made.num_samples, {made.num_samples}),
    }
    for name, (given, default, made_with, held) in options.items():
        if {given} not in (default, held):
            print_note(
                f"note: --{name} {given} has no effect on the embeddings in {shown(store)}, which were made with "
                f"--{name} {made_with}. To change it, run `openshape-ood embed` again.",
                "yellow",
            )
