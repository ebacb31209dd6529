"""`python -m benchmarks relevancy`: does looking at several scales find small things, and what does it cost?

A vision transformer of two blocks is trained in half a minute to tell colored discs in images of 32 pixels a side, then
asked for three discs of the same size in pictures of 128: the pointing game, the share of names whose most relevant
pixel lies on their disc, of each scale, of one tile and of four scales. Beside it, of a model of open_clip with random
weights: CPU time of the fast path and of the general rule for the same block, and time and memory of each preset.

The first block of so small a network brings the colors to patches elsewhere, so that attention of the last block alone
finds 70 % even of discs in an image of the size of training; rolled out over both blocks it finds nearly all. Dropping
half of the patches in training, and layers that begin as nearly nothing, keep more of it in place.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import log_softmax, normalize

from benchmarks import options
from benchmarks.performance.harness import machine, memory, versions
from benchmarks.report.output import write_json
from openshape_ood.storage import replacing
from openshape_ood.views.relevancy import PRESETS, Preset, RelevancyEncoder, tiling
from openshape_ood.views.relevancy.attention import Tower
from openshape_ood.views.relevancy.loading import clip_tokenizer

COLORS = {
    "red": (0.9, 0.1, 0.1), "green": (0.1, 0.7, 0.1), "blue": (0.1, 0.2, 0.9), "yellow": (0.9, 0.9, 0.1),
    "cyan": (0.1, 0.8, 0.9), "magenta": (0.9, 0.1, 0.8), "white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0),
}  # fmt: skip
SIDE, WIDER = 32, 4  # pixels of what is trained with; how much larger the pictures are
RADIUS = (3.0, 7.0)
GAMES = {
    "one tile": Preset(scales=((1, 1),)),
    "tiles of 2/3": Preset(scales=((2, 3),)),
    "tiles of 1/2": Preset(scales=((1, 2),)),
    "tiles of 1/4": Preset(scales=((1, 4),)),
    "four scales": PRESETS["quick"],
}
VISION: dict[str, Any] = {"image_size": SIDE, "patch_size": 4, "width": 48, "layers": 2, "head_width": 16}
VISION |= {"patch_dropout": 0.5, "ls_init_value": 0.03}
TEXT = {"width": 16, "heads": 1, "layers": 1, "vocab_size": 49408, "context_length": 8}
ASKED = (1, 4, 16, 64)  # names, of the two ways
NAMES = 14  # of the presets
AFFORDABLE = 300  # passes of a preset that is measured as a whole
# what the published code does is mended step by step
CASES: dict[str, Any] = {
    "as published": {"legacy": "height", "background": None},
    "tile size by the shorter side": {"legacy": "shorter", "background": None},
    "and less a fixed background": {"legacy": "shorter", "background": list(COLORS)},
    "and every pixel covered: as it is now": {"legacy": "", "background": list(COLORS)},
}


def discs(rng: np.random.Generator, side: int, count: int) -> tuple[np.ndarray, list[str], list[np.ndarray]]:
    """A gray noisy picture (side, side, 3) uint8 with discs that do not touch, their colors, and a mask of each."""
    picture = rng.uniform(0.3, 0.7) + rng.normal(0, 0.05, (side, side, 3))
    colors = [str(color) for color in rng.permutation(list(COLORS))[:count]]
    y, x = np.mgrid[:side, :side]
    masks: list[np.ndarray] = []
    taken = np.zeros((side, side), dtype=bool)
    for color in colors:
        for _ in range(100):
            radius = rng.uniform(*RADIUS)
            row, column = rng.uniform(radius, side - radius, 2)
            away = np.hypot(y - row, x - column)
            if not taken[away <= radius + 2].any():
                break
        masks.append(away <= radius)
        taken |= masks[-1]
        picture[masks[-1]] = COLORS[color] + rng.normal(0, 0.05, (int(masks[-1].sum()), 3))
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8), colors, masks


def trained(seed: int, steps: int, batch: int = 48) -> Any:
    """A CLIP that tells which discs are in an image; without any, all colors are as likely."""
    import open_clip

    torch.manual_seed(seed)
    model: Any = open_clip.CLIP(32, VISION, TEXT)
    rng, names = np.random.default_rng(seed), list(COLORS)
    tokens = clip_tokenizer(TEXT["context_length"])(names)
    encoder = toy(model.eval())
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        made = [discs(rng, SIDE, int(count)) for count in rng.integers(0, 4, batch)]
        images = encoder.normalized(np.stack([picture for picture, _, _ in made]).transpose(0, 3, 1, 2))
        target = torch.tensor([[float(name in found) for name in names] for _, found, _ in made])
        target = torch.where(target.sum(dim=1, keepdim=True) > 0, target, torch.ones(()))
        target /= target.sum(dim=1, keepdim=True)
        text = normalize(model.encode_text(tokens), dim=-1)
        logits = 10 * normalize(model.encode_image(images), dim=-1) @ text.T
        loss = -(target * log_softmax(logits, dim=-1)).sum(dim=-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def toy(model: Any, first_block: int = 0) -> RelevancyEncoder:
    """The encoder of such a model, by the attention of both of its blocks."""
    tokens = clip_tokenizer(TEXT["context_length"])
    return RelevancyEncoder(model, tokens, templates="", first_block=first_block, device="cpu", cache=False)


def pointing(encoder: RelevancyEncoder, pictures: int, seed: int, side: int = SIDE * WIDER) -> dict[str, float]:
    """The pointing game of each preset, over three names in each of so many pictures."""
    hits: dict[str, list[bool]] = {name: [] for name in GAMES}
    for i in range(pictures):
        picture, colors, masks = discs(np.random.default_rng([seed, i]), side, 3)
        for name, preset in GAMES.items():
            found = encoder.encode_image(picture, colors, preset=preset, background=list(COLORS))
            for values, mask in zip(found.values, masks, strict=True):
                hits[name].append(bool(mask.reshape(-1)[values.argmax()]))
    return {name: float(np.mean(found)) for name, found in hits.items()}


def compared(model: Any, out: Path) -> Path:
    """One page of one tall picture: as published, with some of it mended, and as it is now."""
    from PIL import Image

    from openshape_ood import plots

    columns = slice(0, SIDE * 5 // 2)
    drawn = (discs(np.random.default_rng(seed), SIDE * WIDER, 3) for seed in itertools.count())
    # all of them within, one of them low
    whole, names, _ = next(
        one for one in drawn if one[2][0][100:].any() and not np.any(one[2], axis=0)[:, columns.stop :].any()
    )
    encoder, sheets = toy(model), []
    for title, how in CASES.items():
        preset = replace(GAMES["four scales"], legacy=how["legacy"])
        found = encoder.encode_image(whole[:, columns], names, preset=preset, background=how["background"])
        buffer = io.BytesIO()
        plots.relevancy(found, title=title).savefig(buffer, dpi=40, format="png")
        sheets.append(Image.open(buffer).convert("RGB"))
    w, h = sheets[0].size
    page = Image.new("RGB", (2 * w, 2 * h), "white")
    for i, one in enumerate(sheets):
        page.paste(one, (i % 2 * w, i // 2 * h))
    with replacing(out / "relevancy-traps.png") as partial:
        page.save(partial, format="PNG", optimize=True)
    return out / "relevancy-traps.png"


def cost(model_name: str, repeats: int) -> dict[str, Any]:
    """CPU seconds of a batch of tiles by both ways for so many names, and what each preset takes of a square picture.

    Both ways share what the blocks before the last give, and one pass through the last, between all names; a name costs
    one gradient, from the logits to the attention (general rule) or to what the class token reads by it (fast path).
    """
    import open_clip

    torch.manual_seed(0)
    model: Any = open_clip.create_model(model_name, pretrained_text=False).eval().requires_grad_(False)
    tower = Tower.of(model)
    images = torch.randn(tower.batch, 3, tower.side, tower.side)
    tokens = tower.tokens(images)
    before = seconds(lambda: tower.tokens(images), repeats)
    ways = []
    for names in ASKED:
        text = normalize(torch.randn(names, model.visual.output_dim), dim=-1)
        fast, general = (
            seconds(partial(run_through, way, tokens, text), repeats) for way in (tower.last_block, tower.rollout)
        )
        times = {"names": names, "fast path": fast, "general rule": general, "last block": general / fast}
        ways.append(times | {"whole": (general + before) / (fast + before)})
    presets = {name: preset_cost(model, preset) for name, preset in PRESETS.items()}
    return {"model": model_name, "batch": tower.batch, "blocks before": before, "ways": ways, "presets": presets}


def run_through(way: Callable[..., Iterator[Any]], *given: Any) -> None:
    for _ in way(*given):
        pass


def preset_cost(model: Any, preset: Preset, side: int = 896) -> dict[str, Any]:
    """CPU seconds of a square picture, and peak MiB in addition to the model.

    A preset of too many passes is measured on one copy, not mirrored; the seconds are multiplied by the copies.
    """
    copies = (1 + preset.jitters) * (1 + preset.flip)
    tiles = len(tiling.cut(side, side, preset))
    measured = tiles * copies <= AFFORDABLE
    encoder = RelevancyEncoder(model, clip_tokenizer(77), device="cpu", cache=False)
    picture = discs(np.random.default_rng(0), side, 3)[0]
    shown = preset if measured else replace(preset, jitters=0, flip=False)
    memory(forget=True)
    before, began = memory().get("resident", 0), time.process_time()
    encoder.encode_image(picture, [f"name {i}" for i in range(NAMES)], preset=shown, background=())
    spent = time.process_time() - began
    peak = (memory().get("peak", 0) - before) / 2**20
    found = {"tiles": tiles, "passes": tiles * copies, "seconds": spent * (1 if measured else copies), "mib": peak}
    return found | {"measured": measured}


def seconds(run: Callable[[], object], repeats: int) -> float:
    """CPU seconds, the least of so many runs."""
    found = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        found.append(time.process_time() - began)
    return min(found)


def run(args: argparse.Namespace) -> None:
    options.check(args, steps=1, pictures=1)
    torch.set_num_threads(args.threads)
    began = time.process_time()
    model = trained(args.seed, args.steps)
    spent = time.process_time() - began
    game = pointing(toy(model), args.pictures, args.seed + 1)
    last = pointing(toy(model, 1), args.pictures, args.seed + 1)
    print(f"pointing game, {3 * args.pictures} small discs, {spent:.0f} CPU seconds of training\n")
    rows = [[name, f"{game[name]:.2f}", f"{last[name]:.2f}"] for name in game]
    print(options.grid(["", "both blocks", "the last"], rows))
    found = cost(args.model, args.repeats)
    about = f"{found['batch']} tiles, {args.threads} threads, {found['blocks before']:.2f} s of the blocks before"
    print(f"\n{args.model}, random weights, {about}: CPU seconds of the last block\n")
    shown = ("names", "fast path", "general rule", "last block", "whole")
    told = [[f"{one[key]:.3g}" + "x" * (key in shown[3:]) for key in shown] for one in found["ways"]]
    print(options.grid(shown, told) + "\n")
    head = ["a square picture", "tiles", "passes", "CPU seconds", "MiB beside the model"]
    rows = []
    for name, one in found["presets"].items():
        mark = "" if one["measured"] else "*"
        rows.append([name, f"{one['tiles']}", f"{one['passes']}", f"{one['seconds']:.0f}{mark}", f"{one['mib']:.0f}"])
    print(options.grid(head, rows))
    args.out.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"benchmark": "relevancy", "pointing": game, "pointing by the last block": last}
    record |= {"cost": found, "training_seconds": spent, "machine": machine()}
    record |= {key: getattr(args, key) for key in ("steps", "pictures", "seed", "threads")}
    record["versions"] = versions("torch", "open_clip", "numpy")
    print("* one copy was measured, times the number of copies")
    print(f"\n{write_json(args.out / f'relevancy{options.suffix(args)}.json', record)}, {compared(model, args.out)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Train, measure, print tables and write the JSON: 0 when done, 1 when the input was wrong."""
    parser = options.parser(
        "relevancy", "does looking at several scales find small things", "seed", "threads", repeats=2
    )
    parser.add_argument("--model", default="ViT-B-32", help="of open_clip, for the times (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="of training (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=60, help="of the pointing game (default: %(default)s)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
