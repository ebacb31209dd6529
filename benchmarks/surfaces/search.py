"""`python -m benchmarks search`: settings of the competing U-Nets by Optuna; needs the extra `[search]`.

    python -m benchmarks search                                              # generated roads
    python -m benchmarks search --data mvtec --data-root MVTEC --category cable

The search maximizes AUPRO on validation data that no command uses as test data. Generated roads have other seeds than
those of `benchmarks surfaces`. Of a data set, some training images are held out. Each is used once unchanged and once
with a planted scratch, stain or hole. No test image is read. For real defects, which look different, another setting
may be better.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.report.output import write_json
from benchmarks.surfaces.contenders import BASELINES, PIXELS_KEPT
from benchmarks.surfaces.generated import damaged_roads, joined, judge, pixel_places, sound_roads
from benchmarks.surfaces.layouts import LAYOUTS, load
from benchmarks.surfaces.measure import MOST_FALSE
from benchmarks.surfaces.published import requested_layouts
from benchmarks.surfaces.textures import DEFECTS, spoilt
from openshape_ood.decisions.metrics import image_regions, region_overlap
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.surfaces import CompetitiveReconstructor, PatchPCA, PCAReconstructor

APART = 50_000  # first data seed of the search, which no other command uses
SHARES = (0.0, 0.25, 0.5, 1.0, 2.0)
HELD, LEAST = 0.3, 8  # fraction of the training images held out; least number of training images
SIMPLE = {
    BASELINES[2]: PCAReconstructor(32, pixel_coverage=PIXELS_KEPT),
    BASELINES[3]: PatchPCA(pixel_coverage=PIXELS_KEPT),
}
Measure = Callable[[Any], float]


def settings(trial: Any) -> dict[str, Any]:
    """Settings of a trial: those of the published sweep, and further ones."""
    return {
        "rate": trial.suggest_float("rate", 1e-4, 1e-2, log=True),
        "rate_schedule": trial.suggest_categorical("rate_schedule", ("constant", "cosine")),
        "optimizer": trial.suggest_categorical("optimizer", ("adam", "adamw", "nadam", "radam", "rmsprop")),
        "weights": (1.0, *(trial.suggest_categorical(name, SHARES) for name in ("feedback", "discrimination"))),
        "margin": trial.suggest_float("margin", 0.05, 0.5),
        "corruption": trial.suggest_categorical("corruption", ("cutout", None)),
        "units": trial.suggest_int("units", 2, 6, step=2),
    }


def value(given: dict[str, Any], measure: Measure, args: argparse.Namespace) -> float:
    """AUPRO of a setting."""
    fixed = {"steps": args.steps, "width": args.width, "device": args.device, "pixel_coverage": PIXELS_KEPT}
    return measure(CompetitiveReconstructor(**fixed, **given))


def on_roads(args: argparse.Namespace) -> Measure:
    """Function that trains a reconstructor on generated roads, and returns its AUPRO on other generated roads."""
    data_seed = APART + args.seed
    train = sound_roads(args.roads, data_seed)
    valid = joined(
        sound_roads(args.tested, data_seed, tested=True), damaged_roads(args.tested, data_seed, args.severity)
    )

    def measure(model: Any) -> float:
        model.fit(train.tiles, mask=train.mask, groups=train.owner, seed=args.seed)
        places = pixel_places(judge(model, valid), valid, model.pixel_threshold_.value)
        return region_overlap(places.novelty, places.regions, MOST_FALSE)

    return measure


def on_images(args: argparse.Namespace) -> tuple[Measure, dict[str, Any]]:
    """Function that trains a reconstructor, and returns its AUPRO on held-out images; and facts for the report."""
    (layout,) = requested_layouts(args.data, args)
    whole, rng = load(layout.train, args.size), np.random.RandomState(args.seed)
    if len(layout.train) < LEAST:
        raise InputError(
            f"{layout.name} has {len(layout.train)} training images; expected {LEAST} or more to search on"
        )
    order = rng.permutation(len(layout.train))
    held, kept = np.split(order, [round(HELD * len(order))])
    spoiled = [planted(whole.tiles[k], DEFECTS[i % len(DEFECTS)], rng) for i, k in enumerate(held)]
    tiles = np.concatenate([whole.tiles[held], np.stack([tile for tile, _ in spoiled])])
    mask = np.concatenate([whole.mask[held]] * 2)
    truth = np.concatenate([np.zeros_like(whole.mask[held]), np.stack([where for _, where in spoiled])])
    regions = image_regions(truth & mask)

    def measure(model: Any) -> float:
        maps = model.fit(whole.tiles[kept], mask=whole.mask[kept], seed=args.seed).novelty(tiles, mask)
        return region_overlap(maps[mask].astype(np.float64), regions[mask], MOST_FALSE)

    chosen_on = f"{len(held)} held-out training images with planted defects and without; no test image was opened"
    return measure, {"data": layout.name, "learned from": len(kept), "chosen on": chosen_on}


def planted(tile: np.ndarray, kind: str, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Plant a defect in a tile (c, s, s); returns the tile and the mask of the defect (s, s)."""
    image, where = spoilt(np.moveaxis(tile, 0, -1).astype(np.float64) / 2 + 0.5, kind, rng)
    return np.moveaxis(2 * image.clip(0, 1) - 1, -1, 0).astype(np.float32), where


