"""score_novelty: shapes or their embeddings and known classes in, one novelty a shape out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from openshape_ood import __version__
from openshape_ood.checks import check_choice, check_seed, check_whole
from openshape_ood.decisions.threshold import Threshold, check_threshold
from openshape_ood.encoders.loading import load_encoder, text_of
from openshape_ood.encoders.protocols import Embeddings, Encoder, NamesEncoder, Provenance, check_encoders
from openshape_ood.errors import ClassNamesError, InputError
from openshape_ood.known import KnownClasses, check_examples, check_names, check_patches
from openshape_ood.novelty.calibration import Calibration
from openshape_ood.novelty.result import Failure, NoveltyResult
from openshape_ood.novelty.up_axis import UpAxis, with_axis
from openshape_ood.scoring import DEFAULTS, Judgement, Method, default_method, find_method, judge
from openshape_ood.scoring.methods import Kind, check_known, kind_of
from openshape_ood.scoring.text_scores import negative_words
from openshape_ood.shapes import CloudSpec
from openshape_ood.shapes.batch import errors_of
from openshape_ood.shapes.points import check_up
from openshape_ood.shapes.shape import Shape, list_shapes, resolve_ups

PLAIN = CloudSpec(count=10_000, up="y", color=0.4)  # how shapes are tried for an encoder that does not say
AUTO = "auto"
PATCH_STAGE = "tokens"  # of methods that judge patches, unless the known classes hold those of another


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
    >>> print(result)
    shape    nearest  novelty
    shape 0  chair      0.567
    shape 1  table      0.996
    >>> score_novelty(result.embeddings, known=["chair", "sofa", "table"], model="tiny", method="energy").nearest[0]
    np.str_('chair')
    """
    check_choice(errors, "errors", ("raise", "skip"))
    check_seed(seed)
    check_whole(num_samples, "num_samples")
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
    if threshold is not None:
        check_threshold(threshold)
        if calibration is not None:
            raise InputError("threshold and calibration were both given; expected one of them")
    if groups is not None and calibration is None:
        raise InputError("groups are given and no calibration; expected the object of each calibration shape")
    calibrating = None if calibration is None else Calibration.of(calibration, coverage, groups, up, known)
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
        more: dict[str, Any] = {"encoder": encoder, "text": text, "model": model, "device": device, **settings}
        result = score_novelty(calibrating.shapes, gathered, method=found, up=calibrating.up, errors=errors, **more)
        threshold = calibrating.threshold(result, gathered)
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


