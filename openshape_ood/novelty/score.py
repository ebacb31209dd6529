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
        Class names, or a mapping from class names to example shapes or their embeddings (m, d). In a mapping, None
        means that the class has only a name.
    encoder : Encoder, optional
        Shape encoder; takes precedence over `model`. Each call loads `model` again: for repeated calls use
        `NoveltyPipeline.prepare`.
    text : NamesEncoder, optional
        Text encoder for names. Default: the one that the shape encoder was aligned with.
    model : str, optional
        Checkpoint of the registry, or an ensemble such as "vitb32+uni3d-b", which averages the cosines. Default: the
        checkpoint of the known classes or embeddings, else "vitb32".
    method : str or Method, optional
        A key of `openshape_ood.scoring.METHODS`, or a custom `Method`. Default: the method in `scoring.DEFAULTS` for
        names, for examples or for both.
    threshold : Threshold, optional
        Threshold of `result.is_novel`, made with the same encoder and method. Default: a threshold from `calibration`.
        Without `calibration`, the threshold that was saved with the known classes for this method. Without a saved
        threshold, `tiny` and `small` use generated scans of the known classes, because they were trained on generated
        shapes. Other encoders then have no threshold.
    calibration : shapes or Embeddings, optional
        n held-out known shapes from the same source as the shapes to score. The threshold keeps a fraction `coverage`
        of them (0.95 needs n >= 19).
    coverage : float, optional
        Fraction of known shapes that the threshold keeps. Default: the coverage of the given or saved threshold, else
        0.95.
    groups : sequence of n, optional
        Object label of each calibration shape, if several shapes belong to one object, as in `Threshold.from_novelty`.
    expected_novel : float, optional
        Expected fraction of novel shapes. `result.drift` reports a deviation from it as a sign of drift.
    unsure : (float, float), optional
        Two error rates, which add a third verdict, "unsure". The first is the fraction of known shapes called novel.
        The second is the fraction of novel shapes called known; it needs `novel`. Without `novel`, give only the first.
        Default: two verdicts.
    novel : shapes or Embeddings, optional
        Novel examples from the same source as future novel shapes; at least 19 for a second rate of 0.05.
    errors : {"raise", "skip"}
        "raise" stops at the first unusable shape; "skip" lists unusable shapes in `result.failures`.
    up : str or sequence of b str
        Gravity axis of the shapes: "y", "z" or "x", with an optional "-". "file" means the axis stated in each file,
        else y. "auto" uses the axis stated in each file too. All other shapes get the axis of the calibration shapes.
        Without calibration shapes, they get the result of `find_up`, which takes four to seven times the work. If it is
        undecided, they get y, with a warning. A sequence gives each shape its axis.
    known_up : str or mapping, optional
        Gravity axis of the example shapes, "file", or a mapping from each class to the axes of its examples. Default:
        `up`, or "file" if `up` is "auto".
    device : optional
        Device of loaded models.
    seed, num_samples, batch_size, progress
        As in `ShapeEncoder.encode`. Like `up`, they have no effect on ready embeddings.

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
        raise InputError("up is one axis per shape. The example shapes need an axis too. Give it with known_up.")
    if calibration is not None and not isinstance(calibration, Embeddings) and not isinstance(up, str):
        raise InputError(
            "up is one axis per shape, and calibration shapes are given too. Expected one axis for all. "
            "Calibrate in a separate call, and give its threshold."
        )
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
