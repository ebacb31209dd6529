"""NoveltyPipeline: known classes, method, encoder and threshold, prepared once and applied to any number of shapes.

Every entry point uses a pipeline: `score_novelty`, the commands, the page, scans and stored embeddings.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_seed, check_whole
from openshape_ood.decisions.calibration import calibration_needed, share_between
from openshape_ood.decisions.drift import DriftStream, check_share
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.protocols import Embeddings, Encoder, Identity, NamesEncoder, Provenance, check_encoders
from openshape_ood.errors import ClassNamesError, FileError, InputError, MixedEncodersError, OpenShapeError
from openshape_ood.known import KnownClasses, check_examples, check_names, check_patches
from openshape_ood.known.classes import read_note
from openshape_ood.novelty import up_axis
from openshape_ood.novelty.calibration import COVERAGE, Calibration, from_calibration
from openshape_ood.novelty.generated import Generated, generated_threshold
from openshape_ood.novelty.labels import LabelSample, check_sample, scored_by
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.novelty.up_axis import FALLBACK, UpAxis, by_words, find_up, plausible, spread
from openshape_ood.scoring import DEFAULTS, Judgement, Method, default_method, find_method, judge
from openshape_ood.scoring.methods import Kind, check_known, kind_of
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.shapes.batches import AUTO, Batch, Reading, in_batches
from openshape_ood.shapes.failure import Failure
from openshape_ood.shapes.points import UPS, AxisWarning, check_up, resample
from openshape_ood.shapes.reading import stated_up
from openshape_ood.shapes.shape import UNSTATED, Shape, list_shapes, resolve_ups, warn_of_stated

Errors = Literal["raise", "skip"]
Ups = str | Sequence[str]
PATCH_STAGE = "tokens"  # default stage for patch methods


@dataclass(frozen=True)
class Queries:
    """Shapes to score, or their embeddings in `ready`. `ups` (b,) are the up axes; empty if not determined yet."""

    names: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()
    ups: tuple[str, ...] = ()
    ready: Embeddings | None = None

    @classmethod
    def of(cls, shapes: Any, up: Ups = "file", errors: Errors = "raise", silent: str | None = None) -> Queries:
        """Validate the shapes and their axes. `silent` is the axis of shapes without a stated axis.

        Raises `CloudError` for invalid shapes, `InputError` if the number of axes is wrong or an axis is invalid.
        """
        if isinstance(shapes, Embeddings):
            return cls(shapes.row_names(), ready=shapes)
        listed = list_shapes(shapes)
        if not isinstance(up, str) and len(up) != len(listed):
            resolve_ups(up, listed)  # raises for invalid axes
        names, ups = tuple(shape.path or shape.name for shape in listed), tuple[str, ...]()
        if up == "file" and silent is not None:
            ups = tuple(shape.stated_up() or silent for shape in listed)
        elif errors == "raise" and up != AUTO:
            ups = tuple(resolve_ups(up, listed))
        return cls(names, tuple(listed), ups)


@dataclass(frozen=True, eq=False)
class NoveltyPipeline:
    """Known classes, a method, an encoder and a threshold: prepared once, then applied to any number of shapes.

    `prepare` accepts the arguments of `score_novelty`. A call with shapes or `Embeddings` returns a `NoveltyResult`;
    `stream` handles any number of shapes in bounded memory.

    Attributes
    ----------
    known : KnownClasses
    method : Method
    encoders : Encoders
        Shape encoder and text encoder, loaded on first use.
    threshold : Threshold, optional
        Threshold of `result.is_novel`.
    up : str
        Gravity axis of the shapes, as in `score_novelty`.
    silent : str, optional
        Axis of shapes without a stated axis, if `up` is "file" or "auto". None: y, with a warning.
    up_axis : UpAxis, optional
        Result of the axis search, if `up` is "auto".
    seed, num_samples, batch_size, progress
        As in `ShapeEncoder.encode`.
    errors : {"raise", "skip"}
        "raise" stops at the first unusable shape; "skip" lists unusable shapes in the result.
    readers : int, optional
        Number of processes that read files ahead of the encoder. Default: depends on the number of files.
    failures : tuple of Failure
        Unusable calibration shapes.
    expected_novel : float, optional
        Expected fraction of novel shapes, for `result.drift`.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> pipeline = NoveltyPipeline.prepare(["chair", "sofa", "table"], model="tiny")
    >>> pipeline([sample("chair", 2048, seed=1), sample("guitar", 2048, seed=1)]).is_novel.tolist()
    [False, True]
    >>> [len(found) for found in pipeline.stream(sample("chair", 500, seed) for seed in range(40))]
    [32, 8]
    """

    known: KnownClasses
    method: Method
    encoders: Encoders
    threshold: Threshold | None = None
    up: str = "file"
    silent: str | None = None
    up_axis: UpAxis | None = None
    seed: int = 0
    num_samples: int = 1
    batch_size: int = 32
    errors: Errors = "raise"
    readers: int | None = None
    progress: bool = False
    failures: tuple[Failure, ...] = ()
    expected_novel: float | None = None

    @classmethod
    def prepare(
        cls,
        known: Sequence[str] | Mapping[str, Any] | KnownClasses,
        *,
        encoder: Encoder | None = None,
        text: NamesEncoder | None = None,
        model: str | None = None,
        method: str | Method | None = None,
        threshold: Threshold | None = None,
        calibration: Any = None,
        coverage: float | None = None,
        groups: Sequence[Any] | None = None,
        generated: Generated | None = "scans",
        expected_novel: float | None = None,
        unsure: Sequence[float] | None = None,
        novel: Any = None,
        errors: Errors = "raise",
        up: str = "file",
        known_up: str | Mapping[str, Sequence[str]] | None = None,
        identity: Identity | None = None,
        device: Any = None,
        seed: int = 0,
        num_samples: int = 1,
        batch_size: int = 32,
        progress: bool = False,
    ) -> NoveltyPipeline:
        """Prepare a pipeline for known classes.

        Parameters
        ----------
        known, encoder, text, model, method, threshold, calibration, coverage, groups, errors, known_up, device, seed,
        num_samples, batch_size, progress
            As in `score_novelty`.
        generated : {"scans", "models"}, optional
            Generated shapes for the fallback threshold: simulated scans or whole models. None: no fallback threshold.
        expected_novel, unsure, novel
            As in `score_novelty`.
        up : str
            As in `score_novelty`, but one axis for all shapes.
        identity : Identity, optional
            Encoder identity of the embeddings to score. With it, the shape encoder is loaded only if needed.

        Raises
        ------
        InputError, MixedEncodersError, ClassNamesError, CheckpointError
            If a value is invalid, if parts belong to different encoders, or if weights are unavailable.
        """
        check_choice(errors, "errors", ("raise", "skip"))
        check_seed(seed)
        check_whole(num_samples, "num_samples")
        if up not in ("file", AUTO):
            check_up(up)
        chosen = settled_method(known, method)
        if chosen.rows == "patches" and (identity is not None or num_samples != 1):
            check_one_sampling(chosen, identity is not None, num_samples)
        ready = isinstance(known, KnownClasses)
        if known_up is not None and isinstance(known, KnownClasses):
            raise InputError(
                "known_up is given with ready KnownClasses. Expected known_up only with example shapes. Leave it out."
            )
        examples_up = _example_axis(up, known_up) if isinstance(known, Mapping) else "file"
        check_encoders(encoder, text)
        if threshold is not None:
            check_threshold(threshold)
            if calibration is not None:
                raise InputError("threshold and calibration are both given. Expected one of them. Leave one out.")
        if groups is not None and calibration is None:
            raise InputError(
                "groups are given without calibration. Expected the object of each calibration shape. "
                "Give calibration shapes too."
            )
        calibrating = None if calibration is None else Calibration.of(calibration, coverage, groups, known)
        held = [one for one in (getattr(known, "identity", None) if ready else None, identity) if one is not None]
        encoders = Encoders(model, encoder, text, device=device, others=held)
        how: dict[str, Any] = {"seed": seed, "num_samples": num_samples, "batch_size": batch_size, "progress": progress}
        classes = known_classes(known, chosen, encoders, up=examples_up, **how)
        if not ready:
            classes = classes.with_temperature(encoders.shape.temperature)
        check_known(chosen, classes)
        rates = None if unsure is None else check_rates(unsure, novel)
        expected = None if expected_novel is None else check_share(expected_novel)
        pipeline = cls(classes, chosen, encoders, up=up, errors=errors, expected_novel=expected, **how)
        result = grouped = None
        if calibrating is not None:
            result = pipeline(calibrating.shapes)
            found_up = result.up_axis
            # an axis found for the calibration shapes also holds for the shapes to score
            if found_up is not None and found_up.axis is not None:
                pipeline = replace(pipeline, up_axis=found_up, silent=found_up.axis)
            pipeline = replace(pipeline, failures=result.failures)
            grouped = calibrating.groups_of(result)
        decided = pipeline.decided(threshold, result, coverage, grouped, generated)
        return decided if rates is None else decided.with_unsure(*rates, novel)

    def with_unsure(self, alpha: float = 0.05, beta: float | None = None, novel: Any = None) -> NoveltyPipeline:
        """Copy with a third verdict, "unsure". See `Threshold.with_unsure`.

        Parameters
        ----------
        alpha, beta : float
        novel : shapes or Embeddings, optional
            Novel examples from the same source as future novel shapes.

        Raises
        ------
        InputError
            If there is no threshold from known shapes.
        """
        if self.threshold is None:
            raise InputError(
                "there is no threshold. Two error rates need one from known shapes. Give calibration shapes."
            )
        examples = None if novel is None else replace(self, threshold=None)(novel)
        return replace(self, threshold=self.threshold.with_unsure(alpha, beta, examples))

    def monitor(self, cut: float | None = None, level: float = 0.01) -> DriftStream:
        """A drift test for `stream`. It can be saved, and several calls can continue the same test.

        Parameters
        ----------
        cut, level
            As in `DriftStream`.

        Raises
        ------
        InputError
            If there is no threshold, or it has the scores of fewer than 19 known shapes.
        """
        if self.threshold is None:
            raise InputError(
                "there is no threshold. A drift test needs one from known shapes. Give calibration shapes."
            )
        scores, threshold = self.threshold.check_drift().scores, self.threshold
        how: dict[str, Any] = {
            "value": threshold.value,
            "coverage": threshold.coverage,
            "expected_novel": self.expected_novel,
            "scored_by": scored_by(self.provenance),
        }
        return DriftStream(scores, cut, level, int(self.seed), **how)

    def recalibrate(self, labels: LabelSample, coverage: float = COVERAGE) -> NoveltyPipeline:
        """Copy with a new threshold from labeled shapes. It is valid for shapes from the same source.

        The copy has no third verdict, because its error rates were calibrated on other shapes. Call `with_unsure`
        again.

        Parameters
        ----------
        labels : LabelSample
            Sample from `result.to_label`, with all labels.
        coverage : float
            Fraction of known shapes to keep. Default: 0.95, which needs 19 shapes labeled as known.

        Raises
        ------
        InputError
            If labels are missing or invalid, the sample is not random, or too few shapes are known.
        MixedEncodersError
            If the sample was scored with another encoder or method.
        """
        check_sample(labels)
        if labels.scored_by != scored_by(self.provenance):
            raise MixedEncodersError(
                f"the labeled shapes were scored with {labels.scored_by}. "
                f"Expected {scored_by(self.provenance)}, as in the pipeline. Draw a sample with this pipeline."
            )
        return replace(self, threshold=labels.threshold(self.known.names, coverage, self.provenance))

    def decided(
        self,
        threshold: Threshold | None = None,
        calibration: NoveltyResult | None = None,
        coverage: float | None = None,
        groups: Sequence[Any] | None = None,
        generated: Generated | None = "scans",
        source: str = "",
    ) -> NoveltyPipeline:
        """Copy with the threshold of highest precedence, for a coverage; without one if no source gives one.

        Precedence: explicit, then from calibration shapes, then saved with the known classes, then from generated
        shapes.

        Parameters
        ----------
        threshold, coverage, groups, generated
            As in `prepare`.
        calibration : NoveltyResult, optional
            Result of this pipeline for n known shapes.
        source : str
            Description of the calibration shapes.
        """
        if coverage is not None:
            calibration_needed(coverage)  # validates the coverage
        provenance, saved, chosen = self.provenance, self.known.threshold, None
        if threshold is not None:
            threshold.check_fits(provenance)
            chosen = threshold.at(coverage)
        elif calibration is not None:
            chosen = from_calibration(calibration, self.known, coverage, groups, source)
        elif saved is not None and saved.fits(provenance):
            chosen = saved.at(coverage)
        elif generated is not None:
            chosen = generated_threshold(self, COVERAGE if coverage is None else coverage, generated)
        return replace(self, threshold=chosen)

    @property
    def provenance(self) -> Provenance:
        """Provenance of results for shapes."""
        known = self.known
        identity = known.identity if known.identity.sha256 or known.text is None else self.encoders.identity
        return Provenance(identity, self.method.name, self.up, int(self.seed), int(self.num_samples), __version__)

    @property
    def reading(self) -> Reading:
        """Settings for reading shapes."""
        return Reading(
            self.encoders.points, self.up, self.seed, self.num_samples, self.batch_size, self.readers,
            silent=self.silent or FALLBACK,
        )  # fmt: skip

    def __call__(self, shapes: Any, *, up: Ups | None = None) -> NoveltyResult:
        """Score shapes, ready `Embeddings`, or validated `Queries`.

        `up` is as in `score_novelty`. Default: the axis of the pipeline.
        """
        up = self.up if up is None else up
        queries = shapes if isinstance(shapes, Queries) else Queries.of(shapes, up, self.errors, self.silent)
        if queries.ready is not None:
            return self._of_embeddings(queries.ready)
        pipeline = self if up != AUTO or self.up_axis is not None else self.with_axis(queries.shapes)
        if self.errors == "skip":
            return pipeline._without_failures(queries, up)
        ups = queries.ups or tuple(shape.stated_up() or pipeline.silent or FALLBACK for shape in queries.shapes)
        given_up = up if isinstance(up, str) else ", ".join(dict.fromkeys(up))
        values = [one.value for one in queries.shapes]
        return pipeline._of_shapes(values, ups, queries.names, given_up, self.progress)

    def _without_failures(self, queries: Queries, up: Ups) -> NoveltyResult:
        from tqdm import tqdm

        shapes = queries.shapes
        if isinstance(up, str):
            warn_of_stated(up, shapes)
        else:
            shapes = tuple(replace(one, up=axis) for one, axis in zip(shapes, up, strict=True))
        pipeline = replace(self, up=up if isinstance(up, str) else "file")
        with tqdm(total=len(shapes), desc="embedding", unit="shape", disable=not self.progress) as bar:
            several = list(pipeline.stream(shapes, step=bar.update, monitor=False))
        result = NoveltyResult.joined(several)
        given_up = up if isinstance(up, str) else ", ".join(dict.fromkeys(up))
        failures = (*self.failures, *result.failures)
        return replace(result, failures=failures, provenance=replace(result.provenance, up=given_up))

    def stream(
        self, shapes: Iterable[Any], *, step: Callable[[], Any] = lambda: None, monitor: DriftStream | bool = True
    ) -> Iterator[NoveltyResult]:
        """Yield results for any number of shapes, in batches, in order and in bounded memory.

        Child processes with limits of time and memory read each file once. If `num_samples` is above 1, the encoder
        reads the file again, because every sampling of a surface differs. Each result lists the unusable shapes of its
        batch in `failures`. For up="auto", call `with_axis` first.

        Parameters
        ----------
        shapes : iterable
            Clouds (n, 3|6), paths and trimesh objects. Each `Embeddings` object is a batch by itself.
        step : callable
            Called after each shape.
        monitor : DriftStream or bool
            Drift test to continue. False: none. Default: a new one, if the threshold has enough scores.

        Yields
        ------
        NoveltyResult
            Result of up to `batch_size` shapes. The last one may contain only failures. `drift` is the state of the
            drift test after this batch; the test is valid only if the shapes are not sorted by class.

        Raises
        ------
        InputError
            If the monitor belongs to another threshold, encoder or method.
        """
        if monitor is True:
            try:
                monitor = self.monitor()
            except InputError:  # too few calibration scores, or too many ties
                monitor = False
        elif monitor is not False:
            self._check_monitor(monitor)
        for result in self._results(shapes, step):
            if isinstance(monitor, DriftStream):
                result = replace(result, stream_drift=monitor.update(result.novelty))
            yield result

    def _check_monitor(self, monitor: Any) -> None:
        if not isinstance(monitor, DriftStream):
            raise InputError(f"monitor is a {type(monitor).__name__}. Expected a DriftStream. Give pipeline.monitor().")
        scorer, value = scored_by(self.provenance), None if self.threshold is None else self.threshold.value
        same = monitor.value is None or (value is not None and np.isclose(monitor.value, value, rtol=1e-4, atol=1e-5))
        if not same or monitor.scored_by not in ("", scorer):
            raise InputError(
                f"the monitor belongs to {monitor.scored_by}, threshold {monitor.value}. "
                f"Expected {scorer}, threshold {value}, as in the pipeline. Start with pipeline.monitor()."
            )

    def _results(self, shapes: Iterable[Any], step: Callable[[], Any]) -> Iterator[NoveltyResult]:
        axis_known = self.silent is not None or self.up in UPS  # for shapes without a stated axis
        for are_ready, some in groupby(shapes, lambda one: isinstance(one, Embeddings)):
            if are_ready:
                yield from map(self._of_embeddings, some)
                continue
            for batch in in_batches(map(_as_shape, count(), some), self.reading, self.of_batch, step):
                result = batch.result if batch.given else self._of_shapes((), (), (), self.up)
                if not axis_known and not all(map(_states_axis, batch.names)):
                    warnings.warn(UNSTATED, AxisWarning, stacklevel=2)
                    axis_known = True
                yield replace(result, failures=tuple(batch.failures))

    def of_batch(self, batch: Batch) -> NoveltyResult:
        """Result of a batch from `in_batches` with `reading`."""
        return self._of_shapes(batch.shapes, batch.ups, batch.names, self.up)

    def _of_shapes(
        self, values: Sequence[Any], ups: Sequence[str], names: tuple[str, ...], given_up: str, progress: bool = False
    ) -> NoveltyResult:
        """Encode shapes and score their embeddings. `given_up` is the axis for the provenance."""
        encoder = self.encoders.shape
        if len(values):
            how = {"seed": self.seed, "num_samples": self.num_samples, "batch_size": self.batch_size}
            rows = encoder.encode(values, up=list(ups), progress=progress, **how)
        else:
            rows = np.empty((0, self.known.dim))
        embeddings = Embeddings(rows, encoder.identity, names, encoder.temperature)
        patches = self._patches(values, ups) if self.method.rows == "patches" else None
        provenance = Provenance(
            encoder.identity, self.method.name, given_up, int(self.seed), int(self.num_samples), __version__
        )
        return self._scored(embeddings, tuple(ups), provenance, patches)

    def _of_embeddings(self, embeddings: Embeddings) -> NoveltyResult:
        """Score ready embeddings. Their provenance has no reading settings."""
        check_one_sampling(self.method, True)
        if embeddings.temperature is None and self.encoders.is_loaded:
            embeddings = replace(embeddings, temperature=self.encoders.shape.temperature)
        provenance = Provenance(embeddings.identity, self.method.name, "", version=__version__)
        return self._scored(embeddings, (), provenance)

    def _patches(self, values: Sequence[Any], ups: Sequence[str]) -> np.ndarray:
        encoder = self.encoders.shape
        check_patches(encoder)
        if not len(values):
            return np.empty((0, 0, 0))
        stage = self.known.patches.stage if self.known.patches is not None else PATCH_STAGE
        how = {"batch_size": self.batch_size, "seed": self.seed, "up": list(ups), "stage": stage}
        features: np.ndarray = encoder.encode_patches(values, **how).features
        return features

    def _scored(
        self,
        embeddings: Embeddings,
        ups: tuple[str, ...],
        provenance: Provenance,
        patches: np.ndarray | None = None,
    ) -> NoveltyResult:
        """Score embeddings (b, d) against the known classes. The result applies the threshold."""
        known = self.known.with_temperature(embeddings.temperature)
        known.identity.check_fits(embeddings.identity)
        if self.threshold is not None:
            self.threshold.check_fits(provenance)
        if patches is None:
            judgement = judge(embeddings.vectors, known, self.method)
        else:
            judgement = _judge_patches(patches, embeddings.vectors, known, self.method)
        names = np.array(known.names)
        return NoveltyResult(
            novelty=judgement.novelty,
            nearest=names[judgement.nearest],
            similarity=judgement.similarity,
            classes=names,
            shapes=embeddings.row_names(),
            up=ups,
            provenance=provenance,
            threshold=self.threshold,
            embeddings=embeddings,
            failures=self.failures,
            up_axis=self.up_axis,
            expected_novel=self.expected_novel,
        )

    def with_axis(self, shapes: Iterable[Any]) -> NoveltyPipeline:
        """Copy for up="auto". Shapes without a stated axis get the axis that fits them best.

        If the search is undecided, the axis is y, with a warning. `shapes` are paths, clouds, trimesh objects or
        `Shape`s.
        """
        axis = self.find_axis(shapes)
        if axis is None:
            return replace(self, silent=self.silent or FALLBACK)
        if axis.axis is None:
            message = f"{axis}. They are read with {FALLBACK} up. If you know the axis, give it, as in up={FALLBACK!r}."
            warnings.warn(message, AxisWarning, stacklevel=3)
        return replace(self, up_axis=axis, silent=axis.axis or FALLBACK)

    def find_axis(self, shapes: Iterable[Any], most: int | None = None) -> UpAxis | None:
        """Result of `find_up` for the shapes without a stated axis. None if no shape is usable.

        `most` is the maximum number of shapes to compare. Default: 200.
        """
        listed = [_as_shape(i, one) for i, one in enumerate(shapes)]
        silent = [one for one in listed if one.path is None or not _states_axis(one.path)]
        chosen = [silent[i] for i in spread(len(silent), most or up_axis.MOST)]
        reading = replace(self.reading, up=FALLBACK, num_samples=1)

        def thinned(batch: Batch) -> list[Any]:
            # subsampled to the encoder's point count, so that hundreds of large scans fit in memory
            return [
                c[resample(len(c), reading.points, reading.seed)] if len(c) > reading.points else c
                for c in batch.shapes
            ]

        clouds = [cloud for batch in in_batches(chosen, reading, thinned) for cloud in batch.result or ()]
        if not clouds:
            return None
        text = self.encoders.text if by_words(self.known) else None
        axes = plausible(chosen)
        how = {**reading.settings, "num_samples": self.num_samples}
        return find_up(clouds, self.known, encoder=self.encoders.shape, text=text, candidates=axes, **how)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write known classes, method, threshold and axis to a .safetensors file, atomically.

        `KnownClasses.load` and --known-file read it too. It contains name and hash of the encoder, not its weights.
        Raises `InputError` for a method without a registered name, `FileError` if writing fails.
        """
        if find_method(self.method.name) != self.method:
            raise InputError(
                f"method {self.method.name!r} has custom settings or code, which a file cannot contain. "
                "Expected a registered method. Choose a key of METHODS."
            )
        known = self.known if self.threshold is None else self.known.with_threshold(self.threshold)
        settings = {name: getattr(self, name) for name in SAVED}
        return known.save(path, note={"method": self.method.name, **settings})

    @classmethod
    def load(cls, path: str | os.PathLike[str], **settings: Any) -> NoveltyPipeline:
        """Prepare a pipeline from a file of `save`, or from a file of known classes.

        Parameters
        ----------
        path : str or path
        **settings
            Arguments of `prepare`. They take precedence over the settings in the file.
        """
        known = KnownClasses.load(path)
        note = read_note(path)
        try:
            saved = {name: note[name] for name in ("method", *SAVED) if name in note}
            axis = saved.pop("silent", None)
            made = cls.prepare(known, **{**saved, **settings})
            return replace(made, silent=axis and check_up(axis))
        except (TypeError, ValueError) as error:
            raise FileError(
                f"{path} is damaged, or not a pipeline: {str(error).rstrip('.')}. Expected a file of save. Save the "
                "pipeline again."
            ) from error