def run(args: argparse.Namespace) -> None:
    options.check(args, trials=1, roads=8, tested=4, steps=1, width=1, size=32)
    if args.data == "roads-generated" and (args.data_root or args.category):
        raise InputError("--data-root and --category are for a data set. Expected its kind. Give --data")
    if args.data in ("roads", "panorama") and args.data_root is None:
        raise InputError(f"--data {args.data} needs its folder: --data-root DIR")
    if args.data == "mvtec" and not args.category:
        raise InputError("--data mvtec needs one category, because the best settings differ: --category NAME")
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingPackageError("a search needs optuna: pip install 'openshape-ood[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    measure, about = (on_roads(args), {}) if args.data == "roads-generated" else on_images(args)

    def objective(trial: Any) -> float:
        try:
            return value(settings(trial), measure, args)
        except InputError as error:  # the training diverged
            raise optuna.TrialPruned(str(error)) from error

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=args.seed))
    study.enqueue_trial(  # defaults first, so that the best setting is not worse
        {"rate": 2e-3, "rate_schedule": "constant", "optimizer": "adam", "feedback": 0.25, "discrimination": 0.25}
        | {"margin": 0.2, "corruption": "cutout", "units": 4}
    )
    study.optimize(objective, n_trials=args.trials, show_progress_bar=args.progress)
    trials: list[dict[str, Any]] = [
        {"settings": one.params, "aupro": one.value, "state": one.state.name} for one in study.trials
    ]
    ranked = sorted((one for one in trials if one["aupro"] is not None), key=lambda one: -one["aupro"])
    if not ranked:
        raise InputError(f"all {len(trials)} trials diverged; give more steps or another seed")
    simple = {name: measure(one) for name, one in SIMPLE.items()}
    of_data = ("roads", "tested", "severity") if not about else ("size",)
    facts = about | {name: getattr(args, name) for name in ("seed", *of_data, "steps", "width")}
    file = write_json(
        args.out / f"surfaces-search{options.suffix(args, *options.MACHINE)}.json",
        {"settings": facts, "best": ranked[0], "trials": trials, "simple": simple},
    )
    rows = [(", ".join(map(_words, one["settings"].items())), f"{one['aupro']:.3f}") for one in ranked[:5]]
    rows += [(f"{name}, without search", f"{one:.3f}") for name, one in simple.items()]
    print(options.grid(("settings", "AUPRO"), rows), *([f"chosen on {about['chosen on']}"] if about else []), sep="\n")
    print(f"best options, for benchmarks and for surface fit --reconstructor crn: {flags(ranked[0]['settings'])}")
    print("", file, sep="\n")


def flags(best: Mapping[str, Any]) -> str:
    """The best settings as command-line options."""
    given = {**best, "corruption": best["corruption"] or "none"}
    given["weights"] = f"1 {given.pop('feedback'):g} {given.pop('discrimination'):g}"
    words = {name: f"{one:.3g}" if isinstance(one, float) else str(one) for name, one in given.items()}
    return " ".join(f"{options.flag(name)} {one}" for name, one in words.items())


def _words(setting: tuple[str, Any]) -> str:
    name, given = setting
    return f"{name} {given:.3g}" if isinstance(given, float) else f"{name} {given}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = options.parser("search", "settings of the competing U-Nets by Optuna", "device", "seed")
    data = ("roads-generated", *LAYOUTS)
    parser.add_argument("--data", choices=data, default=data[0], help="training data (default: %(default)s)")
    parser.add_argument("--data-root", type=Path, help="the unpacked data set; mvtec without it: generated textures")
    parser.add_argument("--category", help="a folder of mvtec")
    options.add_numbers(
        parser, trials=(30, "settings to try, the defaults first"), roads=(30, "undamaged training roads"),
        tested=(20, "undamaged validation roads, and as many damaged ones"), severity=(0.5, "severity of the damage"),
        steps=(200, "training steps"), width=(8, "channels of the U-Nets' first level"),
        size=(128, "pixels per side of images"),
    )  # fmt: skip
    return options.run(parser, run, argv)
