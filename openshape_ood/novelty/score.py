"""score_novelty: novelty of shapes or embeddings against known classes."""

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
    """Score the novelty of shapes against known classes.

    Parameters
    ----------
    shapes : shapes or Embeddings
        Any form that `ShapeEncoder.encode` takes, or ready `Embeddings` (b, d), such as `result.embeddings`.
    known : sequence of k str, mapping or KnownClasses
        Names; or name -> example shapes or ready embeddings (m, d), None for a class with only a name.
    encoder : Encoder, optional
        Precedes `model`, which is loaded in each call. For repeated calls use `NoveltyPipeline.prepare`.
    text : NamesEncoder, optional
        Text encoder for names. Default: the one that the shape encoder was aligned with.
    model : str, optional
        Checkpoint of the registry, or an ensemble such as "vitb32+uni3d-b", by the mean cosine. Default: the checkpoint
        of the known classes or embeddings, else "vitb32".
    method : str or Method, optional
        A key of `openshape_ood.scoring.METHODS`, or a custom `Method`. Default: by `scoring.DEFAULTS` for names, for
        examples or for both.
    threshold : Threshold, optional
        Threshold of `result.is_novel`, for the same encoder and method. Default: from `calibration`; else saved with
        the known classes for this method; else, for `tiny` and `small`, which were trained on generated shapes, from
        generated scans of the known classes; else none.
    calibration : shapes or Embeddings, optional
        n held-out known shapes from the same source as the shapes to score. The threshold keeps a fraction `coverage`
        of them (0.95 needs n >= 19).
    coverage : float, optional
        Fraction of known shapes that the threshold keeps. Default: the given or saved threshold's, else 0.95.
    groups : sequence of n, optional
        Object of each calibration shape, if objects have several shapes, as in `Threshold.from_novelty`.
    expected_novel : float, optional
        Expected fraction of novel shapes; a deviation is a sign of drift in `result.drift`.
    unsure : (float, float), optional
        Two error rates for a third verdict, "unsure": fraction of the known called novel, fraction of the novel called
        known. The second needs `novel`; without, give only the first. Default: two verdicts.
    novel : shapes or Embeddings, optional
        Novel examples, drawn like future novel shapes; at least 19 for a second rate of 0.05.
    errors : {"raise", "skip"}
        Treatment of unusable shapes; "skip" lists them in `result.failures`.
    up, known_up : str
        Gravity axis of the shapes and of the example shapes: "y", "z" or "x" with an optional "-", or "file" for the
        axis in each file, else y. `up` may also be one axis a shape, or "auto": for shapes without a stated axis, the
        axis of the calibration shapes, else the result of `find_up` (four to seven times the work), else y with a
        warning. Default of `known_up`: `up`, or "file" if that is "auto"; also class -> an axis an example.
    device : optional
        Device of loaded models.
    seed, num_samples, batch_size, progress
        As in `ShapeEncoder.encode`; no effect, like `up`, for ready embeddings.

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
