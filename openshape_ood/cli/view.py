"""openshape-ood view: complete the objects of an image with depth, and find occupied space without a known name."""

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
RELEASED = "semabs-vool"  # default network if --relations-checkpoint is given
COLUMNS = ("name", "status", "affinity", "liters", "size", "center")
VIEW, COMPLETION = "View", "Completion"


def view(
    file: Annotated[
        Path | None,
        argument(
            "A color image. Give --depth and --camera too, or put depth.png and camera.json into its folder. FILE may "
            "also be this folder, an .npz file with rgb, depth, intrinsics and pose, or a published scene (.pkl) with "
            "names and questions. Default: a generated room and its masks.",
            "[FILE]",
        ),
    ] = None,
    /,
    *,
    depth: Annotated[
        Path | None, option(VIEW, "Depth: a 16-bit PNG file of the same size as the image.", "FILE")
    ] = None,
    camera: Annotated[
        Path | None, option(VIEW, "Camera: a JSON file with intrinsics, pose and, optionally, depth_scale.", "FILE")
    ] = None,
    depth_scale: Annotated[float | None, option(VIEW, "Number of depth units per meter, such as 1000.", "X")] = None,
    names: Annotated[
        list[str] | None, option(VIEW, "Names of the objects to complete, known or not.", "NAME...")
    ] = None,
    known: Annotated[list[str] | None, option(VIEW, "Known names among --names. Default: all.", "NAME...")] = None,
    locate: Annotated[
        list[str] | None,
        option(
            VIEW,
            "Object to locate: target, relation and reference, as in 'lamp; behind; chair'. Relations: in, "
            "behind, in front of, on the left of, on the right of, on. May be repeated.",
            "QUESTION",
        ),
    ] = None,
    affinities: Annotated[
        Path | None, option(VIEW, "Affinities in place of CLIP: an .npz file from `relevancy --out`.", "FILE")
    ] = None,
    masks: Annotated[
        Path | None, option(VIEW, "Masks in place of CLIP: an .npz file with one array (h, w) per name.", "FILE")
    ] = None,
    out: Annotated[
        Path | None,
        option(RESULT, "Output folder for JSON, PLY, OBJ and GLB files, pictures and a film.", "FOLDER", "--out", "-o"),
    ] = None,
    film: Annotated[
        Literal["gif", "mp4"] | None,
        option(RESULT, "Format of the film. Default: gif. mp4 needs pip install 'openshape-ood\\[film]'."),
    ] = None,
    side: Annotated[int, option(RESULT, "Number of cells along each side of the grid.", min=8, max=128)] = 48,
    clip: ClipOptions = ClipOptions(),
    completion: Annotated[
        str | None, option(COMPLETION, "Completion network. Default: the packaged one.", "NAME")
    ] = None,
    completion_checkpoint: Annotated[
        Path | None, option(COMPLETION, "Your file with the weights of --completion.", "FILE")
    ] = None,
    relations: Annotated[
        str | None, option(COMPLETION, "Network for --locate. Default: the packaged one.", "NAME")
    ] = None,
    relations_checkpoint: Annotated[
        Path | None,
        option(
            COMPLETION,
            f"Your file with the weights of --relations. The default of --relations is then {RELEASED}.",
            "FILE",
        ),
    ] = None,
    seed: options.Seed = 0,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Complete the hidden parts of named objects in one view, and find occupied space without a known name."""
    from openshape_ood.views.completion import Completer, complete_view
    from openshape_ood.views.completion.complete import DEFAULT, RELATIONAL

    if film is not None:
        _check_film(film, out)
    listed, questions = split_names(names), [_question(words) for words in locate or ()]
    given = affinities is not None or masks is not None
    if affinities is not None and masks is not None:
        raise InputError("--affinities and --masks were both given. Expected one of them. Leave one out.")
    if file is None and (given or any(one is not None for one in (depth, camera, depth_scale))):
        raise InputError(
            "--depth, --camera, --depth-scale, --affinities or --masks was given without an image. Expected FILE too. "
            "Give FILE."
        )
    if clip.changed and (file is None or given):
        why = "without an image. Expected FILE. Give FILE."
        if file is not None:
            why = "with --masks or --affinities. Expected no CLIP options, because CLIP is not used. Leave them out."
        raise InputError(f"{', '.join(clip.changed)} was given {why}")
    scene, loaded = None, None
    if file is not None:
        with warnings_as_notes(_by_options):
            scene = _loaded(file, depth, camera, depth_scale)
        loaded = _given(scene, affinities, masks) if given else None
        listed, questions = _with_scene_names(scene, listed, questions, loaded)
    if (relations or relations_checkpoint) and not questions:
        raise InputError(
            "--relations or --relations-checkpoint was given without --locate. Expected an object to locate. Give "
            "--locate."
        )
    wanted = list(dict.fromkeys([*listed, *(one for t, _, r in questions for one in (t, r))]))
    relater: str | Completer = RELATIONAL
    completer = Completer.from_pretrained(completion or DEFAULT, checkpoint=completion_checkpoint, device=device)
    if relations or relations_checkpoint:
        relater = Completer.from_pretrained(relations or RELEASED, checkpoint=relations_checkpoint, device=device)
    if scene is None:
        scene, affinity_maps = _generated(wanted or list(NAMES), seed)
    elif loaded is None:
        affinity_maps = _relevancy(scene, wanted, clip, device, seed)
    else:
        affinity_maps = loaded.of(wanted) if wanted else loaded
    how: dict[str, Any] = {"questions": questions, "model": completer, "relations": relater, "side": side, "seed": seed}
    with steps("names") as step:
        result = complete_view(scene, affinity_maps, split_names(known) if known else None, progress=step, **how)
        rows = result.rows()
    written = [] if out is None else _written(result, out.expanduser(), film or "gif")

    def show() -> None:
        cells = [{**row, "size": _joined(row["size"], " × "), "center": _joined(row["center"], ", ")} for row in rows]
        print_table(cells, COLUMNS)
        h, w = scene.shape
        print_line(
            f"{shown(scene.name)}: {w} x {h} pixels, {scene.seen.mean():.0%} with depth; affinities by "
            f"{shown(affinity_maps.provenance.method)}, completed by {shown(completer.identity.checkpoint)}"
        )
        print_written(written)

    write({**result.as_json(), "written": written}, json, show)


app = options.single(view, EXAMPLES)


def _question(words: str) -> tuple[str, str, str]:
    """Target, relation and reference of a text. Raises `InputError` or `UnknownNameError`."""
    from openshape_ood.checks import check_choice
    from openshape_ood.views.completion import RELATIONS

    parts = [part.strip() for part in words.split(";")]
    if len(parts) != 3 or not all(parts):
        raise InputError(
            f"--locate is {words!r}. Expected 'target; relation; reference', with one of the relations "
            f"{', '.join(RELATIONS)}. Write it as 'lamp; behind; chair'."
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
    """View of a generated room with the named classes and one foreign object, and its masks as affinities."""
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

    clean_names(names)  # raises before anything is downloaded
    try:
        encoder = clip.encoder(device)
    except CheckpointError as error:
        words = str(error).rstrip(".")
        raise CheckpointError(
            f"{words}. To work without CLIP, give --masks FILE.npz or --affinities FILE.npz."
        ) from error
    with steps("tiles") as step:
        return encoder.encode_image(scene.rgb, names, preset=clip.preset, seed=seed, progress=step)


def _given(scene: View, affinities: Path | None, masks: Path | None) -> Affinities:
    """Affinities from a file, for all of its names."""
    from openshape_ood.views.affinities import Affinities

    loaded = Affinities.load_masks(masks) if masks is not None else Affinities.load(affinities or "")
    loaded.check_fits(scene)
    return loaded


def _with_scene_names(
    scene: View, names: list[str], questions: list[tuple[str, str, str]], loaded: Affinities | None
) -> tuple[list[str], list[tuple[str, str, str]]]:
    """Names and questions of the options, or of a published scene file if the options have none.

    loaded: affinities from a file. They replace the names of the scene file; questions about other names are dropped.
    """
    from openshape_ood.views.completion import RELATIONS
    from openshape_ood.views.completion.result import questions_of

    if loaded is None and not names and scene.names:
        names = list(scene.names)
        print_note(f"names of the file: {shown(', '.join(names))}")
    if questions or not scene.questions:
        return names, questions
    questions = questions_of(scene, None if loaded is None else loaded.names)
    if questions:
        print_note(f"questions of the file: {shown(', '.join(map(' '.join, questions)))}")
    if dropped := len(scene.questions) - len(questions):
        needed = f"one of the relations {', '.join(RELATIONS)}, and affinities for both names"
        print_note(f"{dropped} of the file's questions are dropped; a question needs {needed}")
    return names or ([] if loaded is None else list(loaded.names)), questions


def _joined(numbers: list[float] | None, between: str) -> str | None:
    return None if numbers is None else between.join(f"{number:.2f}" for number in numbers)


def _check_film(film: str, out: Path | None) -> None:
    if out is None:
        raise InputError(f"--film {film} was given without --out. Expected a folder. Give --out FOLDER.")
    if film == "mp4" and find_spec("imageio_ffmpeg") is None:
        raise MissingPackageError(
            "MP4 films are not available. Expected the package imageio-ffmpeg. Run pip install 'openshape-ood[film]'."
        )


def _written(result: CompletedView, folder: Path, film: str) -> list[Path]:
    written = result.save(folder)
    if not can_draw():
        return written
    from openshape_ood import plots

    written.append(plots.save(result.plot(), folder / "view.png"))
    if find_spec("skimage") is None or find_spec("imageio") is None:
        print_note("no meshes, no page, no film: these need pip install 'openshape-ood[views]'", "yellow")
        return written
    if find_spec("plotly") is not None:
        written.append(plots.save(plots.turnable(result, title=result.view.name), folder / "view.html"))
    return [*written, plots.film(result, folder / f"view.{film}")]
