"""SurfaceModel: a reconstructor fitted to good images or clouds, with their preprocessing and thresholds."""

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
SETTINGS = f"{FILE}.safetensors"  # in the folder of a model
LEARNED = "reconstructor."  # prefix of the names of weights
NAMES = tuple(name for name in RECONSTRUCTORS if "token" not in name)
DEFAULTS = {"images": "patches", "pairs": "patches", "sheets": "height", "objects": "nearest"}
FOLDS = 5
PIECE, POINTS = 4, 10  # minimum size of a defect: pixels of a tile, points of a cloud
PIXELS = 0.99  # fraction of good pixels or points below the threshold of maps


@dataclass(frozen=True, eq=False)
class SurfaceResult:
    """Result for one image, pair or cloud.

    Attributes
    ----------
    name : str
    novelty : float
        Novelty of the whole image or cloud: the largest novelty of its tiles. For an object: the mean novelty of the
        most novel hundredth of its points.
    threshold : Threshold
        Threshold for `novelty`, from good images or clouds.
    map : NoveltyMap
        Novelty of each pixel or point, NaN if unseen. For a file that was scored in blocks, the map is of sampled
        points.
    least : int
        Minimum number of pixels or points of a defect.
    """

    name: str
    novelty: float
    threshold: Threshold
    map: NoveltyMap
    least: int = POINTS

    @cached_property
    def defects(self) -> list[Defect]:
        """Connected regions beyond the threshold of the map, largest first.

        Empty for a good surface, and if so much differs that the map does not locate damage (`map.tells` is False).
        """
        return defects_of(self.map, self.least) if self.is_novel and self.map.tells else []

    @property
    def is_novel(self) -> bool:
        """True if the novelty exceeds the threshold."""
        return bool(self.threshold.is_novel([self.novelty])[0])

    @property
    def p_value(self) -> float:
        """Fraction of good images or clouds that are at least as novel, counting this one."""
        return float(self.threshold.p_values([self.novelty])[0])

    def as_json(self) -> dict[str, Any]:
        """Result as strings and numbers. The map is summarized by the fraction beyond its threshold, the unseen
        fraction, and the defects."""
        record: dict[str, Any] = {"name": self.name, "novelty": self.novelty, "p_value": self.p_value}
        record |= {"verdict": "damaged" if self.is_novel else "good"}
        seen = self.map.seen
        return {
            **record,
            "beyond": float(self.map.is_novel.sum() / max(1, seen.sum())),
            "unseen": float(1 - seen.mean()),
        } | {"defects": [one.as_json() for one in self.defects]}


