"""openshape-ood view: completion of an image with depth, and its unexplained space."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from openshape_ood.cli import options
from openshape_ood.cli.console import print_line, print_note, print_table, shown, steps, warnings_as_notes, write
from openshape_ood.cli.options import RESULT, argument, option, split_names
from openshape_ood.cli.outputs import can_draw, print_written
from openshape_ood.cli.relevancy import NAMES, ClipOptions
from openshape_ood.errors import CheckpointError, FileError, InputError, MissingPackageError

if TYPE_CHECKING:
    from openshape_ood.views import View
    from openshape_ood.views.affinities import Affinities
    from openshape_ood.views.completion import CompletedView

EXAMPLES = """
  openshape-ood view --out found
  openshape-ood view rgb.png --depth depth.png --camera camera.json --names chair lamp --known chair --out found
  openshape-ood view scene.pkl --out found
  openshape-ood view room.npz --masks masks.npz --locate "lamp; behind; chair" --relations-checkpoint vool.pth
"""
RELEASED = "semabs-vool"  # whose file one brings
COLUMNS = ("name", "status", "affinity", "liters", "size", "center")
VIEW, COMPLETION = "View", "Completion"


@options.examples(EXAMPLES)
def view(
    file: Annotated[
        Path | None,
        argument(
            "A color image with --depth and --camera, or depth.png and camera.json beside it; its folder; .npz "
            "with rgb, depth, intrinsics, pose; a published scene (.pkl) with names and questions of its own. If left "
            "out, a generated room and its masks.",
            "[FILE]",
        ),
    ] = None,
    /,
    *,
    depth: Annotated[Path | None, option(VIEW, "16-bit PNG of the image's size.", "FILE")] = None,
    camera: Annotated[
        Path | None, option(VIEW, "JSON with intrinsics, pose and optionally depth_scale.", "FILE")
    ] = None,
    depth_scale: Annotated[float | None, option(VIEW, "Depth units per meter, such as 1000.", "X")] = None,
    names: Annotated[list[str] | None, option(VIEW, "Names of its objects, known or not.", "NAME...")] = None,
    known: Annotated[list[str] | None, option(VIEW, "Known names among --names. Default: all.", "NAME...")] = None,
    locate: Annotated[
        list[str] | None,
        option(
            VIEW,
            "Target to locate, 'lamp; behind; chair': in, behind, in front of, on the left of, on the right of, "
            "on. May be repeated.",
            "QUESTION",
        ),
    ] = None,
    affinities: Annotated[
        Path | None, option(VIEW, "In place of CLIP: relevancies of relevancy --out, .npz.", "FILE")
    ] = None,
    masks: Annotated[
        Path | None, option(VIEW, "In place of CLIP: .npz, for each name an array (h, w).", "FILE")
    ] = None,
    out: Annotated[
        Path | None,
        option(RESULT, "Write figures, PLY, OBJ and GLB files, pictures and a film here.", "FOLDER", "--out", "-o"),
    ] = None,
    film: Annotated[
        Literal["gif", "mp4"] | None, option(RESULT, "Format of the film. Default: gif. mp4 needs openshape-ood[film].")
    ] = None,
    side: Annotated[int, option(RESULT, "Cells along an edge of the grid.", min=8, max=128)] = 48,
    clip: ClipOptions = ClipOptions(),
    completion: Annotated[
        str | None, option(COMPLETION, "Completion network. Default: the packaged one.", "NAME")
    ] = None,
    completion_checkpoint: Annotated[Path | None, option(COMPLETION, "File with its weights.", "FILE")] = None,
    relations: Annotated[
        str | None, option(COMPLETION, "Network of --locate. Default: the packaged one.", "NAME")
    ] = None,
    relations_checkpoint: Annotated[
        Path | None, option(COMPLETION, f"Its weights from a file; {RELEASED}'s if --relations is left out.", "FILE")
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Complete the hidden parts of one view, name by name, and find the space that no known name explains."""
    from openshape_ood.views.completion import Completer, complete_view
    from openshape_ood.views.completion.complete import DEFAULT, RELATIONAL

    if film is not None:
        _check_film(film, out)
    listed, questions = split_names(names), [_question(words) for words in locate or ()]
    given = affinities is not None or masks is not None
    if affinities is not None and masks is not None:
        raise InputError("--affinities and --masks are two ways to say the same; leave one of them out")
    if file is None and (given or any(one is not None for one in (depth, camera, depth_scale))):
        raise InputError("--depth, --camera, --depth-scale, --affinities and --masks belong to an image; give its FILE")
    if clip.changed and (file is None or given):
        why = "looks at an image; give its FILE"
        if file is not None:
            why = "has no say where masks or affinities are given; leave it out"
        raise InputError(f"{', '.join(clip.changed)} is of CLIP, which {why}")
    scene, has = None, None
    if file is not None:
        with warnings_as_notes(_by_options):
            scene = _loaded(file, depth, camera, depth_scale)
        has = _given(scene, affinities, masks) if given else None
        listed, questions = _with_those_of_the_file(scene, listed, questions, has)
    if (relations or relations_checkpoint) and not questions:
        raise InputError("--relations and --relations-checkpoint are of --locate; ask for something by it")
    wanted = list(dict.fromkeys([*listed, *(one for t, _, r in questions for one in (t, r))]))
    relater: str | Completer = RELATIONAL
    completer = Completer.from_pretrained(completion or DEFAULT, checkpoint=completion_checkpoint, device=device)
    if relations or relations_checkpoint:
        relater = Completer.from_pretrained(relations or RELEASED, checkpoint=relations_checkpoint, device=device)
    if scene is None:
        scene, likeness = _generated(wanted or list(NAMES), seed)
    elif has is None:
        likeness = _relevancy(scene, wanted, clip, device, seed)
    else:
        likeness = has.of(wanted) if wanted else has
    how: dict[str, Any] = {"questions": questions, "model": completer, "relations": relater, "side": side, "seed": seed}
    with steps("names") as step:
        result = complete_view(scene, likeness, split_names(known) if known else None, progress=step, **how)
        rows = result.rows()
    written = [] if out is None else _written(result, out.expanduser(), film or "gif")

    def show() -> None:
        cells = [{**row, "size": _joined(row["size"], " × "), "center": _joined(row["center"], ", ")} for row in rows]
        print_table(cells, COLUMNS)
        h, w = scene.shape
        print_line(
            f"{shown(scene.name)}: {w} x {h} pixels, {scene.seen.mean():.0%} with depth; affinities by "
            f"{shown(likeness.provenance.method)}, completed by {shown(completer.identity.checkpoint)}"
        )
        print_written(written)

    write({**result.as_json(), "written": written}, json, show)


