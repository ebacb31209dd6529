"""KnownOptions: the options of every command that compares shapes with known classes, and the pipeline they ask for."""

# no `annotations` of the future: cyclopts reads those of a group in the modules of the groups derived from it

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
    from openshape_ood.cli.inputs import Found
    from openshape_ood.novelty import NoveltyPipeline
    from openshape_ood.shapes.batches import Reading


@Parameter(name="*")
@dataclass(frozen=True)
class KnownOptions(Decision):
    """The options of a command that compares shapes with known classes, and what comes of them."""

    known: options.Names = None
    examples: Annotated[
        list[Path] | None,
        option(
            KNOWN,
            "Example shapes: a folder with a subfolder a class, or embeddings of them. May be repeated.",
            "FOLDER",
        ),
    ] = None
    known_file: options.KnownFiles = None
    known_up: Annotated[
        str | None,
        option(
            KNOWN,
            "Up axis of the shapes of --examples, as for --up. Default: --up.",
            "AXIS",
            completer=options.up_names,
        ),
    ] = None
    method: Annotated[
        str | None,
        option(
            DECISION,
            "Scoring method. Default: max_cosine by names, prototype_distance by examples.",
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
        Path | None, option(ENCODER, "Your own file with weights of the text encoder, needed for names.", "FILE")
    ] = None
    up: options.UpOrAuto = "file"
    num_samples: options.NumSamples = 1
    seed: options.Seed = 0
    device: options.Device = None
    batch_size: options.BatchSize = 32
    readers: options.Readers = None

    auto: ClassVar[bool] = True  # whether --up may be that
    of_scans: ClassVar[bool] = False  # whether --known-up is of --calibrate too, and --up of the scan alone

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
            raise InputError(f"--known-up is for the shapes of {shapes}; there are none that are still to be read")
        self.check(wanted)
        if self.method is not None:
            find_method(self.method, wanted.kind)
        return wanted

    def pipeline(self, inputs: "Found", *, patches: str | None = None, decide: bool = True) -> "NoveltyPipeline":
        """Known classes, method, encoder, axis and threshold of these options, for the shapes that were found.

        patches: stage of the kept patches, or None.
        Examples that cannot be used are added to the failures. decide: False for no threshold.
        """
        from openshape_ood.cli.axes import with_axis
        from openshape_ood.cli.classes import build
        from openshape_ood.cli.inputs import find_files
        from openshape_ood.encoders.loading import Encoders
        from openshape_ood.novelty import NoveltyPipeline
        from openshape_ood.scoring import default_method, find_method

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
        if not inputs.files:  # else the encoder of the files is checked
            for identity in stored:
                known.check_fits(identity)
        pipeline = with_axis(pipeline, find_files(self.calibrate or ()).files, inputs.files)
        return self.decided(pipeline, given, inputs.failures, wanted.generated) if decide else pipeline

    def readings(self, points: int) -> "tuple[Reading, Reading]":
        """Up axes of the shapes, the calibration shapes and the examples."""
        from openshape_ood.shapes.batches import AUTO, Reading

        reading = Reading(points, self.up, self.seed, self.num_samples, self.batch_size, self.readers)
        return reading, replace(reading, up=self.known_up or ("file" if self.up == AUTO else self.up))


@Parameter(name="*")
@dataclass(frozen=True)
class OneAxisOptions(KnownOptions):
    """The same of a command that does not find the axis of many shapes."""

    up: options.Up = "file"
    auto: ClassVar[bool] = False
