"""`python -m benchmarks axis`: is the axis that points up found, and what does `up="auto"` save?

Generated objects with z up, as one-sided scans and as whole meshes; or with --data-root the real meshes that
`benchmarks/training/real.toml` names, scanned likewise. For each seed some classes are known and the others novel. Sets
of 1, 5, 20 and 100 shapes are drawn: known ones, novel ones, half and half, and novel ones of a single class. For each
the share of sets whose axis `find_up` finds, leaves undecided and gets wrong, beside the simple rule (the least mean
novelty) and that rule where it is significant; then how many known shapes are kept, and novel ones caught, by
up="file", "z" and "auto". Writes the same as JSON.
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

TRUE, READ = "z", "y"  # what is up, and what is taken for it where nobody says
SIZES = (1, 5, 20, 100)
SETS = ("known", "half novel", "novel", "one novel class")
KINDS = {"scans": SCANS, "meshes": UPS}
KNOWN_BY = ("names", "examples")
RULES = ("least mean novelty", "and significant", "find_up")
CLASSES, NOVEL, EXAMPLES, POINTS, SEVERITY, FIRST = 8, 16, 20, 2048, 0.7, 9_000_000

# of one set: what is found, which of its shapes each axis keeps as known, and which of them are
Drawn = tuple[UpAxis, dict[str, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Row:
    """Sets of one sort: the share whose axis each rule finds and gets wrong; of known shapes the share that is
    kept, and of novel ones the share that is caught, by each setting of `up`."""

    kind: str
    known_by: str
    set: str
    size: int
    found: Mapping[str, float]
    wrong: Mapping[str, float]
    kept: Mapping[str, float | None]
    caught: Mapping[str, float | None]


def z_up(cloud: np.ndarray) -> np.ndarray:
    """A cloud with y up, turned so that z is up."""
    return np.stack([cloud[:, 0], -cloud[:, 2], cloud[:, 1]], axis=1)


def scanned(mesh: Mesh, seed: int) -> np.ndarray:
    """The object alone, noisy and from one side, turned about gravity."""
    rng = np.random.RandomState([seed, 77])
    settings = replace(Scan.of_severity(SEVERITY, rng), views=1, floor=False, wall=False, clutter=0)
    cloud, _ = scan_with(settings, mesh, POINTS, rng)
    return cloud @ rotation("y", rng.uniform(0, 360)).T


def pool(kind: str, meshes: Mapping[str, list[Mesh]] | None, names: Sequence[str], args: Any, seed: int) -> Iterator:
    """Title and cloud of the shapes of one seed: `--per-class` of each class."""
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
        calibration = encoder.encode(generated, up="y")  # the right axis
        for by in KNOWN_BY:
            known = known_classes(by, known_names, encoder, text)
            method, judged = default_method(known), judging(known, encoder, text)
            threshold = Threshold.from_novelty(judge(calibration, known, method).novelty).value
            of = {axis: judged(rows) for axis, rows in embedded.items()}
            said = {axis: judge(rows, known, method).novelty <= threshold for axis, rows in embedded.items()}
            for what, size, chosen in sets(titles, known_names, args.sets, seed):
                found = compare_axes(*({axis: pair[i][chosen] for axis, pair in of.items()} for i in (0, 1)))
                own = {axis: values[chosen] for axis, values in said.items()}
                row = (found, own, np.isin(titles[chosen], known_names))
                drawn.setdefault((kind, by, what, size), []).append(row)
    return [summary(key, rows) for key, rows in drawn.items()]


def known_classes(by: str, names: list[str], encoder: ShapeEncoder, text: TextEncoder) -> KnownClasses:
    if by == "names":
        return KnownClasses.from_names(names, text, temperature=encoder.temperature)
    return KnownClasses.from_examples(
        {n: [sample(n, POINTS, s) for s in range(EXAMPLES)] for n in names}, encoder, up="y"
    )


def sets(titles: np.ndarray, known: list[str], count: int, seed: int) -> Iterator[tuple[str, int, np.ndarray]]:
    """Sets of shapes: description, size, and mask of the members."""
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
    answers = {rule: [answer(rule, found) for found, *_ in rows] for rule in RULES}
    right = {rule: float(np.mean([axis == TRUE for axis in given])) for rule, given in answers.items()}
    wrong = {rule: float(np.mean([axis not in (TRUE, None) for axis in given])) for rule, given in answers.items()}
    settings = {"file": [READ] * len(rows), "z": [TRUE] * len(rows), "auto": [f.axis or READ for f, *_ in rows]}
    kept, caught = ({}, {})
    for name, axes in settings.items():
        said = np.concatenate([own[axis] for axis, (_, own, _) in zip(axes, rows, strict=True)])
        is_known = np.concatenate([known for *_, known in rows])
        kept[name] = float(said[is_known].mean()) if is_known.any() else None
        caught[name] = float(1 - said[~is_known].mean()) if not is_known.all() else None
    return Row(*key, right, wrong, kept, caught)


def answer(rule: str, found: UpAxis) -> str | None:
    least = min(found.novelty, key=lambda axis: found.novelty[axis])
    if rule == RULES[0]:
        return least
    return found.axis if rule == "find_up" else least if found.p_value < SIGNIFICANCE else None


def tables(rows: Sequence[Row]) -> list[str]:
    """Found, undecided and wrong by `find_up`, wrong by the simple rules; then kept and caught by setting."""
    head = ["shapes", "known by", "set of"]
    of = {(r.kind, r.known_by, r.set, r.size): r for r in rows}
    keys = list(dict.fromkeys(key[:3] for key in of))
    lines, verdicts = [], []
    for key in keys:
        own = [of[*key, size] for size in SIZES]
        lines.append((*key, *map(three, own), *(f"{100 * r.wrong[rule]:.0f}" for rule in RULES[:2] for r in own[2:])))
        verdicts += [
            (*key, str(r.size), *(share(part[s]) for part in (r.kept, r.caught) for s in ("file", "z", "auto")))
            for r in own[2:]
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
        f"% of the sets found / undecided / wrong:\n{first}",
        f"% of the known shapes kept, of the novel ones caught:\n{second}",
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
    """0 when done, 1 with one line on stderr when the input was wrong."""
    about = "is the axis that points up found?"
    names = ("model", "checkpoint", "text_checkpoint", "device", "seeds")
    parser = options.parser("axis", about, *names, per_class=15)
    parser.add_argument("--data-root", type=Path, help="a folder of real meshes; without it, generated ones")
    parser.add_argument("--sets", type=int, default=40, help="sets of each sort and size, a seed (default: 40)")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