SAVED = ("up", "silent", "seed", "num_samples")


def settled_method(known: Any, method: str | Method | None) -> Method:
    """The given method, or the default for this kind of classes. Raises `InputError` if it does not fit the kind."""
    if not isinstance(known, KnownClasses):
        kind = _requested_kind(known)
        return find_method(DEFAULTS[kind] if method is None else method, kind)
    # classes with names and examples fit methods of every kind; `check_known` checks patches and negative words
    anything = known.text is not None and kind_of(known) == "examples"
    return find_method(default_method(known) if method is None else method, None if anything else kind_of(known))


def _requested_kind(known: Any) -> Kind:
    """Kind of classes that are not prepared yet; validates their names before any model loads."""
    if isinstance(known, Mapping):
        with_examples = {name: value for name, value in known.items() if value is not None}
        if with_examples:
            check_examples(with_examples)
        check_names(list(known))
        if not with_examples:
            return "names"
        return "examples" if len(with_examples) == len(known) else "both"
    if isinstance(known, Sequence) and any(isinstance(item, Mapping) for item in known):
        raise InputError(
            "known mixes names and examples in a list. Expected one mapping, with None for a class with only a name. "
            'Give {"chair": shapes, "sofa": None}.'
        )
    if not isinstance(known, Sequence | np.ndarray):  # the order of a set is undefined
        raise ClassNamesError(
            f"known is {type(known).__name__}. Expected a list of names, or a mapping from names to examples. "
            "Give list(...) or dict(...)."
        )
    check_names(known)
    return "names"


