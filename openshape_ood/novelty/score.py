"""score_novelty: shapes or their embeddings and known classes in, one novelty a shape out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Embeddings, Encoder, NamesEncoder
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses
from openshape_ood.novelty.pipeline import NoveltyPipeline, Queries
from openshape_ood.novelty.result import NoveltyResult
from openshape_ood.scoring import Method


def score_novelty(
    shapes: Any,
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
    expected_novel: float | None = None,
    unsure: Sequence[float] | None = None,
    novel: Any = None,
    errors: Literal["raise", "skip"] = "raise",
    up: str | Sequence[str] = "file",
    known_up: str | Mapping[str, Sequence[str]] | None = None,
    device: Any = None,
    seed: int = 0,
    num_samples: int = 1,
    batch_size: int = 32,
    progress: bool = False,
) -> NoveltyResult:
    """How novel each shape is against the known classes.

    Parameters
    ----------
    shapes : shapes or Embeddings
        Whatever `ShapeEncoder.encode` takes, or ready `Embeddings` (b, d), as `result.embeddings`.
    known : sequence of k str, mapping or KnownClasses
        Names, or name -> example shapes or ready embeddings (m, d), None for a class of which there is only the name.
    encoder : Encoder, optional
        Precedes `model`, which is loaded in each call. For more than one call see `NoveltyPipeline.prepare`.
    text : NamesEncoder, optional
        For names; otherwise the text encoder that the shape encoder was aligned with.
    model : str, optional
        A checkpoint of the registry, or several as an ensemble, "vitb32+uni3d-b", by the mean of their cosines. None
        takes the checkpoint of the known classes or embeddings, else "vitb32".
    method : str or Method, optional
        A key of `openshape_ood.scoring.METHODS`, or a `Method` of one's own; None takes the one of `scoring.DEFAULTS`
        for names, for examples or for both.
    threshold : Threshold, optional
        Answers `result.is_novel`; it must come from the same encoder and method. None takes the threshold of
        `calibration`, else the one saved with the known classes for this method, else, for `tiny`, which was trained on
        generated shapes, one from generated scans of the known classes, else none.
    calibration : shapes or Embeddings, optional
        n shapes of known objects, none among the examples, from where the shapes to be judged come: makes the threshold
        that keeps a share of `coverage` of such, 19 at least for 0.95.
    coverage : float, optional
        Share of known shapes that the threshold keeps. None: the coverage of the threshold given or saved, else 0.95.
    groups : sequence of n, optional
        Which object each calibration shape is of, where some are of the same, as `Threshold.from_novelty` takes them.
    expected_novel : float, optional
        Share of novel shapes that is expected. Another share called novel is a sign of drift in `result.drift`.
    unsure : (float, float), optional
        Two error rates for a third verdict, "unsure": share of the known called novel, share of the novel called known.
        The second needs `novel`; without, give the first alone. Default: two verdicts.
    novel : shapes or Embeddings, optional
        Examples of novel shapes, 19 at least for a second rate of 0.05, drawn like the novel ones to come.
    errors : {"raise", "skip"}
        What a shape that cannot be used does; "skip" tries all first, and lists such in `result.failures`.
    up, known_up : str
        Gravity axis of the shapes and of the example shapes: "y", "z" or "x" with an optional "-", or "file", which
        asks each file, else y. For the shapes also one each, or "auto": where files do not say it that of the
        calibration shapes, else what `find_up` finds, at four to seven times the work; y, with a warning, where nothing
        tells. `known_up` is the same as `up` unless given, and "file" beside "auto"; or class -> an axis an example.
    device : optional
        Of the models that are loaded here.
    seed, num_samples, batch_size, progress
        As `ShapeEncoder.encode` takes them; these and `up` change nothing where shapes are ready embeddings.

    Returns
    -------
    NoveltyResult

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> shapes = [sample("chair", 2048, seed=1), sample("guitar", 2048, seed=1)]
    >>> result = score_novelty(shapes, known=["chair", "sofa", "table"], model="tiny")
    >>> result.nearest.tolist(), result.novelty.round(3).tolist(), result.is_novel.tolist()
    (['chair', 'table'], [0.567, 0.996], [False, True])
    >>> score_novelty(result.embeddings, known=["chair", "sofa", "table"], model="tiny", method="energy").nearest[0]
    np.str_('chair')
    """
    queries = Queries.of(shapes, up, errors)
    if not isinstance(up, str) and known_up is None and isinstance(known, Mapping):
        raise InputError("up is given a shape each; say with known_up which axis the example shapes have")
    if calibration is not None and not isinstance(calibration, Embeddings) and not isinstance(up, str):
        raise InputError("up is given a shape each; calibrate in a call of its own, and give its threshold")
    pipeline = NoveltyPipeline.prepare(
        known,
        encoder=encoder,
        text=text,
        model=model,
        method=method,
        threshold=threshold,
        calibration=calibration,
        coverage=coverage,
        groups=groups,
        expected_novel=expected_novel,
        unsure=unsure,
        novel=novel,
        errors=errors,
        up=up if isinstance(up, str) else "file",
        known_up=known_up,
        identity=None if queries.ready is None else queries.ready.identity,
        device=device,
        seed=seed,
        num_samples=num_samples,
        batch_size=batch_size,
        progress=progress,
    )
    return pipeline(queries, up=up)
