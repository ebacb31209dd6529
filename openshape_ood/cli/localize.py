"""openshape-ood localize: where is a shape novel?"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import Failure, print_failures, print_json, print_line, print_note, print_table, shown
from openshape_ood.errors import ClassNamesError, InputError, MissingPackageError

if TYPE_CHECKING:
    from openshape_ood.cli.batches import Reading
    from openshape_ood.cli.known import Wanted
    from openshape_ood.encoders.shape_encoder import ShapeEncoder
    from openshape_ood.novelty_map import NoveltyMap, Region

EXAMPLES = """
  openshape-ood localize chair.ply --known chair --generated models --model tiny
  openshape-ood localize one.ply --examples examples/ --picture where.png --out where.ply
"""
GENERATED = 80  # shapes a class; of fewer, the threshold is told badly
POINTS = 2048
PICTURES = (".png", ".svg", ".pdf", ".html")
PEAK = 0.2  # of the points
SMALLEST = 100  # of the points a region has more than one in so many
LISTED = 5  # regions
TABLE = ("nearest class", "share of points")


@options.with_examples(EXAMPLES)
def localize(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One shape.")],
    known: options.Names = None,
    examples: options.Examples = None,
    generated: Annotated[
        Literal["models", "scans"] | None,
        options.option(
            options.KNOWN,
            "--generated",
            "Generated shapes as examples of the names of --known, where these are generated categories: whole "
            "models, or scans, whichever the shape itself is.",
        ),
    ] = None,
    known_classes: options.KnownFiles = None,
    known_up: options.KnownUp = None,
    out: Annotated[
        Path | None, options.option(options.RESULT, "--out -o", "Write the colored cloud: .ply.", metavar="FILE")
    ] = None,
    picture: Annotated[
        Path | None,
        options.option(
            options.RESULT,
            "--picture",
            "Draw it: .png, .svg, .pdf, or .html to turn it (needs pip install 'openshape-ood\\[plots]').",
            metavar="FILE",
        ),
    ] = None,
    color: Annotated[
        Literal["novelty", "class"], options.option(options.RESULT, "--color", "What the colors mean.")
    ] = "novelty",
    model: options.Model = "vitb32",
    checkpoint: options.CheckpointFile = None,
    text_checkpoint: options.TextCheckpoint = None,
    up: options.Up = "file",
    seed: options.Seed = 0,
    device: options.Device = None,
    batch_size: options.BatchSize = 32,
    json: options.Json = False,
) -> None:
    """Say where one shape is novel: a novelty and a nearest class for each of its points.

    With example shapes its patches are compared with theirs. With names alone they are compared with the names, which
    says far less.
    """
    from openshape_ood.cli.batches import Reading, warn_of_axes
    from openshape_ood.cli.encoders import check_ups, load_encoder, load_text
    from openshape_ood.cli.inputs import File
    from openshape_ood.cli.known import gather
    from openshape_ood.localization import localize as find_novelty

    _check_files(out, picture)
    check_ups(up, known_up)
    wanted = gather(known, examples, known_classes)
    if wanted.saved and wanted.examples:
        raise InputError("--known-classes holds all classes of a map; expected no --known and no --examples beside it")
    if generated:
        _check_generated(wanted)
    encoder = load_encoder(model, checkpoint, device)
    failures: list[Failure] = []
    reading = Reading(encoder.spec.count, known_up or up, seed, batch_size=batch_size)
    found = find_novelty(
        file,
        _known(wanted, generated, encoder, reading, failures),
        encoder=encoder,
        text=load_text(encoder, text_checkpoint),
        up=up,
        known_up=None if wanted.saved else _examples_up(reading.up, generated),
        batch_size=batch_size,
        seed=seed,
    )
    if out is not None:
        found.save(out, color)
    if picture is not None:
        _draw(found, picture, color)
    record = _record(found, out, picture, failures)
    if json:
        print_json(record)
    else:
        _print(found, record)
    if found.provenance.method == "text":
        print_note("by names alone this says little: give --examples FOLDER, or --generated where names allow it")
    print_failures(failures)
    warn_of_axes([File(file, file)], up)
    if failures:
        raise typer.Exit(1)


def _check_files(out: Path | None, picture: Path | None) -> None:
    """Told before the work, not after it."""
    from openshape_ood.cli.inputs import check_out

    check_out("--out", out, (".ply",))
    check_out("--picture", picture, PICTURES)
    package = "plotly" if picture is not None and picture.suffix.lower() == ".html" else "matplotlib"
    if picture is not None and find_spec(package) is None:
        raise MissingPackageError(f"--picture {picture} needs {package}: pip install 'openshape-ood[plots]'")


def _check_generated(wanted: Wanted) -> None:
    from openshape_ood.synthetic.calibration import resolve

    strange = [name for name in wanted.by_name if not resolve(name)]
    if strange:
        raise ClassNamesError(
            f"--generated: there is no generated category for {', '.join(map(repr, strange))}; "
            "expected names as in openshape_ood.synthetic.categories(), or --examples FOLDER"
        )


def _known(
    wanted: Wanted, generated: str | None, encoder: ShapeEncoder, reading: Reading, failures: list[Failure]
) -> Any:
    """What `localize` takes as known: saved classes, names, or name -> example shapes."""
    from openshape_ood.cli.known import usable
    from openshape_ood.known import KnownClasses

    if wanted.saved:
        return KnownClasses.join(*map(KnownClasses.load, wanted.saved))
    made = {name: _generated(name, generated) for name in wanted.by_name} if generated else {}
    if not made and not wanted.with_files:
        return wanted.by_name
    if wanted.by_name and not generated:
        print_note(
            f"note: no examples of {', '.join(map(shown, wanted.by_name))}; what is theirs looks novel", "yellow"
        )
    files = usable(wanted.with_files, encoder, reading, failures)
    shapes: dict[str, list[Any]] = {name: [file.path for file in own] for name, (own, _) in files.items()}
    if made and shapes and reading.up not in ("y", "file"):
        raise InputError("generated shapes are y up, the examples are not; expected --known-up y, or no --generated")
    return {name: {**made, **shapes}[name] for name in wanted.examples if name in made or name in shapes}


def _examples_up(up: str, generated: str | None) -> str:
    return "y" if generated and up != "file" else up


def _generated(name: str, kind: str) -> list[Any]:
    from openshape_ood.synthetic import sample, scan
    from openshape_ood.synthetic.calibration import resolve

    make = sample if kind == "models" else scan
    return [make(resolve(name) or name, POINTS, seed) for seed in range(GENERATED)]


def _draw(found: NoveltyMap, path: Path, color: str) -> None:
    from openshape_ood import plots

    if path.suffix.lower() == ".html":
        plots.save(plots.turnable(found, color=color), path)
    else:
        plots.save(plots.novelty_map(found, color=color), path)


def _record(found: NoveltyMap, out: Path | None, picture: Path | None, failures: list[Failure]) -> dict[str, Any]:
    """What --json prints."""
    peak = found.peak(PEAK)
    place = found.points[peak, :3]
    decided = found.threshold
    return {
        "file": found.name,
        "points": len(found),
        "up": found.up,
        "provenance": found.provenance.as_json(),
        "classes": [str(name) for name in found.classes],
        "class_shares": found.shares(),
        "threshold": decided and decided.as_json(),
        "baseline": found.baseline,
        "share_beyond_threshold": None if decided is None else float(found.is_novel.mean()),
        "novelty": {"mean": found.novelty.mean(), "max": found.novelty.max()},
        "regions": [] if decided is None else [_region(region) for region in found.regions(len(found) // SMALLEST + 1)],
        "most_novel": {
            "share": PEAK,
            "center": place.mean(axis=0),
            "low": place.min(axis=0),
            "high": place.max(axis=0),
            "novelty": found.novelty[peak].mean(),
        },
        "out": out,
        "picture": picture,
        "failed": [{"file": failure.file, "reason": failure.reason} for failure in failures],
    }


def _region(region: Region) -> dict[str, Any]:
    return {"points": len(region), "center": region.center, "novelty": region.novelty, "nearest": region.nearest}


def _print(found: NoveltyMap, record: dict[str, Any]) -> None:
    shares = sorted(record["class_shares"].items(), key=lambda item: -item[1])
    print_table([{"nearest class": k, "share of points": f"{v:.0%}"} for k, v in shares], TABLE)
    print_line(
        f"{shown(found.name)}: {len(found)} points, most novel about {_place(record['most_novel']['center'])}, novelty "
        f"{record['most_novel']['novelty']:.3f} there and {record['novelty']['mean']:.3f} on the whole"
    )
    if found.threshold is not None:
        beyond, regions = record["share_beyond_threshold"], record["regions"]
        print_line(f"{beyond:.0%} of the points are beyond {found.threshold.value:.3f}, known shapes' 95 %")
        for region in regions[:LISTED]:
            print_line(
                f"  {region['points']} points about {_place(region['center'])}, novelty {region['novelty']:.3f}, "
                f"nearest to {shown(region['nearest'])}"
            )
        if beyond > 0.5:
            print_note("more than half: is it a scan compared with whole models, or another axis up?")
    written = ", ".join(shown(record[key]) for key in ("out", "picture") if record[key])
    words = f"{found.provenance.identity.checkpoint}, by {found.provenance.method}, up {found.up}"
    print_line(f"{words}{f'; written: {written}' if written else ''}")


def _place(center: Any) -> str:
    return f"({', '.join(f'{value:.3g}' for value in center)})"