def _question(words: str) -> tuple[str, str, str]:
    """Raises `InputError`, `UnknownNameError`."""
    from openshape_ood.checks import check_choice
    from openshape_ood.views.completion import RELATIONS

    parts = [part.strip() for part in words.split(";")]
    if len(parts) != 3 or not all(parts):
        raise InputError(
            f"--locate is {words!r}; expected 'target; relation; reference', as 'lamp; behind; chair', with one of "
            f"{', '.join(RELATIONS)}"
        )
    check_choice(parts[1], "relation", RELATIONS)
    return parts[0], parts[1], parts[2]


def _loaded(file: Path, depth: Path | None, camera: Path | None, depth_scale: float | None) -> View:
    from openshape_ood.views import load_view

    try:
        return load_view(file, depth=depth, camera=camera, depth_scale=depth_scale)
    except (FileError, InputError) as error:
        raise type(error)(_by_options(error)) from error


def _by_options(message: object) -> str:
    return str(message).replace("depth_scale=", "--depth-scale ").replace("View(...)", "the camera file")


def _generated(names: list[str], seed: int) -> tuple[View, Affinities]:
    """A room of what is named and one thing that is not."""
    import numpy as np

    from openshape_ood.cli.scene import foreign_to
    from openshape_ood.synthetic.calibration import resolve
    from openshape_ood.synthetic.views import room_view
    from openshape_ood.views.affinities import Affinities

    categories, foreign = foreign_to(names, "--names")
    made = room_view(seed, categories=categories, foreign=[foreign], objects=6, size=(144, 192))
    print_note(f"no FILE: a generated room of {', '.join(categories)}, and one {foreign}; affinities are its masks")
    return made.view, Affinities.from_masks(np.stack([made.mask(resolve(name) or name) for name in names]), names)


def _relevancy(scene: View, names: list[str], clip: ClipOptions, device: str | None, seed: int) -> Affinities:
    from openshape_ood.encoders.text.encoder import clean_names

    clean_names(names)  # refused before anything is downloaded
    try:
        encoder = clip.encoder(device)
    except CheckpointError as error:
        raise CheckpointError(f"{error}. Without CLIP: --masks FILE.npz or --affinities FILE.npz") from error
    with steps("tiles") as step:
        return encoder.encode_image(scene.rgb, names, preset=clip.preset, seed=seed, progress=step)


def _given(scene: View, affinities: Path | None, masks: Path | None) -> Affinities:
    """Affinities from a file, to all names that it has."""
    from openshape_ood.views.affinities import Affinities

    loaded = Affinities.load_masks(masks) if masks is not None else Affinities.load(affinities or "")
    loaded.check_fits(scene)
    return loaded


def _with_those_of_the_file(
    scene: View, names: list[str], questions: list[tuple[str, str, str]], has: Affinities | None
) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Names and questions that the user gave; those of a published scene file where the user gave none.

    Where affinities come from a file: its names, and of the questions those about them.
    """
    from openshape_ood.views.completion import RELATIONS
    from openshape_ood.views.completion.result import questions_of

    if has is None and not names and scene.names:
        names = list(scene.names)
        print_note(f"names of the file: {shown(', '.join(names))}")
    if questions or not scene.questions:
        return names, questions
    questions = questions_of(scene, None if has is None else has.names)
    if questions:
        print_note(f"questions of the file: {shown(', '.join(map(' '.join, questions)))}")
    if left := len(scene.questions) - len(questions):
        known = f"their relation is one of {', '.join(RELATIONS)}, and there are affinities to both names"
        print_note(f"{left} of the file's questions left out; a question is asked if {known}")
    return names or ([] if has is None else list(has.names)), questions


def _joined(numbers: list[float] | None, between: str) -> str | None:
    return None if numbers is None else between.join(f"{number:.2f}" for number in numbers)


def _check_film(film: str, out: Path | None) -> None:
    if out is None:
        raise InputError(f"--film {film} has no folder to be written to. Give --out FOLDER, or leave --film out")
    if film == "mp4" and find_spec("imageio_ffmpeg") is None:
        raise MissingPackageError("MP4 films need imageio-ffmpeg: pip install 'openshape-ood[film]'")


def _written(result: CompletedView, folder: Path, film: str) -> list[Path]:
    written = result.save(folder)
    if not can_draw():
        return written
    from openshape_ood import plots

    written.append(plots.save(result.plot(), folder / "view.png"))
    if find_spec("skimage") is None or find_spec("imageio") is None:
        print_note("no meshes, page and film: these need pip install 'openshape-ood[views]'", "yellow")
        return written
    if find_spec("plotly") is not None:
        written.append(plots.save(plots.turnable(result, title=result.view.name), folder / "view.html"))
    return [*written, plots.film(result, folder / f"view.{film}")]
