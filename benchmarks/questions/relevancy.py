"""`python -m benchmarks.relevancy`: does looking at several scales find small things, and what does it cost?

A vision transformer of two blocks is trained in half a minute to tell colored discs in images of 32 pixels a side, then
asked for three discs of the same size in pictures of 128: the pointing game, the share of names whose most relevant
pixel lies on their disc, of one tile and of four scales. Beside it, of a model of open_clip with random weights: CPU
time of the fast path and of the general rule for the same block, and time and memory of each preset.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import log_softmax, normalize

from benchmarks import options
from benchmarks.performance.harness import machine, memory, versions
from benchmarks.report.output import write_json
from openshape_ood.views.relevancy import PRESETS, Preset, RelevancyEncoder, tiling
from openshape_ood.views.relevancy.attention import Tower
from openshape_ood.views.relevancy.loading import clip_tokenizer

COLORS = {
    "red": (0.9, 0.1, 0.1), "green": (0.1, 0.7, 0.1), "blue": (0.1, 0.2, 0.9), "yellow": (0.9, 0.9, 0.1),
    "cyan": (0.1, 0.8, 0.9), "magenta": (0.9, 0.1, 0.8), "white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0),
}  # fmt: skip
SIDE, WIDER = 32, 4  # pixels of what is trained with; how much larger the pictures are
RADIUS = (3.0, 7.0)
ONE_TILE, FOUR_SCALES = Preset(scales=((1, 1),)), PRESETS["quick"]
VISION = {"image_size": SIDE, "patch_size": 4, "width": 48, "layers": 2, "head_width": 16}
TEXT = {"width": 16, "heads": 1, "layers": 1, "vocab_size": 49408, "context_length": 8}
NAMES = 14  # of the timing


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
    encoder = RelevancyEncoder(model.eval(), clip_tokenizer(8), device="cpu", cache=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        made = [discs(rng, SIDE, int(count)) for count in rng.integers(0, 3, batch)]
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


def pointing(model: Any, pictures: int, seed: int) -> dict[str, float]:
    """The pointing game of one tile and of four scales, over three names in each of so many pictures."""
    encoder = RelevancyEncoder(model, clip_tokenizer(8), templates="", device="cpu", cache=False)
    hits: dict[str, list[bool]] = {"one tile": [], "four scales": []}
    for i in range(pictures):
        picture, colors, masks = discs(np.random.default_rng([seed, i]), SIDE * WIDER, 3)
        for name, preset in zip(hits, (ONE_TILE, FOUR_SCALES), strict=True):
            found = encoder.encode_image(picture, colors, preset=preset, background=list(COLORS))
            for values, mask in zip(found.values, masks, strict=True):
                hits[name].append(bool(mask.reshape(-1)[values.argmax()]))
    return {name: float(np.mean(found)) for name, found in hits.items()}


def compared(model: Any, out: Path) -> list[Path]:
    """Sheets of one tall picture, as published and as it is now."""
    from openshape_ood import plots

    whole, colors, masks = discs(np.random.default_rng(7), SIDE * WIDER, 3)
    columns = slice(0, SIDE * 2)
    names = [color for color, mask in zip(colors, masks, strict=True) if mask[:, columns].any()]
    encoder = RelevancyEncoder(model, clip_tokenizer(8), templates="", device="cpu", cache=False)
    written = []
    for name, how in (("published", {"legacy": True}), ("repaired", {"background": list(COLORS)})):
        settings: Any = how
        found = encoder.encode_image(whole[:, columns], names, preset=FOUR_SCALES, **settings)
        written.append(plots.save(plots.relevancy(found, title=f"four scales, {name}"), out / f"relevancy-{name}.png"))
    return written


def cost(model_name: str, repeats: int) -> dict[str, Any]:
    """CPU seconds of a batch of tiles by both ways, and what each preset takes of a square picture.

    A preset's time is that of a tile times its passes; its memory that of one batch and of all maps of tiles.
    """
    import open_clip

    torch.manual_seed(0)
    model: Any = open_clip.create_model(model_name, pretrained_text=False).eval().requires_grad_(False)
    tower = Tower.of(model)
    images, text = torch.randn(tower.batch, 3, tower.side, tower.side), torch.randn(NAMES, model.visual.output_dim)
    text = normalize(text, dim=-1)
    tokens = tower.tokens(images)
    memory(forget=True)
    before = memory().get("peak", 0)
    fast = seconds(lambda: list(tower.last_block(tokens, text)), repeats)
    slow = seconds(lambda: list(tower.rollout(tokens, text)), repeats)
    shared = seconds(lambda: tower.tokens(images), repeats)
    memory(forget=True)
    list(tower.last_block(tower.tokens(images), text))
    peak = (memory().get("peak", 0) - before) / 2**20
    presets = {}
    for name, preset in PRESETS.items():
        tiles = len(tiling.cut(896, 896, preset))
        passes = tiles * (1 + preset.jitters) * (1 + preset.flip)
        maps = 4 * NAMES * tiles * tower.grid**2 / 2**20
        presets[name] = {"tiles": tiles, "passes": passes, "seconds": passes * (shared + fast) / tower.batch}
        presets[name] |= {"mib": peak + maps}
    times = {"blocks before": shared, "fast path": fast, "general rule": slow}
    return {"model": model_name, "batch": tower.batch, "names": NAMES, "seconds": times, "presets": presets}


def seconds(run: Callable[[], object], repeats: int) -> float:
    """CPU seconds, the least of so many runs."""
    found = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        found.append(time.process_time() - began)
    return min(found)


def run(args: argparse.Namespace) -> None:
    options.check(args, steps=1, pictures=1, threads=1, repeats=1)
    torch.set_num_threads(args.threads)
    began = time.process_time()
    model = trained(args.seed, args.steps)
    spent = time.process_time() - began
    game = pointing(model, args.pictures, args.seed + 1)
    print(f"pointing game, {3 * args.pictures} small discs, {spent:.0f} CPU seconds of training\n")
    print(options.grid(["", "hits"], [[name, f"{share:.2f}"] for name, share in game.items()]))
    found = cost(args.model, args.repeats)
    times = found["seconds"]
    ratio = times["general rule"] / times["fast path"]
    about = f"{found['batch']} tiles, {NAMES} names, {args.threads} threads"
    print(f"\n{args.model}, random weights, {about}: CPU seconds\n")
    print(options.grid(["", "seconds"], [[name, f"{value:.2f}"] for name, value in times.items()]))
    whole = (times["general rule"] + times["blocks before"]) / (times["fast path"] + times["blocks before"])
    print(f"\nthe fast path is {ratio:.1f} times as fast for the last block, {whole:.1f} times for the whole\n")
    head = ["a square picture", "tiles", "passes", "CPU seconds", "MiB beside the model"]
    rows = [
        [name, str(one["tiles"]), str(one["passes"]), f"{one['seconds']:.0f}", f"{one['mib']:.0f}"]
        for name, one in found["presets"].items()
    ]
    print(options.grid(head, rows))
    args.out.mkdir(parents=True, exist_ok=True)
    record = {"benchmark": "relevancy", "pointing": game, "training_seconds": spent, "steps": args.steps, "cost": found}
    record |= {"times_as_fast": {"last block": ratio, "whole": whole}, "pictures": args.pictures, "seed": args.seed}
    record |= {"threads": args.threads, "machine": machine(), "versions": versions("torch", "open_clip", "numpy")}
    pictures = ", ".join(map(str, compared(model, args.out)))
    print(f"\n{write_json(args.out / 'relevancy.json', record)}, {pictures}")


def main(argv: Sequence[str] | None = None) -> int:
    """Train, measure, print tables and write the JSON: 0 when done, 1 when the input was wrong."""
    parser = options.parser(
        "relevancy", "does looking at several scales find small things", "seed", "threads", repeats=2
    )
    parser.add_argument("--model", default="ViT-B-32", help="of open_clip, for the times (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=500, help="of training (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=60, help="of the pointing game (default: %(default)s)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
