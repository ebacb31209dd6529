"""Options that several commands share, so that one word means one thing everywhere."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_type_hints

import typer

if TYPE_CHECKING:
    from openshape_ood.cli.inputs import Found
    from openshape_ood.cli.known import Wanted
    from openshape_ood.novelty import NoveltyPipeline
    from openshape_ood.shapes.batches import Reading

KNOWN, ENCODER, DECISION, GROUPS, RESULT = "Known classes", "Encoder", "Decision", "Groups", "Result"


def option(panel: str, help: str, metavar: str | None = None, *flags: str, **more: Any) -> Any:
    """One option in a panel of the help; without flags it is called as its parameter."""
    return typer.Option(*flags, help=help, metavar=metavar, rich_help_panel=panel, **more)


def group(help: str) -> typer.Typer:
    """Several commands behind one word."""
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode="rich")


def command(examples: str = "", without: Sequence[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command: what it takes as `Asked` is spread out, less the options in `without`.

    examples, which keep their lines, are added to the docstring that is its help.
    """

    def make(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters.values()
        kind = next((one.annotation for one in own if one.name == "asked"), None)
        spread = [] if kind is None else [one for one in _parameters(kind) if one.name not in without]

        @functools.wraps(function)
        def called(**given: Any) -> None:
            if kind is not None:
                given["asked"] = kind(**{one.name: given.pop(one.name) for one in spread})
            function(**given)

        parameters = [one for given in own for one in (spread if given.name == "asked" else [given])]
        together = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
        called.__dict__["__signature__"] = inspect.Signature(together)
        called.__annotations__ = {one.name: one.annotation for one in together}
        if examples:
            called.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n\b\nExamples:\n{examples.strip(chr(10))}\n"
        return called

    return make


def _parameters(kind: Any) -> list[inspect.Parameter]:
    """Of the fields of a dataclass."""
    hints = get_type_hints(kind, include_extras=True)
    word = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(one.name, word, default=one.default, annotation=hints[one.name]) for one in fields(kind)]


def split_names(names: Sequence[str] | None) -> list[str]:
    """Several in one word, separated by commas, too; a blank word stays, to be refused."""
    return [part.strip() for name in names or () for part in name.split(",") if part.strip() or not name.strip()]


def checkpoint_names() -> list[str]:
    from openshape_ood import list_checkpoints

    return list_checkpoints()


def method_names() -> list[str]:
    from openshape_ood.scoring import methods

    return methods.method_names()


def up_names() -> list[str]:
    return ["file", "y", "z", "x", "-y", "-z", "-x"]


Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILES",
        help="Shape files, folders (searched through and through) or patterns in quotes, as 'scans/*.ply'; or what "
        "embed wrote: .npz, .parquet, .safetensors or a folder.",
    ),
]
Names = Annotated[
    list[str] | None, option(KNOWN, "Names, several words or commas: --known chair sofa 'night stand'.", "NAME...")
]
KnownFiles = Annotated[
    list[Path] | None,
    option(
        KNOWN,
        "What `openshape-ood known save` or KnownClasses.save wrote (.safetensors), one file or several.",
        "FILE...",
    ),
]
_MODEL = (
    "Encoder: tiny (inside the package, works offline), vitb32 or another of `checkpoints list` (downloaded), or "
    "several as an ensemble, vitb32+uni3d-b"
)
Model = Annotated[str, option(ENCODER, f"{_MODEL}.", "NAME", "--model", "-m", autocompletion=checkpoint_names)]
CheckpointFile = Annotated[Path | None, option(ENCODER, "Weights of the encoder from a file of yours.", "FILE")]
_UP = "Which axis points up: y, z or x, with - for upside down; 'file' takes what each file says, else y"
Up = Annotated[str, option(ENCODER, f"{_UP}.", "AXIS", autocompletion=up_names)]
UpOrAuto = Annotated[
    str,
    option(
        ENCODER,
        f"{_UP}; 'auto' finds, for files that do not say it, the axis under which the known classes explain them best.",
        "AXIS",
        autocompletion=lambda: [*up_names(), "auto"],
    ),
]
NumSamples = Annotated[int, option(ENCODER, "Embeddings a shape, averaged: steadier.", min=1)]
Seed = Annotated[int, option(ENCODER, "Of all sampling.", min=0)]
Device = Annotated[str | None, option(ENCODER, "cpu, cuda, mps; the best there is if left out.", "NAME")]
BatchSize = Annotated[int, option(ENCODER, "Shapes encoded at once.", min=1)]
Readers = Annotated[
    int | None,
    option(
        ENCODER,
        "Processes that read files ahead of the encoder; set by their number if left out. 0: none, and no limits.",
        "N",
        min=0,
    ),
]
Folder = Annotated[Path | None, option(RESULT, "A folder for what is written, which is made.", "FOLDER", "--out", "-o")]
Json = Annotated[bool, typer.Option("--json", help="JSON on the standard output, for machines.")]


