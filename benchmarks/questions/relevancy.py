"""`python -m benchmarks relevancy`: do several scales find small objects, and what do they cost?

A vision transformer with two blocks is trained in half a minute on colored discs in images of 32 x 32 pixels. It is
tested on three discs of the same size in images of 128 x 128 pixels. Each scale, one tile and four scales play the
pointing game: the fraction of names whose most relevant pixel is on their disc. Costs are measured with a model of
open_clip with random weights: CPU time of the fast path and of the general rule for the last block, time and memory of
each preset.

The first block of this small network moves colors to other patches. Attention of the last block alone therefore finds
only 70 % of the discs even at training size; rolled out over both blocks it finds nearly all. Patch dropout and a small
initial layer scale reduce this effect.
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
from benchmarks.performance.harness import least_seconds, machine, memory, versions
from benchmarks.report.output import write_json
from openshape_ood.storage import replacing
from openshape_ood.views.relevancy import PRESETS, Preset, RelevancyEncoder, tiling
from openshape_ood.views.relevancy.attention import Tower
from openshape_ood.views.relevancy.loading import clip_tokenizer

COLORS = {
    "red": (0.9, 0.1, 0.1), "green": (0.1, 0.7, 0.1), "blue": (0.1, 0.2, 0.9), "yellow": (0.9, 0.9, 0.1),
    "cyan": (0.1, 0.8, 0.9), "magenta": (0.9, 0.1, 0.8), "white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0),
}  # fmt: skip
SIDE, WIDER = 32, 4  # pixels per side of training images; factor to the side of test images
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
COUNTS = (1, 4, 16, 64)  # numbers of names, for fast path and general rule
NAMES = 14  # number of names, for the presets
AFFORDABLE = 300  # a preset with more passes is measured on one copy only
# the published code, then each time with one more fault corrected
CASES: dict[str, Any] = {
    "as published": {"legacy": "height", "background": None},
    "tile size by the shorter side": {"legacy": "shorter", "background": None},
    "and less a fixed background": {"legacy": "shorter", "background": list(COLORS)},
    "and every pixel covered: as it is now": {"legacy": "", "background": list(COLORS)},
}


def discs(rng: np.random.Generator, side: int, count: int) -> tuple[np.ndarray, list[str], list[np.ndarray]]:
    """A gray noisy image (side, side, 3) uint8 with separate discs, their colors, and the mask of each disc."""
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
    """Train a small CLIP to recognize the discs in an image; without discs, its target is uniform over colors."""
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
        target = torch.tensor([[float(name in shown) for name in names] for _, shown, _ in made])
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
    """Relevancy encoder of a trained model; first_block 0 uses the attention of both blocks."""
    tokens = clip_tokenizer(TEXT["context_length"])
    return RelevancyEncoder(model, tokens, templates="", first_block=first_block, device="cpu", cache=False)


def pointing(encoder: RelevancyEncoder, pictures: int, seed: int, side: int = SIDE * WIDER) -> dict[str, float]:
    """Pointing game of each preset, with three names in each image."""
    hits: dict[str, list[bool]] = {name: [] for name in GAMES}
    for i in range(pictures):
        picture, colors, masks = discs(np.random.default_rng([seed, i]), side, 3)
        for name, preset in GAMES.items():
            relevancies = encoder.encode_image(picture, colors, preset=preset, background=list(COLORS))
            for values, mask in zip(relevancies.values, masks, strict=True):
                hits[name].append(bool(mask.reshape(-1)[values.argmax()]))
    return {name: float(np.mean(each)) for name, each in hits.items()}


def compared(model: Any, out: Path) -> Path:
    """Draw the relevancy of one tall image by each of `CASES`."""
    from PIL import Image

    from openshape_ood import plots

    columns = slice(0, SIDE * 5 // 2)
    drawn = (discs(np.random.default_rng(seed), SIDE * WIDER, 3) for seed in itertools.count())
    # all discs inside the columns, one of them at the bottom
    whole, names, _ = next(
        one for one in drawn if one[2][0][100:].any() and not np.any(one[2], axis=0)[:, columns.stop :].any()
    )
    encoder, sheets = toy(model), []
    for title, how in CASES.items():
        preset = replace(GAMES["four scales"], legacy=how["legacy"])
        relevancies = encoder.encode_image(whole[:, columns], names, preset=preset, background=how["background"])
        buffer = io.BytesIO()
        plots.relevancy(relevancies, title=title).savefig(buffer, dpi=40, format="png")
        sheets.append(Image.open(buffer).convert("RGB"))
    w, h = sheets[0].size
    page = Image.new("RGB", (2 * w, 2 * h), "white")
    for i, one in enumerate(sheets):
        page.paste(one, (i % 2 * w, i // 2 * h))
    with replacing(out / "relevancy-traps.png") as partial:
        page.save(partial, format="PNG", optimize=True)
    return out / "relevancy-traps.png"


def cost(model_name: str, repeats: int) -> dict[str, Any]:
    """CPU seconds of a batch of tiles by fast path and general rule, and cost of each preset for a square image.

    For all names together, both compute the earlier blocks and the forward pass of the last block once. Each name then
    costs one gradient: to the attention (general rule), or to the values read by the class token (fast path).
    """
    import open_clip

    torch.manual_seed(0)
    model: Any = open_clip.create_model(model_name, pretrained_text=False).eval().requires_grad_(False)
    tower = Tower.of(model)
    images = torch.randn(tower.batch, 3, tower.side, tower.side)
    tokens = tower.tokens(images)
    before = least_seconds(lambda: tower.tokens(images), repeats)
    ways = []
    for names in COUNTS:
        text = normalize(torch.randn(names, model.visual.output_dim), dim=-1)
        fast, general = (
            least_seconds(partial(run_through, way, tokens, text), repeats) for way in (tower.last_block, tower.rollout)
        )
        times = {"names": names, "fast path": fast, "general rule": general, "last block": general / fast}
        ways.append(times | {"whole": (general + before) / (fast + before)})
    presets = {name: preset_cost(model, preset) for name, preset in PRESETS.items()}
    return {"model": model_name, "batch": tower.batch, "blocks before": before, "ways": ways, "presets": presets}


def run_through(way: Callable[..., Iterator[Any]], *given: Any) -> None:
    for _ in way(*given):
        pass


def preset_cost(model: Any, preset: Preset, side: int = 896) -> dict[str, Any]:
    """CPU seconds for a square image, and peak MiB in addition to the model.

    A preset with more than `AFFORDABLE` passes is measured on one unmirrored copy; its seconds are multiplied by the
    number of copies.
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
    seconds = spent * (1 if measured else copies)
    return {"tiles": tiles, "passes": tiles * copies, "seconds": seconds, "mib": peak, "measured": measured}


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
    costs = cost(args.model, args.repeats)
    about = f"{costs['batch']} tiles, {args.threads} threads, {costs['blocks before']:.2f} s for the earlier blocks"
    print(f"\n{args.model}, random weights, {about}: CPU seconds of the last block\n")
    shown = ("names", "fast path", "general rule", "last block", "whole")
    cells = [[f"{one[key]:.3g}" + "x" * (key in shown[3:]) for key in shown] for one in costs["ways"]]
    print(options.grid(shown, cells) + "\n")
    head = ["a square image", "tiles", "passes", "CPU seconds", "MiB without the model"]
    rows = []
    for name, one in costs["presets"].items():
        mark = "" if one["measured"] else "*"
        rows.append([name, f"{one['tiles']}", f"{one['passes']}", f"{one['seconds']:.0f}{mark}", f"{one['mib']:.0f}"])
    print(options.grid(head, rows))
    record: dict[str, Any] = {"benchmark": "relevancy", "pointing": game, "pointing by the last block": last}
    record |= {"cost": costs, "training_seconds": spent, "machine": machine()}
    record |= {key: getattr(args, key) for key in ("steps", "pictures", "seed", "threads")}
    record["versions"] = versions("torch", "open_clip", "numpy")
    print("* measured on one copy and multiplied by the number of copies")
    print(f"\n{write_json(args.out / f'relevancy{options.suffix(args)}.json', record)}, {compared(model, args.out)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("relevancy", "do several scales find small objects?", "seed", "threads", repeats=2)
    parser.add_argument("--model", default="ViT-B-32", help="model of open_clip to time (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="training steps (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=60, help="images of the pointing game (default: %(default)s)")
    return options.run(parser, run, argv)