@dataclass(frozen=True)
class Queries:
    """The shapes asked about, or their embeddings where these are ready."""

    names: tuple[str, ...]
    ups: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    ready: Embeddings | None = None
    failures: tuple[Failure, ...] = ()

    @classmethod
    def of(cls, shapes: Any, up: str | Sequence[str], errors: str = "raise") -> Queries:
        if isinstance(shapes, Embeddings):
            return cls(shapes.row_names(), ready=shapes)
        listed = list_shapes(shapes)
        names = tuple(shape.path or shape.name for shape in listed)
        later = errors == "skip" or (isinstance(up, str) and up == AUTO)
        return cls(names, () if later else tuple(resolve_ups(up, listed)), tuple(listed))

    def usable(self, up: str | Sequence[str], seed: int, encoder: Any) -> Queries:
        """Those that can be read, once they have been; the others are failures."""
        if self.ready is not None:
            return self
        if not isinstance(up, str) and len(up) != len(self.shapes):
            resolve_ups(up, self.shapes)  # which says so
        errors = errors_of(self.shapes, seed=seed, frame=getattr(encoder, "spec", PLAIN))
        kept = [i for i, error in enumerate(errors) if error is None]
        shapes = tuple(self.shapes[i] for i in kept)
        own = up if isinstance(up, str) else [list(up)[i] for i in kept]
        ups = () if own == AUTO else tuple(resolve_ups(own, shapes))
        pairs = zip(self.names, errors, strict=True)
        return replace(
            self,
            names=tuple(self.names[i] for i in kept),
            ups=ups,
            shapes=shapes,
            failures=tuple(Failure(name, error) for name, error in pairs if error is not None),
        )

    def under(self, axis: str) -> Queries:
        """The same with this axis for all that state none."""
        return replace(self, ups=tuple(shape.stated_up() or axis for shape in self.shapes))

    def with_axis(
        self, known: KnownClasses, encoder: Any, settings: Mapping[str, Any], text: NamesEncoder | None
    ) -> tuple[Queries, UpAxis | None]:
        """The same with the axis found, and embedded under it."""
        found, ups, rows = with_axis(self.shapes, known, encoder, settings, text)
        return replace(self, ups=tuple(ups), ready=Embeddings(rows, encoder.identity, self.names)), found

    def judged(
        self, method: Method, known: KnownClasses, encoder: Any, settings: Mapping[str, Any]
    ) -> tuple[Judgement, Embeddings]:
        values, ups = [shape.value for shape in self.shapes], list(self.ups)
        embeddings = self.ready
        if embeddings is None and not values:
            embeddings = Embeddings(np.empty((0, known.dim)), encoder.identity)
        if embeddings is None:
            embeddings = Embeddings(encoder.encode(values, up=ups, **settings), encoder.identity, self.names)
        if method.rows != "patches":
            return judge(embeddings.vectors, known, method), embeddings
        check_patches(encoder)
        stage = known.patches.stage if known.patches is not None else PATCH_STAGE
        passed = {key: settings[key] for key in ("batch_size", "seed")}
        features = encoder.encode_patches(values, up=ups, stage=stage, **passed).features
        similarity = judge(embeddings.vectors, known, "max_cosine").similarity
        return replace(judge(features, known, method), similarity=similarity), embeddings


def how_known(known: Any) -> Kind:
    """By name, by example, or some this way and some that; checks the names on the way, before any model loads."""
    if isinstance(known, KnownClasses):
        return kind_of(known)
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
            "known mixes names and examples in a list; give one mapping, with None for a class of which there is only "
            'the name: {"chair": shapes, "sofa": None}'
        )
    if not isinstance(known, Sequence | np.ndarray):  # a set has no order for the classes to follow
        raise ClassNamesError(
            f"known is {type(known).__name__}; expected a list of names, known=list(...), or a mapping from names to "
            "examples"
        )
    check_names(known)
    return "names"


def example_axis(up: str | Sequence[str], known_up: str | Mapping[str, Sequence[str]] | None) -> Any:
    if isinstance(known_up, Mapping):
        return known_up
    if known_up is not None:
        return known_up if known_up == "file" else check_up(known_up, "known_up")
    if isinstance(up, str) and up == AUTO:
        return "file"
    if not isinstance(up, str):
        raise InputError("up is given a shape each; say with known_up which axis the example shapes have")
    return up


def known_classes(
    known: Any,
    method: Method,
    encoder: Any,
    *,
    text: NamesEncoder | None = None,
    up: str | Mapping[str, Sequence[str]] = "file",
    device: Any = None,
    **settings: Any,
) -> KnownClasses:
    """Known classes in any form that `score_novelty` takes, with what a method needs; `up` is that of examples."""
    temperature = None if encoder is None else encoder.temperature
    if isinstance(known, KnownClasses):
        return known.with_temperature(temperature)
    examples = {name: value for name, value in known.items() if value is not None} if isinstance(known, Mapping) else {}
    if len(examples) == len(known) and method.needs != "text and examples":
        patches = PATCH_STAGE if method.needs == "patches" else None
        return KnownClasses.from_examples(examples, encoder, up=up, patches=patches, **settings)
    names = check_names(list(known))
    text = text or text_of(encoder, device)
    if examples:
        return KnownClasses.from_both(names, examples, encoder, text, up=up, **settings)
    others = [word for word in negative_words() if word not in names] if method.needs == "negatives" else []
    return KnownClasses.from_names(names, text, negatives=others, temperature=temperature)
