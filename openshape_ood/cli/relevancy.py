"""openshape-ood relevancy: where in an image each name lies."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import print_json, print_line, print_note, print_table, shown, steps
from openshape_ood.errors import UnknownNameError
from openshape_ood.storage import made_folder

if TYPE_CHECKING:
    from openshape_ood.views.affinities import Affinities

EXAMPLES = """
  openshape-ood relevancy room.jpg --names chair lamp --preset quick --out found
  openshape-ood relevancy room.jpg --names "pink make up bag" --prompts "a photo of a {}." --json
  openshape-ood relevancy room.jpg --names chair lamp --known chair --out found
"""
COLUMNS = ("name", "peak", "row", "column", "mean", "share_above_half")


def preset_names() -> list[str]:
    from openshape_ood.views.relevancy import PRESETS

    return list(PRESETS)


ClipModel = Annotated[
    str, options.option(options.ENCODER, "--model -m", "A ViT of open_clip, as ViT-B-16.", metavar="NAME")
]
Pretrained = Annotated[
    str, options.option(options.ENCODER, "--pretrained", "Its weights, as open_clip names them.", metavar="TAG")
]
ClipCheckpoint = Annotated[
    Path | None, options.option(options.ENCODER, "--checkpoint", "Its weights from a file of yours.", metavar="FILE")
]


@options.with_examples(EXAMPLES)
def relevancy(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A color image: PNG, JPEG, WEBP, BMP, TIFF, GIF, TGA.")
    ],
    names: Annotated[
        list[str] | None,
        options.option(
            options.RESULT, "--names", "What to look for, several words: --names lamp 'brown chair'.", metavar="NAME..."
        ),
    ] = None,
    prompts: Annotated[
        list[str] | None,
        options.option(
            options.RESULT,
            "--prompts",
            "Sentences with a {} each that the names are put into; 'a photograph of a {} in a home.' if left out.",
            metavar="SENTENCE...",
        ),
    ] = None,
    background: Annotated[
        list[str] | None,
        options.option(
            options.RESULT,
            "--background",
            "Names whose mean relevancy is subtracted; things that are everywhere, if left out.",
            metavar="NAME...",
        ),
    ] = None,
    known: Annotated[
        list[str] | None,
        options.option(
            options.RESULT,
            "--known",
            "Those of --names that are known: also draw what these leave unexplained.",
            metavar="NAME...",
        ),
    ] = None,
    preset: Annotated[
        str,
        options.option(
            options.RESULT,
            "--preset",
            "ours: four scales, five jittered copies, mirrored too; chefer_et_al: one scale; quick: four scales alone.",
            metavar="NAME",
            autocompletion=preset_names,
        ),
    ] = "quick",
    legacy: Annotated[
        bool, options.option(options.RESULT, "--legacy", "As the published code had it, in all its details.")
    ] = False,
    out: Annotated[
        Path | None,
        options.option(
            options.RESULT,
            "--out -o",
            "Write relevancies.npz, and with the extra \\[plots] relevancies.png, here.",
            metavar="FOLDER",
        ),
    ] = None,
    model: ClipModel = "ViT-B-32",
    pretrained: Pretrained = "openai",
    checkpoint: ClipCheckpoint = None,
    first_block: Annotated[
        int | None,
        options.option(
            options.ENCODER,
            "--first-block",
            "Roll attention out from this block, counted from 0, to the last; of the last alone if left out.",
            metavar="N",
            min=0,
        ),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Find where in an image each name lies, by CLIP's gradient times attention over tiles of several sizes."""
    from openshape_ood.encoders.text.encoder import clean_names
    from openshape_ood.shapes.pictures import load_picture
    from openshape_ood.views.relevancy import RelevancyEncoder
    from openshape_ood.views.relevancy.tiling import find_preset

    # what can be wrong is told before anything is downloaded
    asked, picture = clean_names(split(names)), load_picture(image)
    seen = clean_names(split(known)) if known else None
    if lacking := [name for name in seen or () if name.casefold() not in {one.casefold() for one in asked}]:
        raise UnknownNameError(f"--known has {lacking[0]!r}, which is not among --names: {', '.join(asked)}")
    chosen = find_preset(preset, legacy)
    how: dict[str, Any] = {"device": device} | ({"templates": prompts} if prompts else {})
    encoder = RelevancyEncoder.from_pretrained(model, pretrained, checkpoint=checkpoint, first_block=first_block, **how)
    behind = split(background) if background else None
    with steps("tiles") as step:
        found = encoder.encode_image(picture, asked, preset=chosen, background=behind, seed=seed, progress=step)
    written = [] if out is None else _written(found, seen, out.expanduser())
    if json:
        shape = {"height": picture.shape[0], "width": picture.shape[1]}
        print_json({"provenance": found.provenance.as_json(), **shape, "names": found.rows(), "written": written})
        return
    print_table(found.rows(), COLUMNS)
    size = f"{picture.shape[1]} x {picture.shape[0]} pixels"
    print_line(f"{shown(image)}: {size}, preset {preset}{', legacy' * legacy}, by {shown(encoder.identity.checkpoint)}")
    if written:
        print_line(f"written: {', '.join(shown(path) for path in written)}")


def split(names: list[str] | None) -> list[str]:
    """Several in one word, separated by commas, too."""
    return [part.strip() for name in names or () for part in name.split(",") if part.strip()]


def _written(found: Affinities, known: list[str] | None, folder: Path) -> list[Path]:
    novelty = None if known is None else found.novelty(known)
    written = [found.save(made_folder(folder) / "relevancies.npz")]
    if novelty is not None:
        written.append(novelty.save(folder / "novelty.png"))
    if find_spec("matplotlib") is None:
        print_note("no sheet: it needs pip install 'openshape-ood[plots]'", "yellow")
        return written
    from openshape_ood import plots

    return [*written, plots.save(found.plot(), folder / "relevancies.png")]
