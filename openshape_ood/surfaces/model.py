"""SurfaceModel: what good images or clouds look like, kept with how they were cut, and what is said of others."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from openshape_ood.checks import check_choice, check_seed, check_whole, given_path
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.devices import find_device
from openshape_ood.errors import FileError, InputError
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.novelty_map.marks import rate_of
from openshape_ood.storage import loaded_arrays, make_folder, save_arrays
from openshape_ood.surfaces.data import (
    Images,
    Kind,
    Objects,
    Pairs,
    Points,
    Sheets,
    from_settings,
    kind_of_clouds,
    refuse,
    settings,
)
from openshape_ood.surfaces.defects import Defect, defects_of
from openshape_ood.surfaces.fit import RequestedMarks, fitted, gathered, marks_of, worst_points
from openshape_ood.surfaces.inputs import Source, good_sources, list_sources
from openshape_ood.surfaces.methods import (
    RECONSTRUCTORS,
    check_backbone,
    find_reconstructor,
    made_again,
)
from openshape_ood.surfaces.raster import Raster
from openshape_ood.surfaces.rasterizer import GRANULE, Rasterizer
from openshape_ood.surfaces.reconstructor import CLASSES, Reconstructor
from openshape_ood.surfaces.simple import HeightReconstructor
from openshape_ood.surfaces.streaming import score_file, scored_points
from openshape_ood.surfaces.views import ViewRasterizer

FILE = "surface"
SETTINGS, LEARNED = (
    f"{FILE}.safetensors",
    "reconstructor.",
)  # the file in the folder of a model; begins names of weights
NAMES = tuple(name for name in RECONSTRUCTORS if "token" not in name)
DEFAULTS = {"images": "patches", "pairs": "patches", "sheets": "height", "objects": "nearest"}
FOLDS = 5
PIECE, POINTS = 4, 10  # pixels of a tile, and points, that a defect has at least
PIXELS = 0.99  # of the good ones, up to the threshold of maps


@dataclass(frozen=True, eq=False)
class SurfaceResult:
    """What is said of one image, pair or cloud.

    Attributes
    ----------
    name : str
    novelty : float
        Of the whole: that of its worst tile; of an object, the mean of the most novel hundredth of its points.
    threshold : Threshold
        Up to which good ones go.
    map : NoveltyMap
        Of its pixels or points, NaN where nothing was seen; of a file that was scored in pieces, of some of its points.
    least : int
        Pixels or points that a defect has at least.
    """

    name: str
    novelty: float
    threshold: Threshold
    map: NoveltyMap
    least: int = POINTS

    @cached_property
    def defects(self) -> list[Defect]:
        """The connected pieces beyond the threshold of the map, the largest first: of what is damaged, and not another
        thing altogether."""
        return defects_of(self.map, self.least) if self.is_novel and self.map.tells else []

    @property
    def is_novel(self) -> bool:
        """Whether its surface is worse than that of good ones."""
        return bool(self.threshold.is_novel([self.novelty])[0])

    @property
    def p_value(self) -> float:
        """The share of good ones that are as novel, itself counted with them."""
        return float(self.threshold.p_values([self.novelty])[0])

    def as_json(self) -> dict[str, Any]:
        """Texts and numbers: of the map the share beyond its threshold, the share not seen, and the defects."""
        told: dict[str, Any] = {"name": self.name, "novelty": self.novelty, "p_value": self.p_value}
        told |= {"verdict": "damaged" if self.is_novel else "good"}
        seen = self.map.seen
        return {
            **told,
            "beyond": float(self.map.is_novel.sum() / max(1, seen.sum())),
            "unseen": float(1 - seen.mean()),
        } | {"defects": [one.as_json() for one in self.defects]}


@dataclass(frozen=True, eq=False)
class SurfaceModel:
    """Good images, pairs or clouds, learned, with all that it takes to judge others in the same way.

    Attributes
    ----------
    data : Images, Pairs, Sheets or Objects
        What the good ones are, and how they become tiles; see `surfaces.data`.
    reconstructor : Reconstructor
        Fitted, without thresholds of its own.
    scale : ndarray (v, h, w)
        What maps are divided by: of views of objects the usual novelty at each place, as edges are never rebuilt as
        well as faces; of `nearest` a hundredth of the radius; else 1.
    threshold : Threshold
        For whole images or clouds. Where the good ones are too few for the coverage (0.95
        needs 19), the largest; `threshold.coverage` says what that keeps.
    pixel_threshold : Threshold
        Of maps: 99 % of good pixels, or points of objects, are below it, or what its `marks` promise. With two good
        ones or more it keeps their highest regions, for the p-values of defects.
    baseline : float
        What half of the good places stay below.
    """

    data: Kind
    reconstructor: Reconstructor
    scale: np.ndarray
    threshold: Threshold
    pixel_threshold: Threshold
    baseline: float

    @classmethod
    def fit(
        cls,
        good: Any,
        reconstructor: str | Reconstructor | None = None,
        *,
        rasterizer: Rasterizer | ViewRasterizer | None = None,
        shape: str | None = None,
        size: int | None = None,
        cell: float | None = None,
        channels: Sequence[str] | None = None,
        values: Sequence[float] | None = None,
        folds: int | None = None,
        false_points: float | None = None,
        false_regions: float | None = None,
        largest: float = 1.0,
        seed: int = 0,
        progress: bool = False,
        states: str | os.PathLike[str] | None = None,
        **params: Any,
    ) -> SurfaceModel:
        """Learn what is good.

        Parameters
        ----------
        good : files, folders, arrays, or a list of these
            Images, or clouds: arrays (n, 3), or mappings of `points` (n, 3) in meters with `intensity` (n,), `color`
            (n, 3) and `strips` (n,) where there are such. A folder with `height_files` and `intensity_files`, and a
            mapping of `height` and `intensity`, are pairs: images of two channels. All are of one kind.
        reconstructor : str or Reconstructor, optional
            By name with its defaults ("height", "nearest", "mean", "pca", "patches", "unet", "crn", "memory"), or one
            that is not fitted. If left out "patches" for images and pairs, "height" for sheets, "nearest" for objects.
        rasterizer : Rasterizer or ViewRasterizer, optional
            For sheets or objects; if left out it is made by the rule of `data.kind_of_clouds`.
        shape : {"sheets", "objects"}, optional
            What the clouds are of; told by their form if left out.
        size : int, optional
            Pixels or cells along a tile or view; "nearest" has none.
        cell : float, optional
            Meters of a cell of sheets.
        channels : sequence of str, optional
            Of sheets, as `Rasterizer` takes them.
        values : (float, float), optional
            For images whose type does not say their range; of a pair with one side of floats, the range of that side.
        folds : int, optional
            Thresholds are of good ones that were not learned from: in so many rounds one part is held out and the rest
            learned. With 1 a tenth is held out once, and never learned from. 5 unless given, or 1 of reconstructors
            that are trained in steps. A cloud that is the only one is held out by strips or, of an object, by a
            quarter of its points.
        false_points, false_regions : float, optional
            Choose the threshold of maps so that of good ones at most this share of the places is marked falsely, on
            average, or at most this share of good ones has a false region. 0.01 and 0.05 need 99 and 19 good ones, see
            `novelty_map.calibrate_marks`. Unless given, 99 % of all places of good ones are below it.
        largest : float
            With `false_points`: mark at most this share of a surface; 0.2 and 0.01 need 19 good ones.
        seed : int
        progress : bool
            A bar on stderr.
        states : path, optional
            A folder in which trainings in steps are kept. After a stop the same call goes on from there, to the same
            model. It is left to the caller to delete `fit.state_files`.
        **params
            Of the reconstructor that is given by name.

        Raises
        ------
        InputError
            For images and clouds together, nothing, one image, what cannot be rasterized, naming the file, what has no
            say, as a cell of images, a reconstructor that is for another kind of data, and the state of another
            training.
        FileError
            For files that cannot be read, and pairs without a partner.

        Examples
        --------
        >>> from openshape_ood.synthetic.roads import road_scan
        >>> roads = [road_scan(seed, ["pothole"] * (seed == 5), side=1.6) for seed in range(6)]
        >>> clouds = [{"points": road.points, "intensity": road.intensity} for road in roads]
        >>> model = SurfaceModel.fit(clouds[:5])
        >>> result = model.score(clouds[5])
        >>> result.is_novel, len(result.map) == len(roads[5].points)
        (True, True)
        """
        sources, wanted = good_sources(good), _wanted(false_points, false_regions, largest)
        own = None if reconstructor is None else _unfitted(reconstructor, params)
        if shape is not None:
            check_choice(shape, "shape", ("sheets", "objects"))
        data: Kind
        if sources[0].kind == "cloud":
            refuse("of images, and given are clouds", values=values)
            views = GRANULE if own is None else own.granule
            of_points = rasterizer is None if own is None else own.of_points
            data = kind_of_clouds(sources, rasterizer, shape, size, cell, channels, views, of_points)
        else:
            of_clouds: dict[str, Any] = {"rasterizer": rasterizer, "shape": shape, "cell": cell, "channels": channels}
            refuse("of clouds, and given are images", **of_clouds)
            data = (Pairs if sources[0].kind == "pair" else Images).of(sources, size, values)
        own = _for_data(own, data, params)
        rounds = (1 if hasattr(own, "steps") else FOLDS) if folds is None else check_whole(folds, "folds")
        good_tiles = gathered(data, sources, check_seed(seed), progress)
        told = f"{len(sources)} good {data.kind}" if len(sources) > 1 else f"parts of one of {data.kind}"
        size_of = PIECE / data.size**2 if isinstance(data, Images) else POINTS
        marked = partial(marks_of, data, good_tiles, replace(wanted, min_size=float(size_of)))
        folder = None if states is None else make_folder(states)
        return cls(data, *fitted(own, good_tiles, rounds, seed, progress, told, folder, marked))

    def score(self, one: Any) -> SurfaceResult:
        """How novel an image or cloud is as a whole, and where.

        Parameters
        ----------
        one : file or array
            As one of those that `fit` takes, of the same kind.

        Returns
        -------
        SurfaceResult
            With a map of the image's own pixels, or of the cloud's points in their order; points of files that were
            never measured (NaN) are left out.

        Raises
        ------
        InputError, FileError
            As `fit`; also for what is of another kind, depth, proportion, unit or has not the channels of the good.
        """
        source = self._source(one)
        cut = self.data.cut(source)
        maps = self._maps(cut.only.tiles, cut.only.mask)
        novelty = cut.spread(maps)
        whole = worst_points(novelty) if self.data.kind == "objects" else self._worst(maps)
        return self._result(source, whole, cut.elements, novelty, cut.up)

    def score_file(self, path: str | os.PathLike[str], out: str | os.PathLike[str], **how: Any) -> SurfaceResult:
        """The same of a file of sheets of any size, block by block: the cloud is written again, as a .ply file with the
        novelty of each point. The map is of 100,000 of its points at most. Arguments and errors as
        `streaming.score_file`.
        """
        if not isinstance(self.data, Sheets):
            raise InputError(f"a model of {self.data.kind} does not read files in blocks; expected one of sheets")
        source, worst = self._source(path), [-np.inf]

        def score(raster: Raster) -> np.ndarray:
            maps = self._maps(raster.tiles, raster.mask)
            worst.append(self._worst(maps))
            return maps

        points, novelty = scored_points(score_file(path, self.data.rasterizer, score, out, bounds=self.bounds, **how))
        found = self._result(source, max(worst), Elements("points", points), novelty, "z")
        if (marks := self.pixel_threshold.marks) is None:
            return found
        # regions of some points alone are not comparable with those of whole good ones
        marks = replace(marks, peaks=np.empty(0), weights=np.empty(0))
        threshold = replace(self.pixel_threshold, marks=marks)
        return replace(found, map=replace(found.map, threshold=threshold))

    @property
    def bounds(self) -> tuple[float, float]:
        """The novelty at which the colors of maps begin and end, see `NoveltyMap.bounds`."""
        return self.baseline, 2 * self.pixel_threshold.value - self.baseline

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `surface.safetensors`, whole or not at all, into a folder, which is made if need be. Raises
        `FileError`."""
        path = make_folder(folder)
        arrays, learned = self.reconstructor.contents()
        header = {
            "data": settings(self.data),
            "thresholds": [self.threshold.state(), self.pixel_threshold.state()],
            "baseline": self.baseline,
            "reconstructor": learned,
            "identity": self.reconstructor.identity.sha256,
        }
        arrays = {f"{LEARNED}{name}": one for name, one in arrays.items()}
        save_arrays(path / SETTINGS, {"scale": self.scale, **arrays}, header, FILE)
        return path

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str | None = None, backbone: Any = None) -> SurfaceModel:
        """Read what `save` wrote; nothing in it is run. Raises `FileError` for anything else.

        device, backbone: as for `load_reconstructor`.
        """
        path = given_path(folder, "folder")
        if not (path / SETTINGS).is_file():
            raise FileError(
                f"{path} holds no {SETTINGS}; expected a folder that `surface fit` or `SurfaceModel.save` wrote"
            )
        find_device(device)
        with loaded_arrays(path / SETTINGS, FILE) as (header, arrays):
            reconstructor = _reconstructor(header, arrays, device, backbone)
            data, scale = from_settings(header["data"]), arrays["scale"].astype(np.float32)
            expected = (data.rasterizer.count, *data.shape[1:]) if isinstance(data, Objects) else (1, 1, 1)
            if data.shape != reconstructor.shape_ or scale.shape != expected:
                raise ValueError(f"its tiles are {data.shape}, its scale {scale.shape}")
            if not (np.isfinite(scale) & (scale > 0)).all():
                raise ValueError("its scale holds what is no number above 0")
            own, pixel = map(Threshold.from_state, header["thresholds"])
            model = cls(data, reconstructor, scale, own, pixel, float(header["baseline"]))
        check_backbone(path, reconstructor, backbone)
        return model

    def _maps(self, tiles: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self.reconstructor.novelty(tiles, mask) / self.scale

    def _source(self, one: Any) -> Source:
        sources, wanted = list_sources(one), self.data.shown if isinstance(self.data, Images) else "cloud"
        if len(sources) != 1 or sources[0].kind != wanted:
            given = f"{len(sources)} files" if len(sources) > 1 else f"{sources[0].name}, which is no {wanted}"
            raise InputError(f"given were {given}; this model is of {self.data.kind} and scores one {wanted} at a time")
        return sources[0]

    def _worst(self, maps: np.ndarray) -> float:
        return float(np.nanmax(self.reconstructor.pooled(maps)))

    def _result(self, source: Source, whole: float, elements: Elements, novelty: np.ndarray, up: str) -> SurfaceResult:
        own = self.baseline, self.pixel_threshold, self.reconstructor.provenance()
        found = NoveltyMap(elements, novelty, None, CLASSES, *own, name=source.name, up=up)
        h, w = elements.shape or (0, 0)
        least = max(1, round(PIECE * h * w / self.data.size**2)) if isinstance(self.data, Images) else POINTS
        return SurfaceResult(source.name, whole, self.threshold, found, least)


def _wanted(false_points: float | None, false_regions: float | None, largest: float) -> RequestedMarks:
    """The marks that are asked for; raises `InputError` for rates and bounds out of range."""
    if false_points is None and false_regions is None:
        if largest != 1:
            raise InputError("largest is given without false_points. It bounds marks with a promise. Give both")
        return RequestedMarks()
    of, rate = rate_of(false_points, false_regions, largest)
    return RequestedMarks(of, rate, largest)


def _reconstructor(
    header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], device: str | None, backbone: Any
) -> Reconstructor:
    """The one that is saved within a model."""
    own = {name.removeprefix(LEARNED): one for name, one in arrays.items() if name.startswith(LEARNED)}
    found = made_again(header["reconstructor"], own, device, backbone)
    if header["identity"] != found.identity.sha256:
        raise ValueError("its weights are not those that were saved")
    return found


