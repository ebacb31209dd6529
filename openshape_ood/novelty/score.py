"""score_novelty, score_embeddings: shapes or their embeddings and known classes in, one novelty a shape out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from openshape_ood import __version__
from openshape_ood.checks import array, check_choice, check_seed, check_whole, check_widths, unit
from openshape_ood.decisions.calibration import calibration_needed, one_of_each
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.loading import load_encoder
from openshape_ood.encoders.protocols import (
    ANONYMOUS,
    Embeddings,
    Encoder,
    Identity,
    NamesEncoder,
    Provenance,
    check_encoders,
)
from openshape_ood.errors import InputError
from openshape_ood.known import KnownClasses, check_examples
from openshape_ood.novelty.inputs import (
    AUTO,
    Queries,
    check_content_apart,
    check_files_apart,
    example_axis,
    how_known,
    known_classes,
)
from openshape_ood.novelty.result import Failure, NoveltyResult
from openshape_ood.scoring import DEFAULTS, Method, default_method, find_method
from openshape_ood.scoring.methods import check_known
from openshape_ood.shapes.shape import list_shapes


def score_novelty(
    shapes: Any,
    known: Sequence[str] | Mapping[str, Any] | KnownClasses,
    *,
    encoder: Encoder | None = None,
    text: NamesEncoder | None = None,
    model: str = "vitb32",
    method: str | Method | None = None,
    threshold: Threshold | None = None,
    calibration: Any = None,
    coverage: float = 0.95,
    groups: Sequence[Any] | None = None,
    errors: Literal["raise", "skip"] = "raise",
    up: str | Sequence[str] = "file",
    known_up: str | None = None,
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
        Goes before `model`; give it when there is more than one call, for `model` is loaded each time.
    text : NamesEncoder, optional
        For names; otherwise the text encoder that the shape encoder was aligned with.
    model : str
        A checkpoint of the registry, or several as an ensemble, "vitb32+uni3d-b", by the mean of their cosines.
    method : str or Method, optional
        A key of `openshape_ood.scoring.METHODS`, or a `Method` of one's own; None takes the one of `scoring.DEFAULTS`
        for names, for examples or for both.
    threshold : Threshold, optional
        Answers `result.is_novel`; it must come from the same encoder and method. None takes that of the known
        classes, if they have one for this method.
    calibration : shapes or Embeddings, optional
        n shapes of known objects, none among the examples, from where the shapes to be judged come: makes the threshold
        that keeps a share of `coverage` of such, 19 at least for 0.95.
    coverage : float
    groups : sequence of n, optional
        Which object each calibration shape is of, where some are of the same, as `Threshold.from_novelty` takes them.
    errors : {"raise", "skip"}
        What a shape that cannot be used does; "skip" tries all first, and lists such in `result.failures`.
    up, known_up : str
        Gravity axis of the shapes and of the example shapes: "y", "z" or "x" with an optional "-", or "file", which
        asks each file, else y. For the shapes also one each, or "auto": where files do not say it that of the
        calibration shapes, else what `find_up` finds, at three to six times the work; y, with a warning, where nothing
        tells. `known_up` is the same as `up` unless given, and "file" beside "auto".
    device : optional
        Of the models that are loaded here.
    seed, num_samples, batch_size, progress
        As `ShapeEncoder.encode` takes them.

    Returns
    -------
    NoveltyResult

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> shapes = [sample("chair", 2048, seed=1), sample("guitar", 2048, seed=1)]
    >>> result = score_novelty(shapes, known=["chair", "sofa", "table"], model="tiny")
    >>> print(result)
    shape    nearest  novelty
    shape 0  chair      0.567
    shape 1  table      0.996
    >>> score_novelty(result.embeddings, known=["chair", "sofa", "table"], model="tiny", method="energy").nearest[0]
    np.str_('chair')
    """
    check_choice(errors, "errors", ("raise", "skip"))
    check_seed(seed), check_whole(num_samples, "num_samples")
    queries = Queries.of(shapes, up, errors)
    kind = how_known(known)
    if method is None:
        method = default_method(known) if isinstance(known, KnownClasses) else DEFAULTS[kind]
    # known classes with names and examples of every class can be asked anything that they hold
    anything = isinstance(known, KnownClasses) and kind == "examples" and known.text is not None
    found = find_method(method, None if anything else kind)
    if found.rows == "patches" and (queries.ready is not None or num_samples != 1):
        given = "these are embeddings" if queries.ready is not None else f"num_samples is {num_samples}"
        raise InputError(f"method {found.name!r} judges patches of one sampling, {given}. Give shapes, num_samples=1")
    if known_up is not None and isinstance(known, KnownClasses):
        raise InputError("known_up is for example shapes; these were read when they were encoded. Leave known_up out")
    examples_up = example_axis(up, known_up) if isinstance(known, Mapping) else "file"
    check_encoders(encoder, text)
    calibrating = _Calibrating.of(calibration, threshold, coverage, groups, up, known)
    if encoder is None and not (isinstance(known, KnownClasses) and queries.ready is not None):
        ready = [] if queries.ready is None else [queries.ready.identity]
        held = [known.identity] if isinstance(known, KnownClasses) else []
        encoder = load_encoder(model, device, *held, *ready)
    whose: Any = encoder if queries.ready is None else queries.ready
    identity = whose.identity
    asked = up if isinstance(up, str) else ", ".join(dict.fromkeys(up))
    # ready embeddings do not tell how they were made
    sampled = (asked, int(seed), int(num_samples)) if queries.ready is None else ("", 0, 1)
    provenance = Provenance(identity, found.name, *sampled, __version__)
    if threshold is not None:
        threshold.check_fits(provenance)
    settings = {"seed": seed, "num_samples": num_samples, "batch_size": batch_size, "progress": progress}
    gathered = known_classes(known, found, encoder, text=text, up=examples_up, device=device, **settings)
    gathered.identity.check_fits(identity)
    check_known(found, gathered)
    failures: tuple[Failure, ...] = ()
    up_axis = None
    if calibrating is not None:
        more = {"encoder": encoder, "text": text, "model": model, "device": device, "errors": errors, **settings}
        threshold, result = calibrating.threshold(gathered, found, more)
        failures, up_axis = result.failures, result.up_axis
    elif threshold is None and gathered.threshold is not None and gathered.threshold.fits(provenance):
        threshold = gathered.threshold
    if errors == "skip":
        queries = queries.usable(up, seed, encoder)
    if up == AUTO and queries.shapes and up_axis is not None and up_axis.axis is not None:
        queries = queries.under(up_axis.axis)  # what is known and comes from the same place tells it best
    elif up == AUTO and queries.shapes:
        queries, up_axis = queries.with_axis(gathered, encoder, settings, text)
    judgement, embeddings = queries.judged(found, gathered, encoder, settings)
    names = np.array(gathered.names)
    return NoveltyResult(
        novelty=judgement.novelty,
        nearest=names[judgement.nearest],
        similarity=judgement.similarity,
        classes=names,
        shapes=queries.names,
        up=queries.ups,
        provenance=provenance,
        threshold=threshold,
        embeddings=embeddings,
        failures=failures + queries.failures,
        up_axis=up_axis,
    )


