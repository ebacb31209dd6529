"""Texts of the page, as HTML. Names from visitors and files are escaped here only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape

from openshape_ood.app import pictures
from openshape_ood.app.downloads import Shown
from openshape_ood.app.pictures import data_uri, thumbnail
from openshape_ood.app.quotas import MAX_FILES
from openshape_ood.app.session import Calibration, Example, Session
from openshape_ood.app.surface_tab import GoodSurfaces, SurfaceVerdict
from openshape_ood.app.verdicts import ScanVerdict, ShapeVerdict, Verdict
from openshape_ood.app.view_tab import ViewVerdict
from openshape_ood.decisions.drift import TO_LABEL
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.novelty.result import Failure, verdict_counts
from openshape_ood.novelty_map import UNTOLD
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.surfaces import Defect
from openshape_ood.views.completion import CompletedView

BARS = 6  # classes with a bar
THUMBNAILS = 5  # per class
DEFECTS = 5

TITLE = """<h1>Is this object one of the known classes, or something new?</h1>"""
CALIBRATION = f"19 to {MAX_FILES} shapes of the known classes, from the same source, that are no examples."
FORMATS_OF_VIEWS = (
    "Together: image (PNG, JPG), depth image with “depth” in its name (16-bit PNG), camera (JSON); or one NPZ. "
    "If CLIP is not on this machine, also an NPZ with “affinities” in its name"
)
FORMATS = " ".join(suffix[1:].upper() for suffix in SUFFIXES)
FORMATS_OF_SURFACES = f"Roads, walls, parts, in meters; one long good cloud or, better, 20: {FORMATS}"


def message(text: str = "", refused: bool = False) -> str:
    """Message line above the verdict; "" without text."""
    if not text:
        return ""
    kind, role = ("refused", "alert") if refused else ("said", "status")
    return f'<div id="message" class="box {kind}" role="{role}">{escape(text)}</div>'


WORKING = '<div id="verdict" class="box open working" role="status"><h2>Scoring…</h2></div>'
COMPLETING = "Completing the hidden parts of the view, name by name."
READING = "Reading the scan and searching for objects."
LEARNING = "Learning from the good clouds."
COMPARING = "Reading the cloud and comparing it with the good ones."
COMPARED = (
    '<div id="compared"><p>The surface is rebuilt by a model of the good clouds, and each point is compared with '
    "it: gray points are usual, dark red points differ from all good ones.</p></div>"
)
FIRST = '<div id="verdict" class="box open"><h2>Drop a shape or pick an example.</h2></div>'
TOY = (
    "<code>tiny</code> is a toy encoder for trying this page, trained on generated shapes. For real objects choose "
    "<code>vitb32</code> or a larger encoder."
)


def working(done: str = "") -> str:
    """Placeholder of the verdict; done: progress so far."""
    return WORKING.replace("</h2>", f"</h2><p>{escape(done)}</p>") if done else WORKING


def verdict(scored: Verdict) -> str:
    """Headline, p-value and basis of the verdict."""
    kind, headline = _headline(scored)
    lines = [*_evidence(scored), *_axis(scored), *map(escape, scored.remarks)]
    toy = f'<p class="toy">{TOY}</p>' if scored.is_toy else ""
    if isinstance(scored, ScanVerdict):
        scene = scored.scene.scene
        shares = [f"{share:.0%} {what}" for what, share in scored.scene.shares().items()]
        name, notes = scene.name, [f"{len(scene):,} points", *shares]
    else:
        name, notes = scored.shape.name, [scored.shape.note, f"{scored.result.up[scored.shown]} up"]
    return _box(kind, name, ", ".join(filter(None, notes)), headline, lines, toy)


def _box(kind: str, name: str, note: str, headline: str, lines: Iterable[str], more: str = "") -> str:
    """A verdict box; headline, lines and more are HTML."""
    noted = f" <small>({escape(note)})</small>" if note else ""
    rows = "".join(f"<p>{line}</p>" for line in lines)
    named = f'<span class="name">{escape(name)}{noted}</span>'
    return f'<div id="verdict" class="box {kind}">{named}<h2>{headline}</h2>{rows}{more}</div>'


def view(shown: ViewVerdict) -> str:
    """Number of new things in a view, encoder and affinities."""
    completed, (h, w) = shown.completed, shown.completed.view.shape
    new = len(completed.new)
    headline = f"{new} new thing{'s' * (new != 1)} in this view" if new else "Nothing new in this view"
    lines = [
        f"Completed by <code>{escape(completed.field.provenance.identity.checkpoint)}</code> from affinities by "
        f"{escape(completed.affinities.provenance.method)}. New: visible occupied space, other than floor and walls, "
        "that no known name fills.",
        *map(escape, shown.remarks),
    ]
    note = f"{w} × {h} pixels, {completed.view.seen.mean():.0%} with depth"
    return _box("novel" if new else "known", completed.view.name, note, headline, lines)


def learned(good: GoodSurfaces) -> str:
    """Message about the good clouds."""
    count = len(good.names)
    more = f" and {count - 5} more" if count > 5 else ""
    headline = f"{count} cloud{'s are' if count > 1 else ' is'} learned as good. Drop the one to compare."
    return _box("open", ", ".join(good.names[:5]) + more, "", headline, map(escape, good.remarks))


def surface(compared: SurfaceVerdict) -> str:
    """Verdict on a surface compared with good ones, with p-value and threshold."""
    result, threshold, method = compared.result, compared.result.threshold, compared.good.model.reconstructor.method
    beyond = int((threshold.scores >= result.novelty).sum())
    what = "the value of its worst place" if compared.is_sheet else "the mean of its most novel hundredth of points"
    of = f"{threshold.n} {'is' if beyond == 1 else 'are'} as novel or more."
    lines = [
        f"p = <b>{result.p_value:.3f}</b>: {beyond} of {of}",
        f"Novelty <b>{result.novelty:.3f}</b>, {what}, by <code>{escape(method)}</code>; good up to "
        f"{threshold.value:.3f}.",
        f"The {escape(threshold.describe())}.",
        f"{compared.beyond:,} points are beyond the threshold of points, {compared.unseen:,} points were not seen.",
        f"Of points, the {escape(compared.good.model.pixel_threshold.describe())}.",
        *_defects(result.defects),
        *([] if result.map.tells else [f"The map does not locate damage: {UNTOLD}"]),
        *map(escape, compared.remarks),
    ]
    count = len(compared.good.names)
    note = f"{len(result.map):,} points, {count} good cloud{'s' * (count != 1)}"
    if result.is_novel:
        return _box("novel", result.name, note, "Damaged: one place or more differs from the good clouds", lines)
    return _box("known", result.name, note, "Good: no place is worse than on the good clouds", lines)


def _defects(defects: Sequence[Defect]) -> list[str]:
    """Largest defects, with p-values."""
    shown = [f"{escape(one.where)}: {escape(str(one))}" for one in defects[:DEFECTS]]
    return [f"Largest defects: {'; '.join(shown)}."] if shown else []


def things(completed: CompletedView) -> str:
    """Table of names and new things: volume and position."""
    rows = [
        [
            escape(one["name"]),
            f'<span class="{"novel" if one["status"] == "new" else "known"}">{one["status"]}</span>',
            f"{one['liters']:.0f}",
            _numbers(one["size"], " × "),
            _numbers(one["center"], ", "),
        ]
        for one in completed.rows()
    ]
    return f'<div id="table" class="things">{_rows(("name", "", "liters", "size, m", "center, m"), rows)}</div>'


def _rows(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """HTML table of HTML cells."""
    cells = "".join(f"<th>{name}</th>" for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="rows"><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>'


def _numbers(numbers: Iterable[float] | None, between: str) -> str:
    return between.join(f"{number:.2f}" for number in (() if numbers is None else numbers))


def sheet(completed: CompletedView) -> str:
    """Picture of a view, its affinities, the completed things and the new things."""
    source = data_uri(pictures.sheet(completed))
    return f'<div id="compared"><img id="sheet" src="{source}" alt="the view, completed things, new things"></div>'


def parts(shown: Shown) -> tuple[str, str, str, str]:
    """HTML for verdict, table, caption of the picture, and bars."""
    if isinstance(shown, ViewVerdict):
        return view(shown), things(shown.completed), sheet(shown.completed), ""
    if isinstance(shown, SurfaceVerdict):
        return surface(shown), "", COMPARED, ""
    return verdict(shown), table(shown), compared(shown), bars(shown)


def _headline(scored: Verdict) -> tuple[str, str]:
    if isinstance(scored, ScanVerdict):
        return _headline_of_scan(scored)
    nearest = escape(scored.nearest)
    if scored.answer is None:
        return "open", f"Nearest: {nearest}. No verdict"
    if scored.answer == "novel":
        return "novel", f"Novel: none of the known classes (nearest: {nearest})"
    if scored.answer == "unsure":
        return "open", f"Unsure: between known and novel (nearest: {nearest})"
    return "known", f"Known: {nearest}"


def _headline_of_scan(scored: ScanVerdict) -> tuple[str, str]:
    answers = scored.answers
    if not answers:
        return "open", "No object found: only floor, walls and ceiling, or the objects are too small"
    objects = f"{len(answers)} object{'s' * (len(answers) > 1)}"
    if scored.threshold is None:
        return "open", f"{objects}, most novel first. No verdict"
    novel, unsure = answers.count("novel"), answers.count("unsure")
    more = f", {unsure} unsure" if unsure else ""
    return "novel" if novel else "known", f"{objects}, {novel} of them novel{more}"


def _evidence(scored: Verdict) -> list[str]:
    provenance, threshold, basis = scored.result.provenance, scored.threshold, scored.basis
    encoder = escape(provenance.identity.checkpoint)
    by = f"<code>{escape(provenance.method)}</code> with the encoder <code>{encoder}</code>"
    one = not isinstance(scored, ScanVerdict)
    novelty = f"Novelty <b>{scored.novelty:.3f}</b> by {by}" if one else f"Novelty by {by}"
    if threshold is None:
        return [f"{novelty}; no p-value. {escape(basis.missing)}", MISSING]
    above = "" if threshold.low is None else f", novel above {threshold.value:.3f}"
    limit = threshold.value if threshold.low is None else threshold.low
    lines = [f"{novelty}; known up to {limit:.3f}{above}.", _promise(scored, threshold), *_drift(scored)]
    if one and scored.p_value is not None:
        beyond = int((threshold.scores >= scored.novelty).sum())
        shapes = f"known {scored.origin}s" if basis.kind == "generated" else "calibration shapes"
        are = "is" if beyond == 1 else "are"
        lines.insert(0, f"p = <b>{scored.p_value:.3f}</b>: {beyond} of {threshold.n} {shapes} {are} as novel or more.")
    if basis.uncovered:
        names = escape(", ".join(basis.uncovered))
        lines.append(
            f"No calibration shape is of the class {names}, which cannot be generated, so the fraction of its shapes "
            "that is kept is unknown. Give calibration files of all classes."
        )
    return lines


def _drift(scored: Verdict) -> list[str]:
    """Alarm of the drift test; empty without an alarm."""
    drift = scored.result.drift
    if not drift.alarm:
        return []
    drawn = scored.result.to_label()
    by_visitor = [shape.name for shape in scored.session.shapes] if isinstance(scored, ShapeVerdict) else None
    names = drawn.shapes if by_visitor is None else [by_visitor[row] for row in drawn.rows]
    remedy = ", ".join(names) if drift.tested > TO_LABEL else ""
    then = f"Give the known ones below: {OWN}."
    return [f'<b id="drift">{escape(drift.describe(remedy))} {escape(then)}</b>']


OWN = "“Calibrate on your own shapes”"  # the page's heading for calibration
MISSING = (
    "For a verdict, give 19 or more known shapes below that are no examples, or a saved threshold "
    "(<code>openshape-ood score --save-threshold</code>)."
)


def _promise(scored: Verdict, threshold: Threshold) -> str:
    """Fraction and kind of shapes that the threshold keeps, and how to calibrate on own shapes."""
    cut = threshold.is_generated and isinstance(scored, ScanVerdict)
    more = " Objects cut out of a room only partly resemble generated ones." if cut else ""
    text = threshold.describe(OWN)
    lead = "The threshold is yours: " if scored.basis.kind == "threshold" else ""
    return escape(f"{lead}{text if lead else f'T{text[1:]}'}.{more}")


def _axis(scored: Verdict) -> list[str]:
    if scored.axis is not None:
        return [escape(f"Up axis {scored.axis}.")]
    if scored.up != "file" or isinstance(scored, ScanVerdict) or scored.shape.stated:
        return []
    many = "try z, or auto" if len(scored.session.shapes) > 1 else "try z"
    return [f"The file states no up axis, so y is used. Scans often have z up: {many}."]


def table(scored: Verdict | None) -> str:
    """Table of several shapes, most novel first, and of files that could not be read; "" for one shape."""
    is_scan = isinstance(scored, ScanVerdict) and bool(scored.session.shapes)
    if scored is None or (len(scored.session.shapes) < 2 and not scored.session.failures and not is_scan):
        return ""
    answers, failed, what = scored.answers, scored.session.failures, "object" if is_scan else "file"
    counts = [verdict_counts(answers)] if scored.threshold else ["ranked"]
    counts += [f"{len(failed)} not read"] if failed else []
    head = ["", what, "verdict", "p", "novelty", "nearest", *(["size, m"] if is_scan else [])]
    rows = [[str(rank), *_ranked(scored, place)] for rank, place in enumerate(scored.order(), 1)]
    title = f"{len(answers) + len(failed)} {what}s: {', '.join(counts)} <small>most novel first</small>"
    return f'<div id="table"><h3>{title}</h3>{_rows(head, rows)}{_not_read(failed)}</div>'


def _not_read(failures: Sequence[Failure]) -> str:
    lines = ((one.source, one.error.removeprefix(f"{one.source}: ")) for one in failures)
    rows = "".join(f"<li><b>{escape(name)}</b>: {escape(error)}</li>" for name, error in lines)
    return f'<ul class="failures">{rows}</ul>' if rows else ""


def _ranked(scored: Verdict, place: int) -> list[str]:
    """Cells of a shape."""
    name, answer = escape(scored.session.shapes[place].name), scored.answers[place] or "none"
    current = ' aria-current="true"' if place == scored.shown else ""
    cells = [
        f'<button type="button" data-place="{place}"{current} title="{name}">{name}</button>',
        f'<span class="{answer}">{answer}</span>',
        "" if scored.p_values is None else f"{scored.p_values[place]:.3f}",
        f"{scored.result.novelty[place]:.3f}",
        escape(str(scored.result.nearest[place])),
    ]
    if isinstance(scored, ScanVerdict):
        cells.append(_numbers(scored.scene.objects[place].box.size, " × "))
    return cells


def bars(scored: Verdict) -> str:
    """Bars of the nearest classes; longer is more similar."""
    if not scored.session.shapes:
        return ""
    rows = []
    for i, (name, similarity) in enumerate(scored.ranked()[:BARS]):
        width = 100 * min(max(similarity, 0.0), 1.0)
        rows.append(
            f'<div class="bar{" first" if i == 0 else ""}"><span class="label">{escape(name)}</span>'
            f'<span class="track"><span style="width:{width:.1f}%"></span></span>'
            f'<span class="value">{similarity:.2f}</span></div>'
        )
    more = len(scored.ranked()) - BARS
    of = f" of {escape(scored.shape.name)}" if isinstance(scored, ScanVerdict) else ""
    rest = f"<small>and {more} more in the JSON</small>" if more > 0 else ""
    return f'<div id="bars"><h3>Nearest classes{of} <small>cosine similarity</small></h3>{"".join(rows)}{rest}</div>'


def compared(scored: Verdict) -> str:
    """Explanation of the colors of the picture."""
    return f'<div id="compared"><p>{escape(scored.compared)}</p></div>'


def calibration(own: Calibration, failures: Sequence[Failure] = ()) -> str:
    """The visitor's calibration, and files of it that could not be read."""
    given = f"{len(own.shapes)} calibration files."
    given = given if own.threshold is None else f"Your {own.threshold.describe(OWN)}."
    return f'<div id="own"><p>{escape(given)}</p>{_not_read(failures)}</div>'


def known(session: Session) -> str:
    """Table of known classes: names or examples, counts, thumbnails."""
    rows = [
        [
            escape(name),
            "name and examples" if examples else "name",
            str(len(examples)),
            "".join(map(_picture, examples[-THUMBNAILS:])),
        ]
        for name, examples in session.known().items()
    ]
    names = "".join(f'<option value="{escape(name)}">' for name in session.names)
    listed = f'<datalist id="classes">{names}</datalist>'  # suggestions for the class input
    return f'<div id="known">{_rows(("class", "known by", "examples", ""), rows)}{listed}</div>'


@lru_cache(maxsize=256)
def _picture(example: Example) -> str:
    name = escape(example.name)
    return f'<img src="{data_uri(thumbnail(example.cloud))}" alt="{name}" title="{name}">'