def _for_data(given: Reconstructor | None, data: Kind, params: Mapping[str, Any]) -> Reconstructor:
    """The reconstructor for this kind of data, the default unless one is given. Raises `InputError` for a misfit."""
    if given is None:
        name = DEFAULTS[data.kind]
        if isinstance(data, Objects) or (isinstance(data, Sheets) and data.rasterizer.channels[0] != "height"):
            name = "pca"
        return _unfitted(name, params)
    if data.kind not in given.kinds or given.of_points != isinstance(data, Points):
        raise InputError(
            f"reconstructor {given.method!r} is for {' and '.join(given.kinds)}, and these are {data.kind}; leave it "
            f"out, which takes {DEFAULTS[data.kind]!r}, or give another"
        )
    if isinstance(given, HeightReconstructor) and isinstance(data, Sheets) and data.rasterizer.channels[0] != "height":
        raise InputError(
            f"the channels are {', '.join(data.rasterizer.channels)}; 'height' looks at the first, which must be height"
        )
    return given


def _unfitted(given: str | Reconstructor, params: Mapping[str, Any]) -> Reconstructor:
    if isinstance(given, str):
        check_choice(given, "reconstructor", NAMES)
        return find_reconstructor(given, **{"pixel_coverage": PIXELS, **params})
    if params:
        raise InputError(f"{', '.join(params)} belong to a reconstructor that is given by name; set them on this one")
    if not isinstance(given, Reconstructor) or given.method not in NAMES:
        raise InputError(f"reconstructor is {type(given).__name__}; expected one of tiles: {', '.join(NAMES)}")
    return clone(given)