def score_embeddings(
    vectors: Any,
    known: KnownClasses | Mapping[str, Any],
    method: str | Method | None = None,
    *,
    threshold: Threshold | None = None,
    calibration: Any = None,
    coverage: float = 0.95,
    groups: Sequence[Any] | None = None,
) -> NoveltyResult:
    """How novel each embedding is against the known classes, whatever model made it: `score_novelty` without shapes.

    Parameters
    ----------
    vectors : array (b, d) or Embeddings
        Of any length but zero; `Embeddings` say whose they are, and bring names.
    known : KnownClasses or mapping
        Name -> embeddings (m, d) of the same model, of examples of the class.
    method : str or Method, optional
        As in `score_novelty`; one that judges embeddings.
    threshold, coverage, groups
        As in `score_novelty`.
    calibration : array (n, d) or Embeddings, optional
        Of known objects that are not among the examples.

    Returns
    -------
    NoveltyResult

    Raises
    ------
    MixedEncodersError
        For embeddings of different widths or encoders.

    Examples
    --------
    >>> known = {"chair": [[1.0, 0.1], [0.9, 0.0]], "lamp": [[0.0, 1.0], [0.1, 1.0]]}
    >>> print(score_embeddings([[1.0, 0.0], [-1.0, 0.1]], known))
    shape  nearest  novelty
    row 0  chair      0.050
    row 1  lamp       1.379
    """
    if isinstance(known, KnownClasses):
        identity = known.identity
    else:
        identity = vectors.identity if isinstance(vectors, Embeddings) else ANONYMOUS
        known = _of_arrays(known, identity)
    rows = vectors if isinstance(vectors, Embeddings) else Embeddings(vectors, identity)
    if calibration is not None and not isinstance(calibration, Embeddings):
        calibration = Embeddings(calibration, identity)
    check_widths(rows.vectors, "embeddings", known.anchors, "the known classes")
    return score_novelty(
        rows, known, method=method, threshold=threshold, calibration=calibration, coverage=coverage, groups=groups
    )


