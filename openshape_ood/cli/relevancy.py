"""openshape-ood relevancy: locate names in an image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from openshape_ood.cli import options
from openshape_ood.cli.console import print_line, print_note, print_table, shown, steps, write
from openshape_ood.cli.options import ENCODER, RESULT, argument, option, split_names
from openshape_ood.cli.outputs import can_draw, print_written
from openshape_ood.errors import UnknownNameError

if TYPE_CHECKING:
    import numpy as np

    from openshape_ood.views.affinities import Affinities
    from openshape_ood.views.relevancy import RelevancyEncoder

EXAMPLES = """
  openshape-ood relevancy --out found
  openshape-ood relevancy room.jpg --names chair lamp --preset quick --out found
  openshape-ood relevancy room.jpg --names "pink make up bag" --prompts "a photo of a {}." --json
  openshape-ood relevancy room.jpg --names chair lamp --known chair --out found
"""
NAMES = ("chair", "table", "sofa", "bed", "lamp")  # objects of the generated room
SIZE = (336, 448)  # height and width of the generated image in pixels
COLUMNS = ("name", "peak", "row", "column", "mean", "share_above_half")


def preset_names() -> list[str]:
    from openshape_ood.views.relevancy import PRESETS

    return list(PRESETS)


@Parameter(name="*")
@dataclass(frozen=True)
class ClipOptions:
    """Options of the image encoder, CLIP."""

    preset: Annotated[
        str,
        option(
            ENCODER,
            "Scales of the image tiles. ours: four scales, each with five jittered copies and their mirror images. "
            "chefer_et_al: one. quick: four, without copies.",
            "NAME",
            completer=preset_names,
        ),
    ] = "quick"
    model: Annotated[
        str, option(ENCODER, "CLIP network: a ViT of open_clip, such as ViT-B-16.", "NAME", "--model", "-m")
    ] = "ViT-B-32"
    pretrained: Annotated[str, option(ENCODER, "Name of CLIP's weights in open_clip.", "TAG")] = "openai"
    checkpoint: Annotated[Path | None, option(ENCODER, "Your file with CLIP's weights.", "FILE")] = None

    @property
    def changed(self) -> list[str]:
        """Options that differ from their defaults."""
        return [f"--{one.name}" for one in fields(self) if getattr(self, one.name) != one.default]

    def encoder(self, device: str | None, **settings: Any) -> RelevancyEncoder:
        from openshape_ood.views.relevancy import RelevancyEncoder

        settings |= {"checkpoint": self.checkpoint, "device": device}
        return RelevancyEncoder.from_pretrained(self.model, self.pretrained, **settings)


def relevancy(
    image: Annotated[
        Path | None,
        argument("A color image: PNG, JPEG, WEBP, BMP, TIFF, GIF, TGA. Default: a generated room.", "[IMAGE]"),
    ] = None,
    /,
    *,
    names: Annotated[
        list[str] | None, option(RESULT, "Names to locate: --names lamp 'brown chair'.", "NAME...")
    ] = None,
    prompts: Annotated[
        list[str] | None,
        option(
            RESULT,
            "Prompt templates, with {} in place of the name. Default: 'a photograph of a {} in a home.'",
            "SENTENCE...",
        ),
    ] = None,
    background: Annotated[
        list[str] | None,
        option(
            RESULT,
            "Names whose mean relevancy is subtracted. Default: common surfaces. With --legacy: the values of --names.",
            "NAME...",
        ),
    ] = None,
    known: Annotated[
        list[str] | None,
        option(
            RESULT, "Known names among --names. Also writes novelty.png: the parts without a known name.", "NAME..."
        ),
    ] = None,
    legacy: Annotated[
        bool, option(RESULT, "Behave exactly as the published code of Semantic Abstraction.", None, "--legacy")
    ] = False,
    out: Annotated[
        Path | None,
        option(
            RESULT,
            "Output folder for relevancies.npz and, with the extra \\[plots], relevancies.png.",
            "FOLDER",
            "--out",
            "-o",
        ),
    ] = None,
    clip: ClipOptions = ClipOptions(),
    first_block: Annotated[
        int | None,
        option(ENCODER, "First block of the attention rollout, counted from 0. Default: the last block.", "N", min=0),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Locate names in an image, by gradient-weighted attention of CLIP in tiles of several sizes."""
    from openshape_ood.encoders.text.encoder import clean_names
    from openshape_ood.shapes.pictures import load_picture
    from openshape_ood.views.relevancy.tiling import find_preset

    # all arguments are checked before anything is downloaded
    searched = clean_names(split_names(names) or ([] if image else NAMES))
    picture = load_picture(image) if image else _generated(seed)
    known = clean_names(split_names(known)) if known else None
    if lacking := [name for name in known or () if name.casefold() not in {one.casefold() for one in searched}]:
        raise UnknownNameError(
            f"--known has {lacking[0]!r}, which is not among --names. Expected one of {', '.join(searched)}. Add it to "
            "--names."
        )
    preset = find_preset(clip.preset, legacy)
    encoder = clip.encoder(device, first_block=first_block, **({"templates": prompts} if prompts else {}))
    behind = split_names(background) if background else None
    with steps("tiles") as step:
        affinities = encoder.encode_image(picture, searched, preset=preset, background=behind, seed=seed, progress=step)
    written = [] if out is None else _written(affinities, known, out)
    height, width = picture.shape[:2]
    record = {
        "provenance": affinities.provenance.as_json(),
        "height": height,
        "width": width,
        "names": affinities.rows(),
    }

    def show() -> None:
        print_table(affinities.rows(), COLUMNS)
        weights = f" with the weights {shown(clip.checkpoint)}" if clip.checkpoint else ""
        made = f"preset {clip.preset}{', legacy' * legacy}, by {shown(encoder.identity.checkpoint)}{weights}"
        print_line(f"{shown(image or 'generated room')}: {width} x {height} pixels, {made}")
        print_written(written)

    write({**record, "written": written}, json, show)


app = options.single(relevancy, EXAMPLES)


def _generated(seed: int) -> np.ndarray:
    """Color image (h, w, 3) of a generated room with six objects of the classes in `NAMES`."""
    from openshape_ood.synthetic.views import room_view

    made = room_view(seed, categories=NAMES, objects=6, size=SIZE)
    print_note(f"no IMAGE: a generated room with {', '.join(dict.fromkeys(made.names[1:]))}")
    return made.view.rgb


def _written(affinities: Affinities, known: list[str] | None, folder: Path) -> list[Path]:
    from openshape_ood.storage import make_folder

    novelty = None if known is None else affinities.novelty(known)
    folder = make_folder(folder)
    written = [affinities.save(folder / "relevancies.npz")]
    if novelty is not None:
        written.append(novelty.save(folder / "novelty.png"))
    if not can_draw():
        return written
    from openshape_ood import plots

    return [*written, plots.save(affinities.plot(), folder / "relevancies.png")]