def _example_axis(up: str, known_up: str | Mapping[str, Sequence[str]] | None) -> Any:
    if known_up is None:
        return "file" if up == AUTO else up
    return known_up if isinstance(known_up, Mapping) or known_up == "file" else check_up(known_up, "known_up")


def known_classes(
    known: Any,
    method: Method,
    encoders: Encoders,
    *,
    up: str | Mapping[str, Sequence[str]] = "file",
    **settings: Any,
) -> KnownClasses:
    """Prepare known classes with the data that a method needs. `up` is the axis of the example shapes."""
    if isinstance(known, KnownClasses):
        return known
    examples = {name: value for name, value in known.items() if value is not None} if isinstance(known, Mapping) else {}
    if len(examples) == len(known) and method.needs != "text and examples":
        patches = PATCH_STAGE if method.needs == "patches" else None
        return KnownClasses.from_examples(examples, encoders.shape, up=up, patches=patches, **settings)
    names = list(known)
    if examples:
        return KnownClasses.from_both(names, examples, encoders.shape, encoders.text, up=up, **settings)
    words = negative_words(encoders.text) if method.needs == "negatives" else ()
    return KnownClasses.from_names(names, encoders.text, negatives=[word for word in words if word not in names])


def check_rates(unsure: Any, novel: Any) -> tuple[float, float | None]:
    """Validated error rates: one or two. Raises `InputError` for a second rate without novel examples."""
    rates = tuple(unsure) if isinstance(unsure, Sequence) else (unsure,)
    if isinstance(unsure, str) or len(rates) not in (1, 2):
        raise InputError(f"unsure is {unsure!r}. Expected one or two error rates. Give (0.05, 0.05), or 0.05.")
    for rate in rates:
        share_between(rate, "unsure")
    if len(rates) == 2 and novel is None:
        raise InputError(
            "unsure has two rates, but there are no novel examples. The second rate needs some. "
            "Give novel=, or only the first rate."
        )
    return rates[0], rates[1] if len(rates) == 2 else None


def check_one_sampling(method: Method, stored: bool, num_samples: int = 1) -> None:
    """Raise `InputError` if the method needs patches and there are none."""
    if method.rows == "patches" and (stored or num_samples != 1):
        given = "embeddings" if stored else f"num_samples={num_samples}"
        raise InputError(
            f"method {method.name!r} got {given}. Expected shapes, sampled once, because it scores their patches. "
            "Give shapes and num_samples=1."
        )


def _judge_patches(patches: np.ndarray, vectors: np.ndarray, known: KnownClasses, method: Method) -> Judgement:
    """Score shapes: novelty from patches (b, p, w), similarity from embeddings (b, d)."""
    similarity = judge(vectors, known, "max_cosine").similarity
    if not len(vectors):
        return Judgement(np.empty(0), np.empty(0, dtype=np.int64), similarity)
    return replace(judge(patches, known, method), similarity=similarity)


def _as_shape(i: int, given: Any) -> Shape:
    if isinstance(given, Shape):
        return given
    return Shape(given, os.fspath(given) if isinstance(given, str | os.PathLike) else f"shape {i}")


def _states_axis(path: str) -> bool:
    try:
        return stated_up(path) is not None
    except OpenShapeError:  # reported by the reader
        return True
