"""openshape-ood demo: the whole thing on generated shapes, offline, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openshape_ood.cli import options
from openshape_ood.cli.console import console, new_table, print_json, print_line, print_note, shown, text
from openshape_ood.errors import FileError, MissingPackageError

if TYPE_CHECKING:
    import numpy as np

    from openshape_ood.cli.limits import Limit
    from openshape_ood.novelty import NoveltyResult
    from openshape_ood.novelty_map import NoveltyMap

KNOWN = ("chair", "sofa", "table")
STRANGERS = ("guitar", "bicycle", "toilet", "dog")
POINTS = 2048
EXAMPLES = 80  # chairs that the planted one is compared with
PLANTED_SEED = 101  # a chair whose seat and legs stay whole
PLANTED = "a chair with a guitar for a back"

HELP = """
  openshape-ood demo
  openshape-ood demo --folder /tmp
"""


@options.with_examples(HELP)
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="FOLDER", help="Where demo.png and demo.ply are written.")
    ] = Path("."),
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Score and localize generated shapes with tiny: offline, in seconds. Writes demo.png and demo.ply."""
    from openshape_ood.cli.limits import from_generated
    from openshape_ood.cli.loading import load_encoder, load_text
    from openshape_ood.novelty import score_novelty

    folder = folder.expanduser()
    if not folder.is_dir():
        raise FileError(f"--folder is {folder}; expected a folder that there is")
    encoder = load_encoder("tiny", None, None)
    words = load_text(encoder, None)
    shapes = _shapes(seed)

    def judge(clouds: list[Any], ups: list[str]) -> NoveltyResult:
        return score_novelty(clouds, list(KNOWN), encoder=encoder, text=words, up=ups)

    limit = from_generated(KNOWN, 0.95, 32, lambda clouds, ups: judge(clouds, ups).novelty)
    result = judge(list(shapes.values()), ["y"] * len(shapes))
    found = _localize(shapes[PLANTED], encoder)
    written = [found.save(folder / "demo.ply")]
    try:
        written.append(_draw(shapes, result.novelty, limit, found, folder / "demo.png"))
    except MissingPackageError as error:
        print_note(f"no demo.png: {error}", "yellow")
    rows = _rows(list(shapes), result, limit)
    if json:
        record = {"known": list(KNOWN), "threshold": limit.record(), "shapes": rows, "written": written}
        print_json({**record, "written": [str(path) for path in written]})
        return
    _print(rows, limit, written)


def _shapes(seed: int) -> dict[str, np.ndarray]:
    """Name -> cloud: scans of known classes and of strangers, and a known shape with a foreign part."""
    from openshape_ood.synthetic import scan
    from openshape_ood.synthetic.planted import plant

    shapes = {f"{name} {i + 1}": scan(name, POINTS, 2 * seed + i) for name in KNOWN for i in range(2)}
    shapes.update((name, scan(name, POINTS, seed)) for name in STRANGERS)
    shapes[PLANTED] = plant("chair", "guitar", POINTS, PLANTED_SEED + seed, 0.52, "parsons", "acoustic").cloud
    return shapes


def _localize(cloud: np.ndarray, encoder: Any) -> NoveltyMap:
    from openshape_ood.localization import localize
    from openshape_ood.synthetic import sample

    chairs = [sample("chair", POINTS, 1000 + i) for i in range(EXAMPLES)]
    return localize(cloud, {"chair": chairs}, encoder=encoder)


def _rows(names: list[str], result: NoveltyResult, limit: Limit) -> list[dict[str, Any]]:
    found = zip(names, result.nearest, result.novelty, limit.p_values(result.novelty), strict=True)
    verdicts = limit.verdicts(result.novelty)
    return [
        {"shape": name, "nearest": str(nearest), "novelty": float(novelty), "p_value": p, "verdict": verdict}
        for (name, nearest, novelty, p), verdict in zip(found, verdicts, strict=True)
    ]


def _draw(shapes: dict[str, np.ndarray], novelty: Any, limit: Limit, found: NoveltyMap, path: Path) -> Path:
    from openshape_ood import plots

    chosen = ["chair 1", "sofa 1", "table 1", "guitar", "bicycle", "dog", PLANTED]
    figure, axes = plots.panels(2, 4, size=(10.5, 5.8))
    verdicts = dict(zip(shapes, zip(novelty, limit.verdicts(novelty), strict=True), strict=True))
    for ax, name in zip(axes.flat, chosen, strict=False):
        value, verdict = verdicts[name]
        plots.cloud(shapes[name], ax=ax, title=f"{name}\nnovelty {value:.2f}: {verdict}")
    last = plots.novelty_map(found, ax=axes.flat[-1], bar=False)
    size = axes.flat[0].title.get_fontsize()
    last.set_title("where: against other chairs,\ngray known, dark red novel", fontsize=size)
    return plots.save(figure, path)


def _print(rows: list[dict[str, Any]], limit: Limit, written: list[Path]) -> None:
    table = new_table("shape", "nearest", "novelty", "p-value", "verdict", right=["novelty", "p-value"], fold=["shape"])
    for row in rows:
        style = "bold red" if row["verdict"] == "novel" else "green"
        cells = text(row["shape"]), text(row["nearest"]), f"{row['novelty']:.3f}", f"{row['p_value']:.3f}"
        table.add_row(*cells, text(row["verdict"], style))
    print_line(f"Known by name: {', '.join(KNOWN)}. Simulated scans of these, and of four other things:")
    console().print(table)
    print_line(limit.words.partition(";")[0])
    print_line("A score is of the whole shape. Where it is novel, the novelty map says: the guitar, colored in")
    print_line(" and ".join(shown(path) for path in written))
    print_line("next, your own shapes: openshape-ood score FILES --known chair sofa table --model tiny")
