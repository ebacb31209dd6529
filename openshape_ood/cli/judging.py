"""Known classes and how rows are compared with them: files and stored embeddings in, novelty results out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from openshape_ood import __version__
from openshape_ood.cli.axes import settled
from openshape_ood.cli.batches import Batch, Reading, encode_files
from openshape_ood.cli.console import Failure, print_note, progress, shown
from openshape_ood.cli.encoders import Encoders
from openshape_ood.cli.inputs import File, Found
from openshape_ood.embedding_store import Header, read_embeddings, read_header
from openshape_ood.encoders.protocols import Embeddings, Provenance
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import score_novelty
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.scoring import Method

if TYPE_CHECKING:
    from openshape_ood.decisions.threshold import Threshold
    from openshape_ood.novelty.up_axis import UpAxis

STORED_AT_ONCE = 8192  # rows of stored embeddings


@dataclass(frozen=True)
class Judge:
    """Called with shapes, or with `Embeddings`, and their axes it gives their `NoveltyResult`."""

    classes: KnownClasses
    method: Method
    encoders: Encoders
    reading: Reading
    stored: tuple[Header, ...] = ()  # of embeddings; where there are no files, the figures come from these
    threshold: Threshold | None = None
    up_axis: UpAxis | None = None  # what --up auto found

    def with_axis(self, files: Sequence[File]) -> Judge:
        """The same with the axis that --up auto finds for the files."""
        reading, found = settled(self.reading, files, self.classes, self.encoders)
        return replace(self, reading=reading, up_axis=found)

    def asking(self, found: Found) -> Judge:
        """The same, told what it will be asked about."""
        if found.files or not found.stores:
            return self
        headers = tuple(map(read_header, found.stores))
        for header in headers:
            self.classes.check_fits(header.identity)
        return replace(self, stored=headers, classes=self.classes.with_temperature(headers[0].temperature))

    def as_json(self) -> dict[str, Any]:
        """What made the figures of whole shapes, with what is known."""
        return {
            "provenance": self.provenance.as_json(),
            "classes": list(self.classes.names),
            "threshold": self.threshold and self.threshold.as_json(),
        }

    @property
    def provenance(self) -> Provenance:
        if self.stored:
            return replace(self.stored[0].provenance, method=self.method.name)
        own, identity = self.reading, self.classes.identity
        if not identity.sha256:  # of names, which may be of any encoder of their space
            identity = self.encoders.shape.identity
        return Provenance(identity, self.method.name, own.up, own.seed, own.num_samples, __version__)

    def __call__(self, shapes: Any, ups: list[str]) -> NoveltyResult:
        encoder = None if isinstance(shapes, Embeddings) else self.encoders.shape
        settings = {**self.reading.settings, "up": ups, "threshold": self.threshold}
        return score_novelty(shapes, self.classes, encoder=encoder, method=self.method, **settings)

    def all(self, found: Found, failures: list[Failure], what: str) -> Iterator[Batch]:
        """Results of all files that can be used, then of all stored rows, batch by batch."""
        with progress(what, len(found.files)) as bar:
            yield from encode_files(found.files, self.reading, self, failures, bar)
        for store in found.stores:
            header = read_header(store)
            # there may be files, too, so that no encoder is asked for those that are stored
            judge = replace(self, classes=self.classes.with_temperature(header.temperature))
            ups: set[str] = set()
            for rows in read_embeddings(store, ("id", "path", "embedding", "up"), STORED_AT_ONCE):
                files = [File(path, id) for path, id in zip(rows["path"], rows["id"], strict=True)]
                embeddings = Embeddings(rows["embedding"], header.identity, rows["path"])
                ups.update(rows["up"])
                yield Batch(files, [], rows["up"], judge(embeddings, rows["up"]))
            self._note_late(store, header.provenance, ups)

    def _note_late(self, store: str, made: Provenance, ups: set[str]) -> None:
        """A word on options that come too late for stored embeddings, of shapes that were read with the axes `ups`."""
        asked = {
            "up": (self.reading.up, {"file"}, made.up, ups),
            "num-samples": (self.reading.num_samples, {1}, made.num_samples, {made.num_samples}),
        }
        for name, (given, default, own, held) in asked.items():
            if {given} not in (default, held):
                print_note(
                    f"note: --{name} {given} is for files: the embeddings in {shown(store)} were made with --{name} "
                    f"{own}, and stay so; `openshape-ood embed` makes others",
                    "yellow",
                )


def records(batch: Batch, result: NoveltyResult) -> list[dict[str, Any]]:
    """What --json says of each shape of a batch."""
    shapes = zip(batch.files, batch.ups, result.as_json()["shapes"], strict=True)
    rows = [{"file": file.path, "id": file.id, **row, "up": up} for file, up, row in shapes]
    for row in rows:
        del row["shape"]  # the same as its file
    return rows