@dataclass(frozen=True, eq=False)
class SurfaceModel:
    """Model of good images, pairs or clouds, with all settings needed to score others.

    Attributes
    ----------
    data : Images, Pairs, Sheets, Objects or Points
        Kind of the data and its conversion to tiles, see `surfaces.data`.
    reconstructor : Reconstructor
        Fitted reconstructor. Its thresholds are not used.
    scale : ndarray (v, h, w)
        Divisor of maps. For views of objects: the usual novelty of each pixel, because edges are rebuilt worse than
        faces. For "nearest": a hundredth of the radius. For others: 1.
    threshold : Threshold
        For whole images or clouds. A coverage of 0.95 needs 19 good ones. With fewer, the threshold is their largest
        novelty, and `threshold.coverage` is the coverage reached.
    pixel_threshold : Threshold
        For maps. Without a requested guarantee, 99 % of good pixels or points are below it. `pixel_threshold.marks`
        has the guarantee and the highest regions of the good images or clouds, for the p-values of defects.
    baseline : float
        Median novelty of good pixels or points.
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
            Default: "patches" for images and pairs, "height" for sheets, "nearest" for objects. "pca" for sheets whose
            first channel is not "height", and for objects with a given rasterizer.
        rasterizer : Rasterizer or ViewRasterizer, optional
            For sheets or objects. Default: as `data.kind_of_clouds` chooses.
        shape : {"sheets", "objects"}, optional
            Kind of the clouds. Default: recognized from their points.
        size : int, optional
            Pixels or cells along a tile or view; no effect for "nearest".
        cell : float, optional
            Side of a sheet's cell in meters.
        channels : sequence of str, optional
            Channels of sheets, as in `Rasterizer`.
        values : (float, float), optional
            Range of the pixel values, if the pixel type does not define it. If only one image of a pair has floats, the
            range is for this image.
        folds : int, optional
            Rounds of cross-validation. Each round holds out one part of the good data for the thresholds. With 1, at
            least a tenth is held out, and the model is not fitted on it. Default: 5, or 1 for reconstructors with the
            parameter `steps`, such as "crn".
            A single sheet is split into strips, a single object into four random parts.
        false_points, false_regions : float, optional
            Guarantee for the threshold of maps. false_points: on average at most this fraction of a good surface is
            marked; 0.01 needs 99 good ones. false_regions: at most this fraction of good surfaces has a marked region;
            0.05 needs 19. See `novelty_map.calibrate_marks`. Default: 99 % of good pixels or points are below the
            threshold, without a guarantee.
        largest : float
            With `false_points`: mark at most this fraction of a surface. 0.2 with false_points=0.01 needs 19 good ones.
        seed : int
        progress : bool
            Show a progress bar on stderr.
        states : path, optional
            Folder for the states of trainings. After an interruption the same call resumes, with the same result. The
            caller deletes the files, see `fit.state_files`.
        **params
            Parameters of the reconstructor, if given by name.

        Raises
        ------
        InputError
            - For mixed kinds, no data, or a single image.
            - For data that cannot be rasterized.
            - For settings without effect, such as `cell` for images.
            - For a reconstructor that does not fit the kind of data.
            - For the state of another training.
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
        if wanted.rate is not None and len(sources) > 1:  # checked before the fit, which can take long
            check_shapes(len(sources), wanted.rate, wanted.largest, bounded=wanted.of == "points")
        unfitted = None if reconstructor is None else _unfitted(reconstructor, params)
        if shape is not None:
            check_choice(shape, "shape", ("sheets", "objects"))
        data: Kind
        if sources[0].kind == "cloud":
            refuse("the data are clouds, not images", values=values)
            views = GRANULE if unfitted is None else unfitted.granule
            of_points = rasterizer is None if unfitted is None else unfitted.of_points
            data = kind_of_clouds(sources, rasterizer, shape, size, cell, channels, views, of_points)
        else:
            of_clouds: dict[str, Any] = {"rasterizer": rasterizer, "shape": shape, "cell": cell, "channels": channels}
            refuse("the data are images, not clouds", **of_clouds)
            data = (Pairs if sources[0].kind == "pair" else Images).of(sources, size, values)
        unfitted = _for_data(unfitted, data, params)
        rounds = (1 if hasattr(unfitted, "steps") else FOLDS) if folds is None else check_whole(folds, "folds")
        good_tiles = gathered(data, sources, check_seed(seed), progress)
        described = f"{len(sources)} good {data.kind}" if len(sources) > 1 else f"parts of one of {data.kind}"
        size_of = PIECE / data.size**2 if isinstance(data, Images) else POINTS
        marked = partial(marks_of, data, good_tiles, replace(wanted, min_size=float(size_of)))
        folder = None if states is None else make_folder(states)
        return cls(data, *fitted(unfitted, good_tiles, rounds, seed, progress, described, folder, marked))

    def score(self, one: Any) -> SurfaceResult:
        """Novelty of an image or cloud as a whole, and of its pixels or points.

        Parameters
        ----------
        one : file or array
            In any form that `fit` takes, of the same kind of data.

        Returns
        -------
        SurfaceResult
            Its map is of the image's pixels, or of the cloud's points in their order. Unmeasured points (NaN) of files
            are dropped.

        Raises
        ------
        InputError, FileError
            As `fit`; also if kind, pixel type, proportions or unit differ from the good data, or channels are missing.
        """
        source = self._source(one)
        cut = self.data.cut(source)
        maps = self._maps(cut.only.tiles, cut.only.mask)
        novelty = cut.spread(maps)
        whole = worst_points(novelty) if self.data.kind == "objects" else self._worst(maps)
        return self._result(source, whole, cut.elements, novelty, cut.up)

    def score_file(self, path: str | os.PathLike[str], out: str | os.PathLike[str], **how: Any) -> SurfaceResult:
        """Score a file of a sheet of any size in blocks, and write a .ply copy with the novelty of each point.

        The map of the result has at most 100,000 of the points. Arguments and errors as in `streaming.score_file`, but
        `out` must be a .ply file.
        """
        if not isinstance(self.data, Sheets):
            raise InputError(
                f"a model of {self.data.kind} cannot read files in blocks. Expected a model of sheets. Call score "
                "instead."
            )
        if given_path(out, "out").suffix.lower() != ".ply":
            raise InputError(f"out is {os.fspath(out)}. Expected a .ply file. Change the suffix.")
        source, worst = self._source(path), [-np.inf]

        def score(raster: Raster) -> np.ndarray:
            maps = self._maps(raster.tiles, raster.mask)
            worst.append(self._worst(maps))
            return maps

        points, novelty = scored_points(score_file(path, self.data.rasterizer, score, out, bounds=self.bounds, **how))
        result = self._result(source, max(worst), Elements("points", points), novelty, "z")
        if (marks := self.pixel_threshold.marks) is None:
            return result
        # regions of sampled points are not comparable with regions of all points
        marks = replace(marks, peaks=np.empty(0), weights=np.empty(0))
        threshold = replace(self.pixel_threshold, marks=marks)
        return replace(result, map=replace(result.map, threshold=threshold))

    @property
    def bounds(self) -> tuple[float, float]:
        """Novelties at the ends of the color ramp, see `NoveltyMap.bounds`."""
        return self.baseline, 2 * self.pixel_threshold.value - self.baseline

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `surface.safetensors` atomically into a folder. A missing folder is created.

        Raises `FileError` if writing fails.
        """
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
        """Read a folder that `save` wrote. No code in it is executed.

        device, backbone: as for `load_reconstructor`. Raises `FileError` for other folders.
        """
        path = given_path(folder, "folder")
        if not (path / SETTINGS).is_file():
            raise FileError(
                f"{path} holds no {SETTINGS}. Expected the folder of a model. Give a folder that `surface fit` or "
                "`SurfaceModel.save` wrote."
            )
        find_device(device)
        with loaded_arrays(path / SETTINGS, FILE) as (header, arrays):
            reconstructor = _reconstructor(header, arrays, device, backbone)
            data, scale = from_settings(header["data"]), arrays["scale"].astype(np.float32)
            expected = (data.rasterizer.count, *data.shape[1:]) if isinstance(data, Objects) else (1, 1, 1)
            if data.shape != reconstructor.shape_ or scale.shape != expected:
                raise ValueError(f"its tiles are {data.shape}, its scale {scale.shape}")
            if not (np.isfinite(scale) & (scale > 0)).all():
                raise ValueError("its scale holds a value that is not above 0")
            whole, pixel = map(Threshold.from_state, header["thresholds"])
            model = cls(data, reconstructor, scale, whole, pixel, float(header["baseline"]))
        check_backbone(path, reconstructor, backbone)
        return model

    def _maps(self, tiles: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self.reconstructor.novelty(tiles, mask) / self.scale

    def _source(self, one: Any) -> Source:
        sources, wanted = list_sources(one), self.data.shown if isinstance(self.data, Images) else "cloud"
        if len(sources) != 1 or sources[0].kind != wanted:
            given = f"{len(sources)} files" if len(sources) > 1 else f"{sources[0].name}, which is no {wanted}"
            raise InputError(
                f"given were {given}. Expected one {wanted} at a time, because this model is of {self.data.kind}. Call "
                "score for each."
            )
        return sources[0]

    def _worst(self, maps: np.ndarray) -> float:
        return float(np.nanmax(self.reconstructor.pooled(maps)))

    def _result(self, source: Source, whole: float, elements: Elements, novelty: np.ndarray, up: str) -> SurfaceResult:
        details = self.baseline, self.pixel_threshold, self.reconstructor.provenance()
        novelty_map = NoveltyMap(elements, novelty, None, CLASSES, *details, name=source.name, up=up)
        h, w = elements.shape or (0, 0)
        least = max(1, round(PIECE * h * w / self.data.size**2)) if isinstance(self.data, Images) else POINTS
        return SurfaceResult(source.name, whole, self.threshold, novelty_map, least)


def _wanted(false_points: float | None, false_regions: float | None, largest: float) -> RequestedMarks:
    """Requested guarantee. Raises `InputError` for invalid rates and bounds."""
    if false_points is None and false_regions is None:
        if largest != 1:
            raise InputError(
                f"largest is {largest} without false_points. Expected both, because it limits marks with a guarantee. "
                "Give false_points, or leave largest out."
            )
        return RequestedMarks()
    of, rate = rate_of(false_points, false_regions, largest)
    return RequestedMarks(of, rate, largest)


def _reconstructor(
    header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], device: str | None, backbone: Any
) -> Reconstructor:
    """Saved reconstructor of a model."""
    learned = {name.removeprefix(LEARNED): one for name, one in arrays.items() if name.startswith(LEARNED)}
    reconstructor = made_again(header["reconstructor"], learned, device, backbone)
    if header["identity"] != reconstructor.identity.sha256:
        raise ValueError("its weights differ from the saved ones")
    return reconstructor


