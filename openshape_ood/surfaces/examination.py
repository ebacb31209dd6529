"""Two questions about a shape, answered apart: of which class is it, and where is its surface wrong?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openshape_ood.encoders.protocols import Encoder
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty import NoveltyPipeline, NoveltyResult
from openshape_ood.novelty_map import UNTOLD
from openshape_ood.surfaces.data import Images
from openshape_ood.surfaces.inputs import Source, list_sources
from openshape_ood.surfaces.model import SurfaceModel, SurfaceResult


@dataclass(frozen=True, eq=False)
class Examination:
    """What was found of one shape. The two answers have no common number: a known chair may have a dent, and a thing of
    a class that nobody knows may be whole.

    Attributes
    ----------
    classes : NoveltyResult
        Of this shape alone.
    surface : SurfaceResult
        Where nearly all of it differs (`surface.map.tells` is False), it is another thing, and this says nothing about
        damage.
    """

    classes: NoveltyResult
    surface: SurfaceResult

    @property
    def name(self) -> str:
        return self.surface.name

    def __str__(self) -> str:
        told = self.as_json()
        of, on = told["class"], told["surface"]
        verdict = of["verdict"] or "no threshold"
        lines = [self.name]
        lines += [f"  of which class? nearest to {of['nearest']}, novelty {of['novelty']:.3f}: {verdict}"]
        lines += [] if self.classes.threshold is None else [f"  {self.classes.threshold.describe()}"]
        lines += [f"  where is its surface wrong? novelty {on['novelty']:.3f}: {on['verdict']}"]
        lines += [f"  {self.surface.threshold.describe()}"]
        lines += [f"  {on['beyond']:.1%} of the places seen are beyond their threshold"]
        return "\n".join(lines + ([] if self.surface.map.tells else [f"  the map does not tell where: {UNTOLD}"]))

    def as_json(self) -> dict[str, Any]:
        """Texts and numbers: name, class and surface, each with its own novelty, p_value and verdict."""
        record = self.classes.as_json()["shapes"][0]
        of = {name: record[name] for name in ("nearest", "similarity", "novelty", "p_value", "verdict")}
        on = {name: one for name, one in self.surface.as_json().items() if name != "name"}
        return {"name": self.name, "class": of, "surface": on}


def examine(
    shapes: Any,
    surface: SurfaceModel,
    known: Sequence[str] | Mapping[str, Any] | KnownClasses,
    *,
    encoder: Encoder | None = None,
    **how: Any,
) -> list[Examination]:
    """Ask of each shape of which class it is, and where its surface is wrong.

    Parameters
    ----------
    shapes : files, folders, arrays, or a list of these
        Clouds, as `SurfaceModel.score` takes them.
    surface : SurfaceModel
        Of good objects or sheets.
    known, encoder, **how
        As `score_novelty` takes them.

    Returns
    -------
    list of Examination

    Raises
    ------
    InputError, FileError
        As `score_novelty` and `SurfaceModel.score`; also for a model of images, which have no such class.

    Examples
    --------
    >>> from openshape_ood.synthetic import generate, sample
    >>> from openshape_ood.synthetic.dents import dented
    >>> chair = generate("chair", 2)
    >>> model = SurfaceModel.fit([sample(chair, 6000, seed) for seed in range(6)])
    >>> shapes = [dented(chair, 6000, 7, depth=0.1, radius=0.15).cloud, sample("guitar", 6000, 1)]
    >>> for found in examine(shapes, model, ["chair", "table"], model="tiny"):
    ...     print(found.classes.nearest[0], found.classes.novelty.round(1), found.surface.is_novel)
    chair [0.6] True
    table [1.] True
    """
    if isinstance(surface.data, Images):
        raise InputError("the model is of images, and classes are asked of shapes; expected one of sheets or objects")
    sources = list_sources(shapes)
    pipeline = NoveltyPipeline.prepare(known, encoder=encoder, **how)
    return [Examination(class_of(one, pipeline), surface.score(one)) for one in sources]


def class_of(source: Source, pipeline: NoveltyPipeline) -> NoveltyResult:
    """The result of a pipeline for one cloud."""
    return pipeline([source.value if source.path is not None else source.cloud()["points"]])
