"""SurfaceModel: learned good images or clouds, their preprocessing, and scores of others."""

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
from openshape_ood.decisions.risk import check_shapes
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
)  # file in the folder of a model, prefix of weights
NAMES = tuple(name for name in RECONSTRUCTORS if "token" not in name)
DEFAULTS = {"images": "patches", "pairs": "patches", "sheets": "height", "objects": "nearest"}
FOLDS = 5
PIECE, POINTS = 4, 10  # minimum pixels of a tile, and points, of a defect
PIXELS = 0.99  # fraction of good places below the threshold of maps


@dataclass(frozen=True, eq=False)
class SurfaceResult:
    """Result for one image, pair or cloud.

    Attributes
    ----------
    name : str
    novelty : float
        Novelty of the whole: of its worst tile; for an object, the mean of the most novel hundredth of its points.
    threshold : Threshold
        Of wholes, as for good ones.
    map : NoveltyMap
        Map of its pixels or points, NaN if unseen; for a file that was scored in blocks, of sampled points.
    least : int
        Minimum pixels or points of a defect.
    """

    name: str
    novelty: float
    threshold: Threshold
    map: NoveltyMap
    least: int = POINTS

    @cached_property
    def defects(self) -> list[Defect]:
        """Connected regions beyond the threshold of the map, largest first; empty for another kind of object."""
        return defects_of(self.map, self.least) if self.is_novel and self.map.tells else []

    @property
    def is_novel(self) -> bool:
        """True if the novelty exceeds the threshold."""
        return bool(self.threshold.is_novel([self.novelty])[0])

    @property
    def p_value(self) -> float:
        """Fraction of good ones that are at least as novel, itself included."""
        return float(self.threshold.p_values([self.novelty])[0])

    def as_json(self) -> dict[str, Any]:
        """Strings and numbers: for the map the fraction beyond its threshold, the unseen fraction, and the defects."""
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
    """Learned good images, pairs or clouds, with all settings needed to score others.

    Attributes
    ----------
    data : Images, Pairs, Sheets or Objects
        Kind of the data and its conversion to tiles, see `surfaces.data`.
    reconstructor : Reconstructor
        Fitted, without thresholds.
    scale : ndarray (v, h, w)
        Divisor of maps: for views of objects the usual novelty at each place, because edges are rebuilt worse than
        faces; for `nearest` a hundredth of the radius; else 1.
    threshold : Threshold
        For whole images or clouds. If the good ones are too few for the coverage (0.95 needs 19), the largest novelty;
        `threshold.coverage` is the fraction that it keeps.
    pixel_threshold : Threshold
        Of maps: 99 % of good pixels, or points of objects, are below it, or the guarantee in its `marks` holds. With
        two or more good ones it stores their highest regions, for the p-values of defects.
    baseline : float
        Median novelty of good places.
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
        """Learn from good data.

        Parameters
        ----------
        good : files, folders, arrays, or a list of these
            Images, or clouds: arrays (n, 3), or mappings of `points` (n, 3) in meters and optionally `intensity` (n,),
            `color` (n, 3) and `strips` (n,). A folder with `height_files` and `intensity_files`, or a mapping of
            `height` and `intensity`, is a set of pairs: images of two channels. All data must be of one kind.
        reconstructor : str or Reconstructor, optional
            Name ("height", "nearest", "mean", "pca", "patches", "unet", "crn", "memory"), or an unfitted object.
            Default: "patches" for images and pairs, "height" for sheets, "nearest" for objects.
        rasterizer : Rasterizer or ViewRasterizer, optional
            For sheets or objects. Default: by `data.kind_of_clouds`.
        shape : {"sheets", "objects"}, optional
            Kind of the clouds. Default: by their form.
        size : int, optional
            Pixels or cells along a tile or view; not for "nearest".
        cell : float, optional
            Side of a sheet's cell in meters.
        channels : sequence of str, optional
            Channels of sheets, as in `Rasterizer`.
        values : (float, float), optional
            Range of images whose type does not define it; for a pair with one side of floats, the range of that side.
        folds : int, optional
            Rounds of cross-validation: in each, one part of the good data is held out for the thresholds. With 1, a
            tenth is held out once, and never learned from. Default: 5, or 1 for reconstructors trained in steps. A
            single sheet is split into strips, a single object into four random parts.
        false_points, false_regions : float, optional
            Guarantee for the threshold of maps: on average at most this fraction of a good surface is falsely marked,
            or at most this fraction of good surfaces has a false region. 0.01 and 0.05 need 99 and 19 good ones, see
            `novelty_map.calibrate_marks`. Default: 99 % of all places of good ones are below the threshold.
        largest : float
            With `false_points`: mark at most this fraction of a surface; 0.2 and 0.01 need 19 good ones.
        seed : int
        progress : bool
            Show a progress bar on stderr.
        states : path, optional
            Folder of saved trainings, for resuming: after an interruption the same call continues, with the same
            result. The caller deletes `fit.state_files`.
        **params
            Parameters of the reconstructor, if given by name.

        Raises
        ------
        InputError
            For mixed kinds, no data, a single image, data that cannot be rasterized (with the file's name), settings
            without effect such as a cell for images, a reconstructor for another kind of data, and the state of another
            training.
        FileError
            For unreadable files, and pairs without a partner.

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
        if wanted.rate is not None and len(sources) > 1:  # before anything is learned
            check_shapes(len(sources), wanted.rate, wanted.largest, bounded=wanted.of == "points")
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
        described = f"{len(sources)} good {data.kind}" if len(sources) > 1 else f"parts of one of {data.kind}"
        size_of = PIECE / data.size**2 if isinstance(data, Images) else POINTS
        marked = partial(marks_of, data, good_tiles, replace(wanted, min_size=float(size_of)))
        folder = None if states is None else make_folder(states)
        return cls(data, *fitted(own, good_tiles, rounds, seed, progress, described, folder, marked))

    def score(self, one: Any) -> SurfaceResult:
        """Novelty of an image or cloud as a whole, and of its places.

        Parameters
        ----------
        one : file or array
            In any form that `fit` takes, of the same kind.

        Returns
        -------
        SurfaceResult
            With a map of the image's pixels, or of the cloud's points in order; unmeasured points (NaN) of files are
            dropped.

        Raises
        ------
        InputError, FileError
            As `fit`; also for another kind, pixel type, proportion or unit, or missing channels.
        """
        source = self._source(one)
        cut = self.data.cut(source)
        maps = self._maps(cut.only.tiles, cut.only.mask)
        novelty = cut.spread(maps)
        whole = worst_points(novelty) if self.data.kind == "objects" else self._worst(maps)
        return self._result(source, whole, cut.elements, novelty, cut.up)

    def score_file(self, path: str | os.PathLike[str], out: str | os.PathLike[str], **how: Any) -> SurfaceResult:
        """`score` for a file of a sheet of any size, in blocks; writes a copy with the novelty of each point as .ply.

        The map has at most 100,000 of the points. Arguments and errors as in `streaming.score_file`.
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
        # regions of sampled points are not comparable with those of whole good ones
        marks = replace(marks, peaks=np.empty(0), weights=np.empty(0))
        threshold = replace(self.pixel_threshold, marks=marks)
        return replace(found, map=replace(found.map, threshold=threshold))

    @property
    def bounds(self) -> tuple[float, float]:
        """Novelties at the ends of the color ramp, see `NoveltyMap.bounds`."""
        return self.baseline, 2 * self.pixel_threshold.value - self.baseline

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `surface.safetensors`, whole or not at all, into a folder, created if missing. Raises `FileError`."""
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
        """Read a folder that `save` wrote. Raises `FileError` for any other. No code in it is executed.

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
    """Requested marks. Raises `InputError` for rates and bounds out of range."""
    if false_points is None and false_regions is None:
        if largest != 1:
            raise InputError("largest is given without false_points. It limits marks with a guarantee. Give both")
        return RequestedMarks()
    of, rate = rate_of(false_points, false_regions, largest)
    return RequestedMarks(of, rate, largest)


def _reconstructor(
    header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], device: str | None, backbone: Any
) -> Reconstructor:
    """Saved reconstructor of a model."""
    own = {name.removeprefix(LEARNED): one for name, one in arrays.items() if name.startswith(LEARNED)}
    found = made_again(header["reconstructor"], own, device, backbone)
    if header["identity"] != found.identity.sha256:
        raise ValueError("its weights are not those that were saved")
    return found


def _for_data(given: Reconstructor | None, data: Kind, params: Mapping[str, Any]) -> Reconstructor:
    """Reconstructor for this kind of data. Raises `InputError` for a misfit."""
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
            f"the channels are {', '.join(data.rasterizer.channels)}; 'height' uses the first, which must be height"
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
