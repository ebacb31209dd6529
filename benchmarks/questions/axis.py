"""`python -m benchmarks axis`: does `find_up` find the up axis, and what does `up="auto"` gain?

Shapes are generated objects with z up, as one-sided scans and as whole meshes. With --data-root they are the real
meshes of `benchmarks/training/real.toml`, scanned in the same way. For each seed some classes are known, the others
novel. Sets of 1, 5, 20 and 100 shapes are drawn: known, novel, half of each, and novel shapes of a single class.

The first table has the fraction of sets whose axis is right, undecided and wrong, by `find_up`, by the least mean
novelty, and by the least mean novelty if it is significant. The second table has the fraction of known shapes kept
and of novel shapes caught with up="file", "z" and "auto". Writes the same as JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import options
from benchmarks.questions import harness
from benchmarks.training.real import real_meshes
from benchmarks.training.vocabulary import UNSEEN
from openshape_ood import ShapeEncoder, TextEncoder
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty.up_axis import SCANS, SIGNIFICANCE, UpAxis, compare_axes, judging
from openshape_ood.scoring import default_method, judge
from openshape_ood.shapes.points import UPS
from openshape_ood.synthetic import categories, generate, sample
from openshape_ood.synthetic.calibration import calibration_models, calibration_scans
from openshape_ood.synthetic.mesh import Mesh, rotation
from openshape_ood.synthetic.scanner import Scan, scan_with

TRUE, READ = "z", "y"  # the true up axis, and the default of a file without one
SIZES = (1, 5, 20, 100)
SETS = ("known", "half novel", "novel", "one novel class")
KINDS = {"scans": SCANS, "meshes": UPS}
KNOWN_BY = ("names", "examples")
RULES = ("least mean novelty", "and significant", "find_up")
CLASSES, NOVEL, EXAMPLES, POINTS, SEVERITY, FIRST = 8, 16, 20, 2048, 0.7, 9_000_000

# one set: result of `find_up`; axis -> mask of shapes accepted as known; mask of known shapes
Drawn = tuple[UpAxis, dict[str, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Row:
    """Figures of sets of one kind, as fractions.

    found, wrong: rule -> fraction of sets with the right and with a wrong axis; kept, caught: setting of `up` ->
    fraction of known shapes kept, and of novel shapes caught.
    """

    kind: str
    known_by: str
    set: str
    size: int
    found: Mapping[str, float]
    wrong: Mapping[str, float]
    kept: Mapping[str, float | None]
    caught: Mapping[str, float | None]


def z_up(cloud: np.ndarray) -> np.ndarray:
    """Rotate a y-up cloud to z up."""
    return np.stack([cloud[:, 0], -cloud[:, 2], cloud[:, 1]], axis=1)


def scanned(mesh: Mesh, seed: int) -> np.ndarray:
    """Simulated scan of the object alone: one-sided, noisy, rotated about the up axis."""
    rng = np.random.RandomState([seed, 77])
    settings = replace(Scan.of_severity(SEVERITY, rng), views=1, floor=False, wall=False, clutter=0)
    cloud, _ = scan_with(settings, mesh, POINTS, rng)
    return cloud @ rotation("y", rng.uniform(0, 360)).T


def pool(kind: str, meshes: Mapping[str, list[Mesh]] | None, names: Sequence[str], args: Any, seed: int) -> Iterator:
    """Yield title and cloud of each shape of one seed, `--per-class` per class."""
    for name in names:
        for i in range(args.per_class):
            number = FIRST + 1000 * seed + i
            mesh = generate(name, number) if meshes is None else meshes[name][i % len(meshes[name])]
            yield name, z_up(scanned(mesh, number) if kind == "scans" else sample(mesh, POINTS, number))


def measure(encoder: ShapeEncoder, text: TextEncoder, args: argparse.Namespace) -> list[Row]:
    meshes = None if args.data_root is None else real_meshes(args.data_root)
    if meshes is not None and len(meshes) <= CLASSES:
        what = f"{args.data_root} has {len(meshes)} classes of benchmarks/training/real.toml"
        raise InputError(f"{what}; expected more than {CLASSES}")
    classes = sorted(meshes) if meshes else [name for name in categories() if name not in UNSEEN]
    steps = [(kind, seed) for kind in KINDS for seed in args.seeds]
    drawn: dict[tuple[str, str, str, int], list[Drawn]] = {}
    for kind, seed in tqdm(steps, disable=not args.progress):
        names = np.random.RandomState([seed, 5]).permutation(classes)[: CLASSES + NOVEL]
        known_names = sorted(names[:CLASSES].tolist())
        shown, clouds = zip(*pool(kind, meshes, names.tolist(), args, seed), strict=True)
        titles, embedded = np.array(shown), {axis: encoder.encode(list(clouds), up=axis) for axis in KINDS[kind]}
        generated = (calibration_scans if kind == "scans" else calibration_models)(known_names, EXAMPLES)
        calibration = encoder.encode(generated, up="y")  # generated shapes have y up
        for by in KNOWN_BY:
            known = known_classes(by, known_names, encoder, text)
            method, judged = default_method(known), judging(known, encoder, text)
            threshold = Threshold.from_novelty(judge(calibration, known, method).novelty).value
            of = {axis: judged(rows) for axis, rows in embedded.items()}
            accepted = {axis: judge(rows, known, method).novelty <= threshold for axis, rows in embedded.items()}
            for what, size, chosen in sets(titles, known_names, args.sets, seed):
                axis = compare_axes(*({axis: pair[i][chosen] for axis, pair in of.items()} for i in (0, 1)))
                kept = {axis: values[chosen] for axis, values in accepted.items()}
                row = (axis, kept, np.isin(titles[chosen], known_names))
                drawn.setdefault((kind, by, what, size), []).append(row)
    return [summary(key, rows) for key, rows in drawn.items()]


def known_classes(by: str, names: list[str], encoder: ShapeEncoder, text: TextEncoder) -> KnownClasses:
    if by == "names":
        return KnownClasses.from_names(names, text, temperature=encoder.temperature)
    return KnownClasses.from_examples(
        {n: [sample(n, POINTS, s) for s in range(EXAMPLES)] for n in names}, encoder, up="y"
    )


def sets(titles: np.ndarray, known: list[str], count: int, seed: int) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield sets of shapes: kind, size, and indices of the members."""
    rng = np.random.RandomState([seed, 6])
    old, new = np.flatnonzero(np.isin(titles, known)), np.flatnonzero(~np.isin(titles, known))
    for size in SIZES:
        for _ in range(count):
            one = np.flatnonzero(titles == rng.choice(titles[new]))
            parts = {"known": (old, size), "novel": (new, size), "one novel class": (one, size)}
            for what in SETS:
                if what == "half novel":
                    yield what, size, np.concatenate([pick(old, size - size // 2, rng), pick(new, size // 2, rng)])
                else:
                    yield what, size, pick(*parts[what], rng)


def pick(among: np.ndarray, count: int, rng: np.random.RandomState) -> np.ndarray:
    return rng.choice(among, count, replace=count > len(among))


def summary(key: tuple[str, str, str, int], rows: Sequence[Drawn]) -> Row:
    answers = {rule: [answer(rule, axis) for axis, *_ in rows] for rule in RULES}
    right = {rule: float(np.mean([axis == TRUE for axis in given])) for rule, given in answers.items()}
    wrong = {rule: float(np.mean([axis not in (TRUE, None) for axis in given])) for rule, given in answers.items()}
    settings = {"file": [READ] * len(rows), "z": [TRUE] * len(rows), "auto": [f.axis or READ for f, *_ in rows]}
    kept, caught = ({}, {})
    for name, axes in settings.items():
        accepted = np.concatenate([of[axis] for axis, (_, of, _) in zip(axes, rows, strict=True)])
        is_known = np.concatenate([known for *_, known in rows])
        kept[name] = float(accepted[is_known].mean()) if is_known.any() else None
        caught[name] = float(1 - accepted[~is_known].mean()) if not is_known.all() else None
    return Row(*key, right, wrong, kept, caught)


def answer(rule: str, result: UpAxis) -> str | None:
    least = min(result.novelty, key=lambda axis: result.novelty[axis])
    if rule == RULES[0]:
        return least
    return result.axis if rule == "find_up" else least if result.p_value < SIGNIFICANCE else None


def tables(rows: Sequence[Row]) -> list[str]:
    """Two tables: right, undecided and wrong axes; known shapes kept and novel ones caught, by setting of `up`."""
    head = ["shapes", "known by", "set of"]
    of = {(r.kind, r.known_by, r.set, r.size): r for r in rows}
    keys = list(dict.fromkeys(key[:3] for key in of))
    lines, verdicts = [], []
    for key in keys:
        some = [of[*key, size] for size in SIZES]
        wrong = (f"{100 * r.wrong[rule]:.0f}" for rule in RULES[:2] for r in some[2:])
        lines.append((*key, *map(three, some), *wrong))
        verdicts += [
            (*key, str(r.size), *(share(part[s]) for part in (r.kept, r.caught) for s in ("file", "z", "auto")))
            for r in some[2:]
        ]
    first = options.grid(
        [*head, *(f"find_up, {s}" for s in SIZES), *(f"{rule}: wrong, {s}" for rule in RULES[:2] for s in SIZES[2:])],
        lines,
        words=3,
    )
    second = options.grid(
        [*head, "size", *(f"{what}, up {s}" for what in ("kept", "caught") for s in ("file", "z", "auto"))],
        verdicts,
        words=3,
    )
    return [
        f"% of the sets with the right axis / undecided / with a wrong axis:\n{first}",
        f"% of the known shapes kept, % of the novel shapes caught:\n{second}",
    ]


def three(row: Row) -> str:
    found, wrong = row.found["find_up"], row.wrong["find_up"]
    return f"{100 * found:.0f} / {100 * (1 - found - wrong):.0f} / {100 * wrong:.0f}"


def share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f}"


def run(args: argparse.Namespace) -> None:
    options.check(args, sets=1)
    encoder, text = harness.loaded(args)
    rows = measure(encoder, text, args)
    data = "generated" if args.data_root is None else "real"
    settings = {key: getattr(args, key) for key in ("seeds", "sets", "per_class")}
    settings |= {"known_classes": CLASSES, "novel_classes": NOVEL, "examples": EXAMPLES, "severity": SEVERITY}
    settings["axes"] = {kind: list(axes) for kind, axes in KINDS.items()}
    report = harness.facts(encoder, text) | {"data": data, "settings": settings, "rows": [asdict(row) for row in rows]}
    harness.finish(args, f"axis-{harness.named(report)}-{data}", report, tables(rows), named=("data_root",))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    about = "does find_up find the up axis?"
    names = ("model", "checkpoint", "text_checkpoint", "device", "seeds")
    parser = options.parser("axis", about, *names, per_class=15)
    parser.add_argument("--data-root", type=Path, help="a folder of real meshes; without it, generated ones")
    parser.add_argument("--sets", type=int, default=40, help="sets per kind, size and seed (default: 40)")
    return options.run(parser, run, argv)
