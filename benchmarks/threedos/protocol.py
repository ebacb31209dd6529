"""One benchmark run: shapes -> embeddings -> scores -> figures."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.performance.harness import peak_mb
from benchmarks.threedos import copies, generated
from benchmarks.threedos.ablation import Judged, Switch, ablate, switches
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.evaluation import evaluate, judge, labels_of
from benchmarks.threedos.methods import Reference
from benchmarks.threedos.objects import BenchmarkData, Objects
from benchmarks.threedos.recipes import PROTOCOLS, Recipe, Settings, find_settings
from benchmarks.threedos.results import Finished, MethodResult
from benchmarks.threedos.splits import Split
from openshape_ood.errors import CheckpointError, OpenShapeError, ShapeFileError
from openshape_ood.known import KnownClasses
from openshape_ood.storage import own_folder

if TYPE_CHECKING:  # reader processes import this module, and importing torch would slow them
    from openshape_ood import ShapeEncoder, TextEncoder


@dataclass(frozen=True, eq=False)
class Run:
    """Inputs of a run and its ablation.

    text: function from the name of a template list to a text encoder; None for a run without names.
    """

    split: Split
    data: BenchmarkData
    embedder: Embedder
    text: Callable[[str], TextEncoder] | None
    seeds: Sequence[int]
    draws: int
    data_root: Path | None = None  # folder with corrupted copies; None: they are generated

    @property
    def encoder(self) -> ShapeEncoder:
        return self.embedder.encoder

    def results(self, settings: Settings) -> list[MethodResult]:
        """Results of every method under these settings."""
        return evaluate(self.data, *self.prepared(settings), self.draws)

    def judged(self, settings: Settings) -> dict[str, Judged]:
        """Scores of every method on each set, without figures."""
        return {method.known_by: scored for method, scored in judge(*self.prepared(settings)).items()}

    def prepared(self, settings: Settings) -> tuple[list[dict[str, np.ndarray]], list[Reference]]:
        """Raw embeddings of each set, and the known classes, for each seed."""
        names = self._names(settings)  # first, to fail early if the text encoder is missing
        owners = np.repeat(np.arange(len(self.data.known)), [len(c.names) for c in self.data.known])
        support = self.support(settings)
        embedded = self._embed({**self.data.sets, "support": support}, settings)
        rest = labels_of(support, self.data), self.encoder.identity, settings.unit
        return embedded, [Reference.of(names, owners, sets["support"], *rest) for sets in embedded]

    def _names(self, settings: Settings) -> KnownClasses | None:
        """Known classes by names. Each name of a class is a separate entry; the nearest name represents the class."""
        if self.text is None:
            return None
        names = [name for c in self.data.known for name in c.names]
        try:
            known = KnownClasses.from_names(names, self.text(settings.templates))
        except CheckpointError as error:
            words = str(error).rstrip(".")
            raise type(error)(f"{words}. Or use --text-checkpoint FILE, or --no-names for examples only") from error
        known.check_fits(self.encoder.identity)
        return known

    def support(self, settings: Settings) -> Objects:
        """Support shapes, with the copies that the settings add."""
        clean = self.data.support
        if settings.support == "clean":
            return clean
        if settings.support == "with partial views":
            return Objects(clean.shapes + copies.partial_views(clean).shapes)
        return copies.with_copies(self.split, self.data, self.data_root)

    def _embed(self, sets: Mapping[str, Objects], settings: Settings) -> list[dict[str, np.ndarray]]:
        by_recipe: dict[Recipe, dict[str, Objects]] = {}
        for name, objects in sets.items():
            by_recipe.setdefault(settings.recipe(name, self.encoder.row), {})[name] = objects
        embedded: list[dict[str, np.ndarray]] = [{} for _ in self.seeds]
        for recipe, same in by_recipe.items():
            more = self.embedder.embed(same, recipe, self.seeds, settings.num_samples)
            embedded = [old | new for old, new in zip(embedded, more, strict=True)]
        return embedded


def run(split: Split, args: argparse.Namespace) -> Finished:
    """Run one benchmark."""
    from benchmarks.threedos.record import record
    from openshape_ood import ShapeEncoder

    started = time.perf_counter()
    encoder = ShapeEncoder.from_pretrained(
        args.model, checkpoint=args.checkpoint, registry=args.registry, device=args.device
    )
    settings = replace(find_settings(args.protocol, encoder.row, split.track), num_samples=args.num_samples)
    cache = cache_folder(args)
    data = load(split, args, cache)
    differs = _differences(split, data, args)
    data = data.with_shots(args.shots, args.data_seed)
    embedder = Embedder(encoder, cache, args.batch_size, args.workers, args.progress)
    this = Run(split, data, embedder, _text(args), args.seeds, args.draws, args.data_root)
    embedded, references = this.prepared(settings)
    results = evaluate(data, embedded, references, args.draws)
    report = record(this, settings, results, differs, args)
    if args.ablate:
        before = {result.known_by: result.scored for result in results}
        report["ablation"] = ablate(before, _switches(this, settings), data, this.judged, args.draws)
    report["run"] = {"seconds": round(time.perf_counter() - started, 1), **asdict(embedder.tally)}
    report["run"]["peak_mb"] = peak_mb()  # without the reader processes
    unit = {name: z / np.linalg.norm(z, axis=1, keepdims=True) for name, z in embedded[0].items()}
    model = encoder.identity.checkpoint
    return Finished(split, data, model, settings.protocol, args.seeds, results, unit, report)


def _switches(this: Run, settings: Settings) -> list[Switch]:
    """Switches of the ablation. Corrupted copies are left out if the data have none."""
    (other,) = (PROTOCOLS[name](this.encoder.row, this.split.track) for name in PROTOCOLS if name != settings.protocol)
    turned = switches(settings, other)
    for switch in [switch for switch in turned if switch.settings.support == "with corrupted copies"]:
        try:
            this.support(switch.settings)
        except OpenShapeError as error:
            print(f"ablation without corrupted copies: {error}", file=sys.stderr)
            turned.remove(switch)
    return turned


def _text(args: argparse.Namespace) -> Callable[[str], TextEncoder] | None:
    from openshape_ood import TextEncoder

    given = {"checkpoint": args.text_checkpoint, "registry": args.registry, "device": args.device}
    return None if args.no_names else lambda words: TextEncoder.from_pretrained(args.model, templates=words, **given)


def load(split: Split, args: argparse.Namespace, cache: Path | None) -> BenchmarkData:
    """Load the data of a benchmark by the options data_root, per_class, data_seed and progress."""
    if not args.data_root:
        return generated.load(split, args.per_class, args.data_seed)
    from benchmarks.threedos import data

    return data.load(split, args.data_root, cache=cache, progress=args.progress)


def cache_folder(args: argparse.Namespace) -> Path | None:
    """Cache folder for embeddings and parsed files; None with --no-cache."""
    return None if args.no_cache else args.cache or own_folder("benchmarks")


def _differences(split: Split, data: BenchmarkData, args: argparse.Namespace) -> list[str]:
    if data.generated:
        return []
    from benchmarks.threedos.data.check import differences

    counts = differences(split.name, data.counts)
    wrong = counts + [f"no object of {title}" for title in data.absent]
    if args.strict and wrong:
        words = f"{args.data_root} is not the published data of {split.name}: {'; '.join(wrong)}"
        raise ShapeFileError(f"{words}. Without --strict the run continues with these data")
    return counts
