"""Class of a shape and damage of its surface, examined separately."""

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
    """Class and surface damage of one shape. They are independent: a known chair may have a dent.

    Attributes
    ----------
    classes : NoveltyResult
        Class and novelty.
    surface : SurfaceResult
        Damage. If nearly the whole surface differs from the good objects, the shape is probably another kind of object.
        Then `surface.map.tells` is False, and the map does not locate damage.
    """

    classes: NoveltyResult
    surface: SurfaceResult

    @property
    def name(self) -> str:
        return self.surface.name

    def __str__(self) -> str:
        record = self.as_json()
        of, on = record["class"], record["surface"]
        verdict = of["verdict"] or "no threshold"
        lines = [self.name]
        lines += [f"  class: nearest to {of['nearest']}, novelty {of['novelty']:.3f}: {verdict}"]
        lines += [] if self.classes.threshold is None else [f"  {self.classes.threshold.describe()}"]
        lines += [f"  surface damage: novelty {on['novelty']:.3f}: {on['verdict']}"]
        lines += [f"  {self.surface.threshold.describe()}"]
        lines += [f"  {on['beyond']:.1%} of the seen places are beyond their threshold"]
        return "\n".join(lines + ([] if self.surface.map.tells else [f"  the map does not locate damage: {UNTOLD}"]))

    def as_json(self) -> dict[str, Any]:
        """Result as strings and numbers: name, class and surface. The last two have novelty, p_value and verdict."""
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
    """Find the class and the surface damage of each shape.

    Parameters
    ----------
    shapes : files, folders, arrays, or a list of these
        Clouds, as for `SurfaceModel.score`.
    surface : SurfaceModel
        Model of good objects or sheets.
    known, encoder, **how
        As in `score_novelty`.

    Returns
    -------
    list of Examination

    Raises
    ------
    InputError, FileError
        As in `score_novelty` and `SurfaceModel.score`. `InputError` also for a model of images, because images have no
        class.

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
        raise InputError(
            "the model is of images, but classes are for shapes. Expected a model of sheets or objects. Fit one on "
            "clouds."
        )
    sources = list_sources(shapes)
    pipeline = NoveltyPipeline.prepare(known, encoder=encoder, **how)
    return [Examination(class_of(one, pipeline), surface.score(one)) for one in sources]


def class_of(source: Source, pipeline: NoveltyPipeline) -> NoveltyResult:
    """Pipeline result for one cloud."""
    return pipeline([source.value if source.path is not None else source.cloud()["points"]])
