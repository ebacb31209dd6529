"""Pools of novelties by three methods, from which the simulations of `guarantees` draw.

Source `generated`: clean shapes and scans of the known classes of SR1, and scans of its novel classes. Source `house`:
household models of `--real DIR`, where furniture is known and the rest is novel, as models and as simulated scans with
clutter, and generated scans of the same classes. Examples are other clean generated shapes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.threedos import generated
from benchmarks.threedos.embedder import Embedder
from benchmarks.threedos.objects import Objects
from benchmarks.threedos.recipes import openshape
from benchmarks.threedos.splits import load_split
from openshape_ood.known import KnownClasses
from openshape_ood.scoring import judge

if TYPE_CHECKING:  # reader processes import this module, and importing torch would slow them
    from openshape_ood import ShapeEncoder, TextEncoder
    from openshape_ood.synthetic.mesh import Mesh

METHODS = {"names": "max_cosine", "prototypes": "prototype_distance", "neighbors": "knn"}
FURNITURE = ("bed", "cabinet", "chair", "desk", "door", "night stand", "sofa", "table", "tv stand", "wardrobe")
EXAMPLES, SCANS = 30, 30  # generated examples per class; samplings or scans per model
CLEAN = 0.02  # severity of a clean sampling of a model
Pools = dict[str, dict[str, np.ndarray]]  # method -> set -> novelty


@dataclass(frozen=True, eq=False)
class Model:
    """A sampling or a simulated scan of a household model."""

    title: str
    folder: str
    place: int  # index of the mesh in the folder
    seed: int
    severity: float

    @property
    def id(self) -> str:
        return f"{self.title} {self.seed}"

    def read(self) -> np.ndarray:
        from openshape_ood.synthetic.scanner import scan

        random = np.random.RandomState([self.seed, 33])
        return scan(meshes(self.folder)[self.place][1], generated.POINTS, self.severity, random).astype(np.float32)


@cache
def meshes(folder: str) -> list[tuple[str, Mesh]]:
    """Class and mesh of every model in a folder; each process loads them once."""
    from benchmarks.training.real import real_meshes

    return [(name, mesh) for name, several in real_meshes(Path(folder)).items() for mesh in several]


def load_pools(args: argparse.Namespace, encoder: ShapeEncoder, text: TextEncoder) -> dict[str, Pools]:
    """Source -> pools of its sets by every method; `house` only with `--real`."""
    sources = {"generated": generated_sets(args.per_class, args.seed)}
    if args.real is not None:
        sources["house"] = house_sets(args.real, args.seed)
    embedder = Embedder(encoder, args.cache, args.batch_size, args.workers, args.progress)
    recipe = openshape(encoder.row).recipe("test", encoder.row)
    pools = {}
    for source, sets in sources.items():
        (embedded,) = embedder.embed(sets, recipe, [1], num_samples=1)
        titles = np.array([shape.title for shape in sets["examples"].shapes])
        pools[source] = dict(judged(embedded, titles, encoder, text))
    return pools


def judged(
    embedded: Mapping[str, np.ndarray], titles: np.ndarray, encoder: ShapeEncoder, text: TextEncoder
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield each method with set -> novelty, for all sets except the examples, whose classes are `titles`."""
    names = sorted(set(titles.tolist()))
    examples = KnownClasses.from_examples({name: embedded["examples"][titles == name] for name in names}, encoder)
    for label, method in METHODS.items():
        known = KnownClasses.from_names(names, text) if label == "names" else examples
        yield label, {part: judge(z, known, method).novelty for part, z in embedded.items() if part != "examples"}


def generated_sets(per_class: int, seed: int) -> dict[str, Objects]:
    """Examples, clean shapes and scans of known classes, and scans of novel ones."""
    data = generated.load(load_split("sr1"), per_class, seed)
    novel = Objects(data.novel1.shapes + data.novel2.shapes)
    return {"examples": data.validation, "clean": data.support, "scans": data.test_known, "novel": novel}


def house_sets(folder: Path, seed: int) -> dict[str, Objects]:
    """Examples, furniture models, their scans, scans of novel models, and generated scans of the furniture classes."""
    models = [(name, place) for place, (name, _) in enumerate(meshes(str(folder)))]
    furniture = [one for one in models if one[0] in FURNITURE]
    others = [one for one in models if one[0] not in FURNITURE]
    first = 20_000_000 + 10_000 * seed  # above the seeds of `generated`

    def draws(models: list[tuple[str, int]], severity: float, begin: int) -> Objects:
        rows = SCANS * models
        return Objects(tuple(Model(name, str(folder), i, begin + k, severity) for k, (name, i) in enumerate(rows)))

    def of_classes(begin: int, scanned: bool) -> Objects:
        rows = [(name, begin + i) for name in FURNITURE for i in range(EXAMPLES)]
        return Objects(tuple(generated.Generated(name, name, number, scanned) for name, number in rows))

    return {
        "examples": of_classes(first, False),
        "generated": of_classes(first + 1000, True),
        "models": draws(furniture, CLEAN, 2000),
        "scans": draws(furniture, generated.SEVERITY, 4000),
        "novel": draws(others, generated.SEVERITY, 6000),
    }


def facts(pools: Mapping[str, Pools]) -> dict[str, Any]:
    """Size of the pool of every source and set."""
    return {source: {part: len(z) for part, z in next(iter(of.values())).items()} for source, of in pools.items()}
