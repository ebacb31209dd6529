"""openshape-ood demo: scores and a novelty map of generated shapes, offline, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from openshape_ood.cli import options
from openshape_ood.cli.console import print_line, print_note, print_table, shown, write
from openshape_ood.cli.options import option
from openshape_ood.errors import FileError, MissingPackageError

if TYPE_CHECKING:
    import numpy as np

    from openshape_ood.novelty_map import NoveltyMap

KNOWN = ("chair", "sofa", "table")
STRANGERS = ("guitar", "bicycle", "toilet", "dog")
POINTS = 2048
EXAMPLES = 80  # example chairs, compared with the chair that has a foreign part
PLANTED_SEED = 101  # gives a chair with complete seat and legs
PLANTED = "a chair with a guitar for a back"
DRAWN = ("chair 1", "sofa 1", "table 1", "guitar", "bicycle", "dog", PLANTED)

HELP = """
  openshape-ood demo
  openshape-ood demo --folder /tmp --model tiny
"""


def demo(
    *,
    model: Annotated[
        str, option(None, "Encoder. small and tiny are in the package.", "NAME", "--model", "-m")
    ] = "small",
    folder: Annotated[Path, option(None, "Output folder of demo.png and demo.ply.", "FOLDER", "--folder")] = Path("."),
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Score and localize generated shapes with a packaged encoder, offline. Writes demo.png and demo.ply."""
    from openshape_ood.cli import thresholds
    from openshape_ood.novelty import NoveltyPipeline

    folder = folder.expanduser()
    if not folder.is_dir():
        raise FileError(f"--folder {folder} does not exist. Expected an existing folder. Create it, or give another.")
    pipeline = NoveltyPipeline.prepare(KNOWN, model=model, up="y")
    shapes = _shapes(seed)
    result = pipeline(list(shapes.values()))
    record = result.as_json()
    rows = [{**row, "shape": name} for name, row in zip(shapes, record["shapes"], strict=True)]
    novelty_map = _localized(shapes[PLANTED], pipeline.encoders.shape)
    written = [novelty_map.save(folder / "demo.ply")]
    try:
        written.append(_draw(shapes, rows, novelty_map, folder / "demo.png"))
    except MissingPackageError as error:
        print_note(f"no demo.png: {error}", "yellow")

    def show() -> None:
        print_line(f"Known classes, by name: {', '.join(KNOWN)}. Simulated scans of these and of four other classes:")
        print_table(rows, ("shape", "nearest", "novelty", "p_value", "verdict"), fold="shape")
        print_line(thresholds.words(pipeline.threshold))
        print_line("The last row scores the whole chair. The novelty map locates its novel part, the guitar:")
        print_line(" and ".join(shown(path) for path in written))
        print_line(f"next, try your own shapes: openshape-ood score FILES --known chair sofa table --model {model}")

    write({**record, "shapes": rows, "written": written}, json, show)


app = options.single(demo, HELP)


def _shapes(seed: int) -> dict[str, np.ndarray]:
    """Name -> cloud (n, 6): scans of known and of other classes, and a known shape with a foreign part."""
    from openshape_ood.synthetic import scan
    from openshape_ood.synthetic.planted import plant

    shapes = {f"{name} {i + 1}": scan(name, POINTS, 2 * seed + i) for name in KNOWN for i in range(2)}
    shapes.update((name, scan(name, POINTS, seed)) for name in STRANGERS)
    shapes[PLANTED] = plant("chair", "guitar", POINTS, PLANTED_SEED + seed, 0.52, "parsons", "acoustic").cloud
    return shapes


def _localized(cloud: np.ndarray, encoder: Any) -> NoveltyMap:
    from openshape_ood.novelty_map import localize
    from openshape_ood.synthetic import sample

    chairs = [sample("chair", POINTS, 1000 + i) for i in range(EXAMPLES)]
    return localize(cloud, {"chair": chairs}, encoder=encoder, up="y")


def _draw(shapes: dict[str, np.ndarray], rows: list[dict[str, Any]], novelty_map: NoveltyMap, path: Path) -> Path:
    from openshape_ood import plots

    figure, axes = plots.panels(2, 4, size=(10.5, 5.8))
    of = {row["shape"]: row for row in rows}
    for ax, name in zip(axes.flat, DRAWN, strict=False):
        title = f"{name}\nnovelty {of[name]['novelty']:.2f}: {of[name]['verdict']}"
        plots.cloud(shapes[name], ax=ax, title=title)
    last = plots.novelty_map(novelty_map, ax=axes.flat[-1], bar=False)
    size = axes.flat[0].title.get_fontsize()
    last.set_title("novelty map, against other chairs:\ngray known, dark red novel", fontsize=size)
    return plots.save(figure, path)