def _of_arrays(known: Mapping[str, Any], identity: Identity) -> KnownClasses:
    if not isinstance(known, Mapping):
        raise InputError(f"known is {type(known).__name__}; expected KnownClasses, or name -> embeddings (m, d)")
    names = check_examples(known)
    tables = [array(known[name], f"the embeddings of class {name!r}", "md") for name in names]
    for name, table in zip(names, tables, strict=True):
        check_widths(table, f"the embeddings of class {name!r}", tables[0], f"those of {names[0]!r}")
    labels = np.repeat(np.arange(len(names)), [len(table) for table in tables])
    made = KnownClasses(names, identity, examples=np.concatenate(tables), labels=labels)
    unit(made.labeled_examples()[0], "the embedding in")  # refuses rows without a direction,
    unit(made.anchors, "the mean example of", names)  # and those of a class that cancel each other
    return made


@dataclass(frozen=True)
class _Calibrating:
    """Shapes of known objects, or their embeddings, and what makes a threshold of them."""

    shapes: Any
    names: tuple[str, ...]
    coverage: float
    groups: Sequence[Any] | None
    up: str

    @classmethod
    def of(
        cls, shapes: Any, threshold: Any, coverage: float, groups: Sequence[Any] | None, up: Any, known: Any
    ) -> _Calibrating | None:
        """None where nothing calibrates. Raises `InputError` for what contradicts itself, before anything is read."""
        if threshold is not None and not isinstance(threshold, Threshold):
            raise InputError(
                f"threshold is {threshold!r}; expected a Threshold: Threshold(0.5), or Threshold.from_novelty"
            )
        if shapes is None:
            if groups is not None:
                raise InputError("groups are given and no calibration; expected the object of each calibration shape")
            return None
        if threshold is not None:
            raise InputError("threshold and calibration were both given; expected one of them")
        calibration_needed(coverage)  # refuses what is no share
        if isinstance(shapes, Embeddings):
            names = Queries.of(shapes, up).names
        else:
            if not isinstance(up, str):
                raise InputError("up is given a shape each; calibrate in a call of its own, and give its threshold")
            listed = list_shapes(shapes)
            names, shapes = tuple(shape.path or shape.name for shape in listed), [shape.value for shape in listed]
            check_files_apart(shapes, known)
        if groups is not None:
            one_of_each(groups, len(names))  # refuses what are no groups
        return cls(shapes, names, coverage, groups, up if isinstance(up, str) else "file")

    def threshold(
        self, known: KnownClasses, method: Method, settings: Mapping[str, Any]
    ) -> tuple[Threshold, NoveltyResult]:
        """The threshold, and what was found for the shapes that it is made from."""
        result = score_novelty(self.shapes, known, method=method, up=self.up, **settings)
        if result.embeddings is not None:  # which score_novelty always gives
            check_content_apart(result.embeddings.vectors, result.shapes, known)
        groups, lost = self.groups, {failure.source for failure in result.failures}
        if groups is not None and lost:
            groups = [group for group, name in zip(groups, self.names, strict=True) if name not in lost]
        source = "calibration shapes" if groups is None else f"one of each object of {len(result)} calibration shapes"
        return Threshold.from_novelty(result, self.coverage, groups=groups, source=source), result
