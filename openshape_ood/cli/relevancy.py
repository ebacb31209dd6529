"""openshape-ood relevancy: where in an image each name lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from openshape_ood.cli import options
from openshape_ood.cli.console import print_json, print_line, print_table, shown, steps
from openshape_ood.cli.options import ENCODER, RESULT, argument, option, split_names
from openshape_ood.cli.outputs import can_draw, print_written
from openshape_ood.errors import UnknownNameError

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


ClipModel = Annotated[str, option(ENCODER, "A ViT of open_clip, as ViT-B-16.", "NAME", "--model", "-m")]
Pretrained = Annotated[str, option(ENCODER, "Its weights, as open_clip names them.", "TAG")]
ClipCheckpoint = Annotated[Path | None, option(ENCODER, "Its weights from a file of yours.", "FILE")]


@options.examples(EXAMPLES)
def relevancy(
    image: Annotated[Path, argument("A color image: PNG, JPEG, WEBP, BMP, TIFF, GIF, TGA.", "IMAGE")],
    /,
    *,
    names: Annotated[
        list[str] | None, option(RESULT, "What to look for, several words: --names lamp 'brown chair'.", "NAME...")
    ] = None,
    prompts: Annotated[
        list[str] | None,
        option(
            RESULT,
            "Sentences with a {} each that the names are put into; 'a photograph of a {} in a home.' if left out.",
            "SENTENCE...",
        ),
    ] = None,
    background: Annotated[
        list[str] | None,
        option(RESULT, "Names whose mean relevancy is subtracted; things that are everywhere, if left out.", "NAME..."),
    ] = None,
    known: Annotated[
        list[str] | None,
        option(RESULT, "Those of --names that are known: also draw what these leave unexplained.", "NAME..."),
    ] = None,
    preset: Annotated[
        str,
        option(
            RESULT,
            "ours: four scales, five jittered copies, mirrored too; chefer_et_al: one scale; quick: four scales alone.",
            "NAME",
            completer=preset_names,
        ),
    ] = "quick",
    legacy: Annotated[
        bool, option(RESULT, "As the published code had it, in all its details.", None, "--legacy")
    ] = False,
    out: Annotated[
        Path | None,
        option(
            RESULT,
            "Write relevancies.npz, and with the extra \\[plots] relevancies.png, here.",
            "FOLDER",
            "--out",
            "-o",
        ),
    ] = None,
    model: ClipModel = "ViT-B-32",
    pretrained: Pretrained = "openai",
    checkpoint: ClipCheckpoint = None,
    first_block: Annotated[
        int | None,
        option(
            ENCODER,
            "Roll attention out from this block, counted from 0, to the last; of the last alone if left out.",
            "N",
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
    asked, picture = clean_names(split_names(names)), load_picture(image)
    seen = clean_names(split_names(known)) if known else None
    if lacking := [name for name in seen or () if name.casefold() not in {one.casefold() for one in asked}]:
        raise UnknownNameError(f"--known has {lacking[0]!r}, which is not among --names: {', '.join(asked)}")
    chosen = find_preset(preset, legacy)
    how: dict[str, Any] = {"device": device} | ({"templates": prompts} if prompts else {})
    encoder = RelevancyEncoder.from_pretrained(model, pretrained, checkpoint=checkpoint, first_block=first_block, **how)
    behind = split_names(background) if background else None
    with steps("tiles") as step:
        found = encoder.encode_image(picture, asked, preset=chosen, background=behind, seed=seed, progress=step)
    written = [] if out is None else _written(found, seen, out)
    if json:
        shape = {"height": picture.shape[0], "width": picture.shape[1]}
        print_json({"provenance": found.provenance.as_json(), **shape, "names": found.rows(), "written": written})
        return
    print_table(found.rows(), COLUMNS)
    size = f"{picture.shape[1]} x {picture.shape[0]} pixels"
    print_line(f"{shown(image)}: {size}, preset {preset}{', legacy' * legacy}, by {shown(encoder.identity.checkpoint)}")
    print_written(written)


def _written(found: Affinities, known: list[str] | None, folder: Path) -> list[Path]:
    from openshape_ood.storage import make_folder

    novelty = None if known is None else found.novelty(known)
    folder = make_folder(folder)
    written = [found.save(folder / "relevancies.npz")]
    if novelty is not None:
        written.append(novelty.save(folder / "novelty.png"))
    if not can_draw():
        return written
    from openshape_ood import plots

    return [*written, plots.save(found.plot(), folder / "relevancies.png")]
