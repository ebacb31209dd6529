"""Options of every command that compares shapes with known classes, and the pipeline made from them."""

# no `from __future__ import annotations`: cyclopts would look up the names in the module of a derived class

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cyclopts import Parameter

from openshape_ood.cli import options
from openshape_ood.cli.options import DECISION, ENCODER, KNOWN, option
from openshape_ood.cli.thresholds import Decision

if TYPE_CHECKING:
    from openshape_ood.cli.classes import RequestedClasses
    from openshape_ood.cli.inputs import Inputs
    from openshape_ood.novelty import NoveltyPipeline
    from openshape_ood.shapes.batches import Reading


@Parameter(name="*")
@dataclass(frozen=True)
class KnownOptions(Decision):
    """Options of a command that compares shapes with known classes. `pipeline` builds the pipeline from them."""

    known: options.Names = None
    examples: Annotated[
        list[Path] | None,
        option(
            KNOWN,
            "Example shapes: a folder with one subfolder per class, or stored embeddings. May be repeated.",
            "FOLDER",
        ),
    ] = None
    known_file: options.KnownFiles = None
    known_up: Annotated[
        str | None,
        option(
            KNOWN,
            "Up axis of the shapes in --examples; values as for --up. Default: the value of --up.",
            "AXIS",
            completer=options.up_names,
        ),
    ] = None
    method: Annotated[
        str | None,
        option(
            DECISION,
            "Scoring method. Default: max_cosine for names, prototype_distance for examples.",
            "NAME",
            completer=options.method_names,
        ),
    ] = None
    model: Annotated[
        str | None,
        option(
            ENCODER,
            f"{options.MODEL}. Default: the checkpoint of --known-file or of the given embeddings, else vitb32.",
            "NAME",
            "--model",
            "-m",
            completer=options.checkpoint_names,
        ),
    ] = None
    checkpoint: options.CheckpointFile = None
    text_checkpoint: Annotated[
        Path | None,
        option(ENCODER, "Your file with the text encoder's weights. Class names need a text encoder.", "FILE"),
    ] = None
    up: options.UpOrAuto = "file"
    num_samples: options.NumSamples = 1
    seed: options.Seed = 0
    device: options.Device = None
    batch_size: options.BatchSize = 32
    readers: options.Readers = None

    auto: ClassVar[bool] = True  # True if --up auto is permitted
    of_scans: ClassVar[bool] = False  # True: --up is for the scan, --known-up for --examples and --calibrate

    @cached_property
    def wanted(self) -> "RequestedClasses":
        """The requested known classes, validated before any shape is read."""
        from openshape_ood.cli.classes import gather
        from openshape_ood.errors import InputError
        from openshape_ood.scoring import find_method
        from openshape_ood.shapes.points import check_up

        for name, axis in (("--up", self.up), ("--known-up", self.known_up)):
            if axis not in ("file", None) and not (self.auto and name == "--up" and axis == "auto"):
                check_up(axis, name)
        wanted = gather(self.known, self.examples, self.known_file)
        if self.known_up is not None and not (wanted.with_files or (self.of_scans and self.calibrate)):
            shapes = "--examples and --calibrate" if self.of_scans else "--examples"
            raise InputError(
                f"--known-up was given without shapes to read. Expected shapes of {shapes}. Give these, or leave "
                "--known-up out."
            )
        self.check(wanted)
        if self.method is not None:
            find_method(self.method, wanted.kind)
        return wanted

    def pipeline(self, inputs: "Inputs", *, patches: str | None = None, decide: bool = True) -> "NoveltyPipeline":
        """Pipeline of these options: known classes, method, encoder, up axis and threshold.

        inputs: the shapes to score; unusable examples are added to its failures. patches: encoder stage of
        the patches to save, or None. decide: False for a pipeline without threshold.
        """
        from openshape_ood.cli.axes import with_axis
        from openshape_ood.cli.classes import build
        from openshape_ood.cli.inputs import find_files
        from openshape_ood.encoders.loading import Encoders
        from openshape_ood.novelty import NoveltyPipeline
        from openshape_ood.scoring import default_method, find_method
        from openshape_ood.shapes.batches import AUTO

        wanted, given = self.wanted, self.given
        method = None if self.method is None else find_method(self.method, wanted.kind)
        files = {"checkpoint": self.checkpoint, "text_checkpoint": self.text_checkpoint}
        stored = inputs.identities
        encoders = Encoders(self.model, **files, device=self.device, others=[*wanted.identities, *stored])
        reading, example_reading = self.readings(encoders.points)
        known = build(wanted, method, encoders, example_reading, inputs.failures, patches)
        chosen = method or find_method(default_method(known))
        how: dict[str, Any] = {"up": reading.up, "silent": reading.silent, "readers": self.readers, "errors": "skip"}
        pipeline = NoveltyPipeline(known, chosen, encoders, **how, **reading.settings)
        if not inputs.files:  # with files, loading the encoder has already compared the encoders
            for identity in stored:
                known.check_fits(identity)
        if pipeline.up == AUTO:
            pipeline = with_axis(pipeline, find_files(self.calibrate or ()).files, inputs.files)
        return self.decided(pipeline, given, inputs.failures, wanted.generated) if decide else pipeline

    def readings(self, points: int) -> "tuple[Reading, Reading]":
        """Two settings for reading: one for shapes and calibration shapes, one for examples."""
        from openshape_ood.shapes.batches import AUTO, Reading

        reading = Reading(points, self.up, self.seed, self.num_samples, self.batch_size, self.readers)
        return reading, replace(reading, up=self.known_up or ("file" if self.up == AUTO else self.up))


@Parameter(name="*")
@dataclass(frozen=True)
class OneAxisOptions(KnownOptions):
    """Options of a command that does not offer --up auto."""

    up: options.Up = "file"
    auto: ClassVar[bool] = False