@dataclass(frozen=True)
class Asked:
    """The options of a command that compares shapes with known classes, and what comes of them."""

    known: Names = None
    examples: Annotated[
        list[Path] | None,
        option(
            KNOWN,
            "Example shapes: a folder with a subfolder a class, or embeddings of them. May be repeated.",
            "FOLDER",
        ),
    ] = None
    known_file: KnownFiles = None
    known_up: Annotated[
        str | None,
        option(
            KNOWN,
            "Which axis points up in the shapes of --examples, said as for --up; the same as --up if left out.",
            "AXIS",
            autocompletion=up_names,
        ),
    ] = None
    method: Annotated[
        str | None,
        option(
            DECISION,
            "How novelty is scored; by names max_cosine, by examples prototype_distance, if left out.",
            "NAME",
            autocompletion=method_names,
        ),
    ] = None
    threshold: Annotated[
        str | None,
        option(DECISION, "Novel is what lies above: a number, or a file that --save-threshold wrote.", "X|FILE"),
    ] = None
    calibrate: Annotated[
        list[str] | None,
        option(
            DECISION,
            "Known shapes, none of the examples, to find the threshold from: files, folders, patterns.",
            "PATHS...",
        ),
    ] = None
    calibrate_by: Annotated[
        Literal["file", "folder"],
        option(
            DECISION,
            "Whether each file of --calibrate shows another object, or each folder: of scans of one object one counts.",
        ),
    ] = "file"
    coverage: Annotated[
        float | None,
        option(
            DECISION,
            "Share of known shapes that the threshold keeps; that of the threshold given, else 0.95, if left out.",
            "SHARE",
        ),
    ] = None
    model: Annotated[
        str | None,
        option(
            ENCODER,
            f"{_MODEL}; if left out, that of --known-file or of the embeddings given, else vitb32.",
            "NAME",
            "--model",
            "-m",
            autocompletion=checkpoint_names,
        ),
    ] = None
    checkpoint: CheckpointFile = None
    text_checkpoint: Annotated[
        Path | None, option(ENCODER, "Weights of the text encoder, which names need, from a file of yours.", "FILE")
    ] = None
    up: UpOrAuto = "file"
    num_samples: NumSamples = 1
    seed: Seed = 0
    device: Device = None
    batch_size: BatchSize = 32
    readers: Readers = None

    auto: ClassVar[bool] = True  # whether --up may be that
    of_scans: ClassVar[bool] = False  # whether --known-up is of --calibrate too, and --up of the scan alone

    @cached_property
    def wanted(self) -> Wanted:
        """The known classes that were asked for; what can be wrong with them is told before any shape is read."""
        from openshape_ood.cli import thresholds
        from openshape_ood.cli.known import gather
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
        thresholds.check(self, wanted)
        if self.method is not None:
            find_method(self.method, wanted.kind)
        return wanted

    def pipeline(
        self, found: Found, *, model: str | None = None, patches: str | None = None, decide: bool = True
    ) -> NoveltyPipeline:
        """Known classes, method, encoder, axis and threshold of these options, for the shapes that were found.

        model: where neither an option nor a file says which. patches: the stage of which they are kept, if at all.
        Examples that cannot be used are added to the failures. decide: False for no threshold.
        """
        from openshape_ood.cli import thresholds
        from openshape_ood.cli.axes import with_axis
        from openshape_ood.cli.inputs import find_files
        from openshape_ood.cli.judging import check_stores
        from openshape_ood.cli.known import build
        from openshape_ood.encoders.loading import Encoders
        from openshape_ood.novelty import NoveltyPipeline
        from openshape_ood.scoring import default_method, find_method

        wanted, given = self.wanted, thresholds.given(self.threshold)
        method = None if self.method is None else find_method(self.method, wanted.kind)
        files = {"checkpoint": self.checkpoint, "text_checkpoint": self.text_checkpoint}
        others = [*wanted.identities, *found.identities]
        name = self.model or (None if wanted.saved else model)
        encoders = Encoders(name, **files, device=self.device, others=others)
        reading, own = self.readings(encoders.points)
        known = build(wanted, method, encoders, own, found.failures, patches)
        chosen = method or find_method(default_method(known))
        how: dict[str, Any] = {"up": reading.up, "silent": reading.silent, "readers": self.readers, "errors": "skip"}
        pipeline = NoveltyPipeline(known, chosen, encoders, **how, **reading.settings)
        check_stores(pipeline, found)
        pipeline = with_axis(pipeline, find_files(self.calibrate or ()).files, found.files)
        return thresholds.decided(pipeline, given, self, found.failures) if decide else pipeline

    def readings(self, points: int) -> tuple[Reading, Reading]:
        """Up axes of the shapes, the calibration shapes and the examples."""
        from openshape_ood.shapes.batches import AUTO, Reading

        reading = Reading(points, self.up, self.seed, self.num_samples, self.batch_size, self.readers)
        return reading, replace(reading, up=self.known_up or ("file" if self.up == AUTO else self.up))


@dataclass(frozen=True)
class AskedPlainly(Asked):
    """The same of a command that does not find the axis of many shapes."""

    up: Up = "file"
    auto: ClassVar[bool] = False
