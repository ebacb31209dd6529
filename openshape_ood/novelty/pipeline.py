"""NoveltyPipeline: known classes, method, encoder and threshold, prepared once and applied to any number of shapes.

Every entry point applies one: `score_novelty`, the commands, the page, scans and stored embeddings.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_seed, check_whole
from openshape_ood.decisions.calibration import share_between
from openshape_ood.decisions.drift import DriftStream, check_expected
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.loading import Encoders
from openshape_ood.encoders.protocols import Embeddings, Encoder, Identity, NamesEncoder, Provenance, check_encoders
from openshape_ood.errors import FileError, InputError, MixedEncodersError, OpenShapeError
from openshape_ood.known import KnownClasses, check_patches
from openshape_ood.known.classes import read_note
from openshape_ood.novelty import up_axis
from openshape_ood.novelty.calibration import COVERAGE, Calibration, chosen_threshold, from_calibration
from openshape_ood.novelty.generated import Generated, generated_threshold
from openshape_ood.novelty.labels import LabelSample, scored_by
from openshape_ood.novelty.preparation import PATCH_STAGE, example_axis, known_classes, settled_method
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.novelty.up_axis import FALLBACK, UpAxis, by_words, find_up, plausible, spread
from openshape_ood.scoring import Judgement, Method, find_method, judge
from openshape_ood.scoring.methods import check_known
from openshape_ood.shapes.batches import AUTO, Batch, Reading, in_batches
from openshape_ood.shapes.failure import Failure
from openshape_ood.shapes.points import UPS, AxisWarning, check_up, resample
from openshape_ood.shapes.reading import stated_up
from openshape_ood.shapes.shape import UNSTATED, Shape, list_shapes, resolve_ups, warn_of_stated

Errors = Literal["raise", "skip"]
Ups = str | Sequence[str]


@dataclass(frozen=True)
class Queries:
    """Shapes to be judged, or their embeddings if these are ready; `ups` (b,) unless they are still to be found."""

    names: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()
    ups: tuple[str, ...] = ()
    ready: Embeddings | None = None

    @classmethod
    def of(cls, shapes: Any, up: Ups = "file", errors: Errors = "raise", silent: str | None = None) -> Queries:
        """silent: the axis of shapes that state none, as in `NoveltyPipeline`.

        Raises `CloudError` for what are no shapes, `InputError` for axes that do not fit them."""
        if isinstance(shapes, Embeddings):
            return cls(shapes.row_names(), ready=shapes)
        listed = list_shapes(shapes)
        if not isinstance(up, str) and len(up) != len(listed):
            resolve_ups(up, listed)  # which says so
        names, ups = tuple(shape.path or shape.name for shape in listed), tuple[str, ...]()
        if up == "file" and silent is not None:
            ups = tuple(shape.stated_up() or silent for shape in listed)
        elif errors == "raise" and up != AUTO:
            ups = tuple(resolve_ups(up, listed))
        return cls(names, tuple(listed), ups)


@dataclass(frozen=True, eq=False)
class NoveltyPipeline:
    """Known classes, a method, an encoder and a threshold: prepared once, then applied to any number of shapes.

    `prepare` makes one of whatever `score_novelty` takes. A call with shapes, or with `Embeddings`, gives their
    `NoveltyResult`; `stream` does so for any number of shapes in bounded memory.

    Attributes
    ----------
    known : KnownClasses
    method : Method
    encoders : Encoders
        The shape encoder and its text encoder, loaded when they are first used.
    threshold : Threshold, optional
        Answers `result.is_novel`.
    up : str
        Gravity axis of the shapes, as in `score_novelty`.
    silent : str, optional
        The axis of shapes that state none, with up "file" or "auto"; None: y, with a warning.
    up_axis : UpAxis, optional
        The axis that was found with up "auto".
    seed, num_samples, batch_size, progress
        As in `ShapeEncoder.encode`.
    errors : {"raise", "skip"}
        What happens to shapes that cannot be used.
    readers : int, optional
        Processes that read files ahead of the encoder; None for as many as suit their number.
    failures : tuple of Failure
        Calibration shapes that could not be used.
    expected_novel : float, optional
        Share of novel shapes that is expected, for `result.drift`.

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
        """A pipeline for these known classes.

        Parameters
        ----------
        known, encoder, text, model, method, threshold, calibration, coverage, groups, errors, known_up, device, seed,
        num_samples, batch_size, progress
            As in `score_novelty`.
        generated : {"scans", "models"}, optional
            Generated shapes that the threshold comes from where nothing that precedes them is there: simulated scans,
            or whole models; None for no such threshold.
        expected_novel, unsure, novel
            As in `score_novelty`.
        up : str
            As in `score_novelty`, one axis for all shapes.
        identity : Identity, optional
            Of embeddings that the pipeline is made for; no shape encoder is loaded for these unless it is needed.

        Raises
        ------
        InputError, MixedEncodersError, ClassNamesError, CheckpointError
            For values that cannot be used; parts of different encoders; weights that cannot be had.
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
                "known_up is for example shapes; these were read when they were encoded. Leave known_up out"
            )
        examples_up = example_axis(up, known_up) if isinstance(known, Mapping) else "file"
        check_encoders(encoder, text)
        if threshold is not None:
            check_threshold(threshold)
            if calibration is not None:
                raise InputError("threshold and calibration were both given; expected one of them")
        if groups is not None and calibration is None:
            raise InputError("groups are given and no calibration; expected the object of each calibration shape")
        calibrating = None if calibration is None else Calibration.of(calibration, coverage, groups, known)
        held = [one for one in (getattr(known, "identity", None) if ready else None, identity) if one is not None]
        encoders = Encoders(model, encoder, text, device=device, others=held)
        how: dict[str, Any] = {"seed": seed, "num_samples": num_samples, "batch_size": batch_size, "progress": progress}
        classes = known_classes(known, chosen, encoders, up=examples_up, **how)
        if not ready:
            classes = classes.with_temperature(encoders.shape.temperature)
        check_known(chosen, classes)
        rates = None if unsure is None else check_rates(unsure, novel)
        expected = check_expected(expected_novel)
        pipeline = cls(classes, chosen, encoders, up=up, errors=errors, expected_novel=expected, **how)
        result = grouped = None
        if calibrating is not None:
            result = pipeline(calibrating.shapes)
            found_up = result.up_axis
            if found_up is not None and found_up.axis is not None:  # what is known and of one source tells it best
                pipeline = replace(pipeline, up_axis=found_up, silent=found_up.axis)
            pipeline = replace(pipeline, failures=result.failures)
            grouped = calibrating.groups_of(result)
        decided = pipeline.decided(threshold, result, coverage, grouped, generated)
        return decided if rates is None else decided.with_unsure(*rates, novel)

    def with_unsure(self, alpha: float = 0.05, beta: float | None = None, novel: Any = None) -> NoveltyPipeline:
        """The same with a third verdict, "unsure", see `Threshold.with_unsure`.

        Parameters
        ----------
        alpha, beta : float
        novel : shapes or Embeddings, optional
            Examples of novel shapes, drawn like the ones to come.

        Raises
        ------
        InputError
            Without a threshold from known shapes.
        """
        if self.threshold is None:
            raise InputError(
                "there is no threshold. Two error rates need one from known shapes. Give calibration shapes."
            )
        examples = None if novel is None else replace(self, threshold=None)(novel)
        return replace(self, threshold=self.threshold.with_unsure(alpha, beta, examples))

    def monitor(self, cut: float | None = None, level: float = 0.01) -> DriftStream:
        """A drift test for `stream`, which can be saved and goes on over several calls.

        Parameters
        ----------
        cut, level
            As in `DriftStream`.

        Raises
        ------
        InputError
            Without a threshold that has the scores of 19 or more known shapes.
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
        }
        return DriftStream(scores, cut, level, int(self.seed), **how)

    def recalibrate(self, labels: LabelSample, coverage: float = COVERAGE) -> NoveltyPipeline:
        """The same with a threshold from labeled shapes, which keeps its promise for shapes like these.

        Parameters
        ----------
        labels : LabelSample
            Of `result.to_label`, with a label for each shape.
        coverage : float
            Share of known shapes to keep. Default: 0.95, which needs 19 known ones among the labeled.

        Raises
        ------
        InputError
            For shapes without a label, labels of shapes that were not drawn at random, another label than the known
            classes, "known" and "novel", and too few known shapes.
        MixedEncodersError
            For novelties of another encoder or method.
        """
        if not isinstance(labels, LabelSample):
            raise InputError(
                f"labels is a {type(labels).__name__}. Expected the LabelSample of result.to_label(n). "
                "Give to_label(n).labeled({name: class})."
            )
        if labels.scored_by != scored_by(self.provenance):
            raise MixedEncodersError(
                f"the labeled shapes were scored with {labels.scored_by}. "
                f"The pipeline is {scored_by(self.provenance)}. Expected the same. Draw a sample with this pipeline."
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
        """The same with the threshold that precedes the others, see `calibration.chosen_threshold`.

        Parameters
        ----------
        threshold, coverage, groups, generated
            As in `prepare`.
        calibration : NoveltyResult, optional
            Of this pipeline, for n known shapes.
        source : str
            Describes these shapes.
        """
        provenance = self.provenance
        if threshold is not None:
            threshold.check_fits(provenance)
        made = None if calibration is None else from_calibration(calibration, self.known, coverage, groups, source)
        saved = self.known.threshold
        if saved is not None and not saved.fits(provenance):
            saved = None
        of_generated = None if generated is None else partial(generated_threshold, self, generated=generated)
        return replace(self, threshold=chosen_threshold(threshold, made, saved, of_generated, coverage))

    @property
    def provenance(self) -> Provenance:
        """Of the results for shapes."""
        known = self.known
        identity = known.identity if known.identity.sha256 or known.text is None else self.encoders.identity
        return Provenance(identity, self.method.name, self.up, int(self.seed), int(self.num_samples), __version__)

    @property
    def reading(self) -> Reading:
        """How shapes are read."""
        return Reading(
            self.encoders.points, self.up, self.seed, self.num_samples, self.batch_size, self.readers,
            silent=self.silent or FALLBACK,
        )  # fmt: skip

    def __call__(self, shapes: Any, *, up: Ups | None = None) -> NoveltyResult:
        """The result for shapes, ready `Embeddings`, or `Queries` that were checked already.

        up: as in `score_novelty`. Default: the axis of the pipeline.
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
        """Results of any number of shapes, batch by batch, in their order and in bounded memory.

        Each file is read once, by child processes within limits of time and memory; with `num_samples` above 1 the
        encoder reads it again, since every sampling of a surface is another. Shapes that cannot be used are in the
        `failures` of their batch. The axis for up="auto" is found by `with_axis` beforehand.

        Parameters
        ----------
        shapes : iterable
            Clouds (n, 3|6), paths and trimesh objects; and `Embeddings`, each a batch of its own.
        step : callable
            Called after each shape that was read.
        monitor : DriftStream or bool
            The drift test to go on with. False: none. Default: a new one, if the threshold has enough scores.

        Yields
        ------
        NoveltyResult
            Of up to `batch_size` shapes; the last may have failures only. Its `drift` is the state of the test after
            this batch. The test asks for an order that is not sorted by class.
        """
        if monitor is True:
            try:
                monitor = self.monitor()
            except InputError:  # too few calibration scores, or too many equal ones
                monitor = False
        for result in self._results(shapes, step):
            if isinstance(monitor, DriftStream):
                result = replace(result, stream_drift=monitor.update(result.novelty))
            yield result

    def _results(self, shapes: Iterable[Any], step: Callable[[], Any]) -> Iterator[NoveltyResult]:
        axis_known = self.silent is not None or self.up in UPS  # which axis shapes have that state none
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
        """The result of shapes that `in_batches` has read with `reading`."""
        return self._of_shapes(batch.shapes, batch.ups, batch.names, self.up)

    def _of_shapes(
        self, values: Sequence[Any], ups: Sequence[str], names: tuple[str, ...], given_up: str, progress: bool = False
    ) -> NoveltyResult:
        """Encode shapes and score their embeddings. given_up: the axis in the provenance."""
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
        """Score ready embeddings, which do not state how they were made."""
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
        """Score embeddings (b, d) against the known classes; the threshold decides in the result."""
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
        """The same with the axis that up="auto" finds for shapes that state none; with y, and a warning, if undecided.

        shapes: paths, clouds, trimesh objects, or `Shape`s.
        """
        axis = self.find_axis(shapes)
        if axis is None:
            return replace(self, silent=self.silent or FALLBACK)
        if axis.axis is None:
            message = f"{axis}. They are read with {FALLBACK} up; give up= where you know it, up={FALLBACK!r} if so"
            warnings.warn(message, AxisWarning, stacklevel=3)
        return replace(self, up_axis=axis, silent=axis.axis or FALLBACK)

    def find_axis(self, shapes: Iterable[Any], most: int | None = None) -> UpAxis | None:
        """The result of `find_up` for up to `most` (200) of the shapes that state no axis; None if none can be read."""
        listed = [_as_shape(i, one) for i, one in enumerate(shapes)]
        silent = [one for one in listed if one.path is None or not _states_axis(one.path)]
        chosen = [silent[i] for i in spread(len(silent), most or up_axis.MOST)]
        reading = replace(self.reading, up=FALLBACK, num_samples=1)

        def thinned(batch: Batch) -> list[Any]:
            # as many points as the encoder takes, so that hundreds of large scans can be held
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
        """Write known classes, method, threshold and axis to a .safetensors file, whole or not at all.

        `KnownClasses.load` and --known-file read it too. The encoder is not in it; its name and hash are. Raises
        `InputError` for a method that no name stands for, `FileError` where it cannot be written.
        """
        if find_method(self.method.name) != self.method:
            raise InputError(f"method {self.method.name!r} has settings or code of its own, which no file holds")
        known = self.known if self.threshold is None else self.known.with_threshold(self.threshold)
        settings = {name: getattr(self, name) for name in SAVED}
        return known.save(path, note={"method": self.method.name, **settings})

    @classmethod
    def load(cls, path: str | os.PathLike[str], **settings: Any) -> NoveltyPipeline:
        """Read what `save` wrote; of a file of known classes alone, prepare them.

        Parameters
        ----------
        path : str or path
        **settings
            As `prepare` takes them; these precede what the file says.
        """
        known = KnownClasses.load(path)
        note = read_note(path)
        try:
            saved = {name: note[name] for name in ("method", *SAVED) if name in note}
            axis = saved.pop("silent", None)
            made = cls.prepare(known, **{**saved, **settings})
            return replace(made, silent=axis and check_up(axis))
        except (TypeError, ValueError) as error:
            raise FileError(f"{path} is no pipeline, or a damaged one: {error}") from error


SAVED = ("up", "silent", "seed", "num_samples")


def check_rates(unsure: Any, novel: Any) -> tuple[float, float | None]:
    """One or two error rates. Raises `InputError` for other values, and a second one without novel examples."""
    rates = tuple(unsure) if isinstance(unsure, Sequence) else (unsure,)
    if isinstance(unsure, str) or len(rates) not in (1, 2):
        raise InputError(f"unsure is {unsure!r}. Expected one or two error rates. Give (0.05, 0.05), or 0.05.")
    for rate in rates:
        share_between(rate, "unsure")
    if len(rates) == 2 and novel is None:
        raise InputError(
            "unsure has two rates, and there are no novel examples. The second rate needs some. "
            "Give novel=, or the first rate alone."
        )
    return rates[0], rates[1] if len(rates) == 2 else None


def check_one_sampling(method: Method, stored: bool, num_samples: int = 1) -> None:
    """Raises `InputError` for a method that judges patches where there are none."""
    if method.rows == "patches" and (stored or num_samples != 1):
        given = "these are embeddings" if stored else f"num_samples is {num_samples}"
        raise InputError(f"method {method.name!r} judges patches of one sampling, {given}. Give shapes, num_samples=1")


def _judge_patches(patches: np.ndarray, vectors: np.ndarray, known: KnownClasses, method: Method) -> Judgement:
    """Novelty by patches (b, p, w), similarity by embeddings (b, d)."""
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
    except OpenShapeError:  # reading the file says why
        return True
