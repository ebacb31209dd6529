"""`python -m benchmarks search`: settings of the competing U-Nets by Optuna, needs the extra `[search]`.

What is sought is the AUPRO on generated roads of their own, other ones than those that `benchmarks surfaces` tests on:
a setting that was chosen on the test roads would be measured by what it was fitted to.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from benchmarks import options
from benchmarks.report.output import write_json
from benchmarks.surfaces.contenders import PIXELS_KEPT
from benchmarks.surfaces.generated import Roads, damaged_roads, joined, judge, pixel_places, sound_roads
from benchmarks.surfaces.measure import MOST_FALSE
from openshape_ood.decisions.metrics import region_overlap
from openshape_ood.errors import InputError, MissingPackageError
from openshape_ood.surfaces import CompetitiveReconstructor

APART = 50_000  # data seeds of the search: no command tests on these
SHARES = (0.0, 0.25, 0.5, 1.0, 2.0)


def settings(trial: Any) -> dict[str, Any]:
    """What a trial tries: those of the published sweep, and ours."""
    return {
        "rate": trial.suggest_float("rate", 1e-4, 1e-2, log=True),
        "rate_schedule": trial.suggest_categorical("rate_schedule", ("constant", "cosine")),
        "optimizer": trial.suggest_categorical("optimizer", ("adam", "adamw", "nadam", "radam", "rmsprop")),
        "weights": (1.0, *(trial.suggest_categorical(name, SHARES) for name in ("feedback", "discrimination"))),
        "margin": trial.suggest_float("margin", 0.05, 0.5),
        "corruption": trial.suggest_categorical("corruption", ("cutout", None)),
        "units": trial.suggest_int("units", 2, 6, step=2),
    }


def value(given: dict[str, Any], train: Roads, valid: Roads, args: argparse.Namespace) -> float:
    """The AUPRO of a setting on the roads of the search."""
    fixed = {"steps": args.steps, "width": args.width, "device": args.device, "pixel_coverage": PIXELS_KEPT}
    own: Any = CompetitiveReconstructor(**fixed, **given)
    own.fit(train.tiles, mask=train.mask, groups=train.owner, seed=args.seed)
    places = pixel_places(judge(own, valid), valid, own.pixel_threshold_.value)
    return region_overlap(places.novelty, places.regions, MOST_FALSE)


def run(args: argparse.Namespace) -> None:
    options.check(args, trials=1, roads=8, tested=4, steps=1, width=1)
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingPackageError("a search needs optuna: pip install 'openshape-ood[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data_seed = APART + args.seed
    train = sound_roads(args.roads, data_seed)
    valid = joined(
        sound_roads(args.tested, data_seed, tested=True), damaged_roads(args.tested, data_seed, args.severity)
    )

    def objective(trial: Any) -> float:
        try:
            return value(settings(trial), train, valid, args)
        except InputError as error:  # it diverged
            raise optuna.TrialPruned(str(error)) from error

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=args.seed))
    study.enqueue_trial(  # the defaults, so that nothing worse is advised
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
    told = {name: getattr(args, name) for name in ("seed", "roads", "tested", "severity", "steps", "width")}
    file = write_json(
        args.out / f"surfaces-search{options.suffix(args, *options.MACHINE)}.json",
        {"settings": told, "best": ranked[0], "trials": trials},
    )
    rows = [(f"{one['aupro']:.3f}", ", ".join(map(_words, one["settings"].items()))) for one in ranked[:5]]
    print(options.grid(("AUPRO", "settings"), rows), "", file, sep="\n")


def _words(setting: tuple[str, Any]) -> str:
    name, given = setting
    return f"{name} {given:.3g}" if isinstance(given, float) else f"{name} {given}"


def main(argv: Sequence[str] | None = None) -> int:
    """0 when done, 1 with one line on stderr when the input was wrong."""
    parser = options.parser("search", "settings of the competing U-Nets by Optuna", "device", "seed")
    options.add_numbers(
        parser, trials=(30, "settings tried, the defaults first"), roads=(30, "sound roads to learn from"),
        tested=(20, "sound and damaged roads each, to choose by"), severity=(0.5, "of the damage"),
        steps=(200, "of a training"), width=(8, "channels of the U-Nets' first level"),
    )  # fmt: skip
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