def _for_data(given: Reconstructor | None, data: Kind, params: Mapping[str, Any]) -> Reconstructor:
    """Unfitted reconstructor for the data: the given one, or the default. Raises `InputError` if it does not fit."""
    if given is None:
        name = DEFAULTS[data.kind]
        if isinstance(data, Objects) or (isinstance(data, Sheets) and data.rasterizer.channels[0] != "height"):
            name = "pca"
        return _unfitted(name, params)
    if data.kind not in given.kinds or given.of_points != isinstance(data, Points):
        raise InputError(
            f"reconstructor {given.method!r} is for {' and '.join(given.kinds)}, but the data are {data.kind}. "
            f"Expected a reconstructor for {data.kind}. Leave it out for {DEFAULTS[data.kind]!r}, or give another."
        )
    if isinstance(given, HeightReconstructor) and isinstance(data, Sheets) and data.rasterizer.channels[0] != "height":
        raise InputError(
            f"the channels are {', '.join(data.rasterizer.channels)}, but the reconstructor 'height' uses the first, "
            "which must be height. Expected 'height' first. Reorder the channels, or give another reconstructor."
        )
    return given


def _unfitted(given: str | Reconstructor, params: Mapping[str, Any]) -> Reconstructor:
    if isinstance(given, str):
        check_choice(given, "reconstructor", NAMES)
        return find_reconstructor(given, **{"pixel_coverage": PIXELS, **params})
    if params:
        raise InputError(
            f"{', '.join(params)} are given with a reconstructor object. Expected parameters only with a name. Set "
            "them on the object."
        )
    if not isinstance(given, Reconstructor) or given.method not in NAMES:
        raise InputError(
            f"reconstructor is {type(given).__name__}. Expected a name or an object. Give one of {', '.join(NAMES)}."
        )
    return clone(given)
