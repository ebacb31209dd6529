"""Texts of the page, as HTML. This module escapes all names from visitors and files; other modules do not."""

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
THUMBNAILS = 5  # thumbnails per class
DEFECTS = 5  # listed defects

TITLE = """<h1>Is this object one of the known classes, or something new?</h1>"""
CALIBRATION = f"Drop 19 to {MAX_FILES} known shapes that are not examples, from the same source as the shapes to score."
FORMATS_OF_VIEWS = (
    "Drop three files together: an image (PNG or JPG), a depth image (16-bit PNG, “depth” in its name) and a camera "
    "(JSON). Or drop one NPZ file. If CLIP is not on this machine, add an NPZ file with “affinities” in its name."
)
FORMATS = " ".join(suffix[1:].upper() for suffix in SUFFIXES)
FORMATS_OF_SURFACES = f"Roads, walls or parts, in meters. Best: 20 good clouds. Minimum: one long cloud. {FORMATS}"


def message(text: str = "", refused: bool = False) -> str:
    """HTML of the message above the verdict; "" without text."""
    if not text:
        return ""
    kind, role = ("refused", "alert") if refused else ("done", "status")
    return f'<div id="message" class="box {kind}" role="{role}">{escape(text)}</div>'


WORKING = '<div id="verdict" class="box open working" role="status"><h2>Scoring…</h2></div>'
COMPLETING = "Completing the hidden parts of the view, name by name."
READING = "Reading the scan and searching for objects."
LEARNING = "Learning from the good clouds."
COMPARING = "Reading the cloud and comparing it with the good clouds."
COMPARED = (
    '<div id="compared"><p>A model of the good clouds reconstructs the surface, and each point is compared with the '
    "reconstruction. Gray: as on good clouds. Dark red: very different.</p></div>"
)
FIRST = '<div id="verdict" class="box open"><h2>Drop a shape or pick an example.</h2></div>'
TOY = (
    "<code>tiny</code> is a toy encoder, trained on generated shapes, for trying this page. For real objects, choose "
    "<code>small</code>, <code>vitb32</code> or a larger encoder."
)


def working(done: str = "") -> str:
    """Placeholder for the verdict. done: text about the progress."""
    return WORKING.replace("</h2>", f"</h2><p>{escape(done)}</p>") if done else WORKING


def verdict(scored: Verdict) -> str:
    """HTML of the verdict: headline, p-value and basis."""
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
    """HTML of a verdict box. headline, lines and more are HTML; name and note are text."""
    noted = f" <small>({escape(note)})</small>" if note else ""
    rows = "".join(f"<p>{line}</p>" for line in lines)
    named = f'<span class="name">{escape(name)}{noted}</span>'
    return f'<div id="verdict" class="box {kind}">{named}<h2>{headline}</h2>{rows}{more}</div>'


def view(shown: ViewVerdict) -> str:
    """HTML of the result for a view: number of new objects, completion network and affinities."""
    completed, (h, w) = shown.completed, shown.completed.view.shape
    new = len(completed.new)
    headline = f"{new} new object{'s' * (new != 1)} in this view" if new else "Nothing new in this view"
    lines = [
        f"Completed by <code>{escape(completed.field.provenance.identity.checkpoint)}</code> from affinities by "
        f"{escape(completed.affinities.provenance.method)}. New objects: visible occupied space, other than "
        "floor and walls, that no known name fills.",
        *map(escape, shown.remarks),
    ]
    note = f"{w} × {h} pixels, {completed.view.seen.mean():.0%} with depth"
    return _box("novel" if new else "known", completed.view.name, note, headline, lines)


def learned(good: GoodSurfaces) -> str:
    """HTML of the message about the good clouds."""
    count = len(good.names)
    more = f" and {count - 5} more" if count > 5 else ""
    headline = f"Learned from {count} good cloud{'s' * (count > 1)}. Now drop the cloud to check."
    return _box("open", ", ".join(good.names[:5]) + more, "", headline, map(escape, good.remarks))


def surface(compared: SurfaceVerdict) -> str:
    """HTML of the verdict on a surface, with p-value and threshold."""
    result, threshold, method = compared.result, compared.result.threshold, compared.good.model.reconstructor.method
    beyond = int((threshold.scores >= result.novelty).sum())
    what = "the maximum over its tiles" if compared.is_sheet else "the mean of the most novel 1 % of its points"
    of = f"{threshold.n} good clouds {'is' if beyond == 1 else 'are'} at least as novel."
    lines = [
        f"p = <b>{result.p_value:.3f}</b>: {beyond} of {of}",
        f"Novelty <b>{result.novelty:.3f}</b>, {what}, by <code>{escape(method)}</code>. Good up to "
        f"{threshold.value:.3f}.",
        f"The {escape(threshold.describe())}.",
        f"{compared.beyond:,} points are above the threshold for points. {compared.unseen:,} points have no score.",
        f"For points, the {escape(compared.good.model.pixel_threshold.describe())}.",
        *_defects(result.defects),
        *([] if result.map.tells else [f"The map does not locate damage: {UNTOLD}"]),
        *map(escape, compared.remarks),
    ]
    count = len(compared.good.names)
    note = f"{len(result.map):,} points, {count} good cloud{'s' * (count != 1)}"
    if result.is_novel:
        return _box("novel", result.name, note, "Damaged: its novelty is above the threshold", lines)
    return _box("known", result.name, note, "Good: its novelty is not above the threshold", lines)


def _defects(defects: Sequence[Defect]) -> list[str]:
    """Line with the largest defects and their p-values; empty if there are none."""
    shown = [f"{escape(one.where)}: {escape(str(one))}" for one in defects[:DEFECTS]]
    return [f"Largest defects: {'; '.join(shown)}."] if shown else []


def things(completed: CompletedView) -> str:
    """HTML table of names and new objects, with volume and position."""
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
    """HTML with the picture of a view, its affinities, the completed objects and the new objects."""
    source = data_uri(pictures.sheet(completed))
    return f'<div id="compared"><img id="sheet" src="{source}" alt="the view, completed objects, new objects"></div>'


def parts(shown: Shown) -> tuple[str, str, str, str]:
    """HTML of the verdict, the table, the caption of the picture, and the bars."""
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
        return "open", f"Nearest: {nearest}. No verdict."
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
        return "open", f"{objects}, most novel first. No verdict."
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
        shapes = f"generated {scored.origin}s" if basis.kind == "generated" else "calibration shapes"
        are = "is" if beyond == 1 else "are"
        lines.insert(0, f"p = <b>{scored.p_value:.3f}</b>: {beyond} of {threshold.n} {shapes} {are} at least as novel.")
    if basis.uncovered:
        names = escape(", ".join(basis.uncovered))
        lines.append(
            f"Shapes of {names} cannot be generated, so the threshold is not calibrated for them. Give calibration "
            "files of all classes."
        )
    return lines


def _drift(scored: Verdict) -> list[str]:
    """Line with the alarm of the drift test; empty list without an alarm."""
    drift = scored.result.drift
    if not drift.alarm:
        return []
    drawn = scored.result.to_label()
    by_visitor = [shape.name for shape in scored.session.shapes] if isinstance(scored, ShapeVerdict) else None
    names = drawn.shapes if by_visitor is None else [by_visitor[row] for row in drawn.rows]
    remedy = ", ".join(names) if drift.tested > TO_LABEL else ""
    then = f"Then drop the shapes that are known into {OWN} below."
    return [f'<b id="drift">{escape(drift.describe(remedy))} {escape(then)}</b>']


OWN = "“Calibrate on your own shapes”"  # heading of the calibration area
MISSING = (
    "For a verdict, drop 19 or more known shapes, other than the examples, into the calibration area below. Or drop a "
    "threshold saved by <code>openshape-ood score --save-threshold</code>."
)


def _promise(scored: Verdict, threshold: Threshold) -> str:
    """Text about the fraction of known shapes that the threshold keeps, and about calibration by the visitor."""
    cut = threshold.is_generated and isinstance(scored, ScanVerdict)
    more = " The share may differ for objects of a scan: they only partly resemble generated shapes." if cut else ""
    text = threshold.describe(OWN)
    lead = "The threshold is yours: " if scored.basis.kind == "threshold" else ""
    return escape(f"{lead}{text if lead else f'T{text[1:]}'}.{more}")


def _axis(scored: Verdict) -> list[str]:
    if scored.axis is not None:
        return [escape(f"Detection of the up axis: {scored.axis}.")]
    if scored.up != "file" or isinstance(scored, ScanVerdict) or scored.shape.stated:
        return []
    many = "try z, or auto" if len(scored.session.shapes) > 1 else "try z"
    return [f"The file states no up axis, so y is used. Scans often have z up: {many}."]


def table(scored: Verdict | None) -> str:
    """HTML table of shapes, most novel first, and a list of unreadable files; "" for a single shape."""
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
    """HTML cells of a shape's row."""
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
    """HTML bars of the nearest classes. A longer bar means more similar."""
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
    rest = f"<small>and {more} more in the JSON file</small>" if more > 0 else ""
    return f'<div id="bars"><h3>Nearest classes{of} <small>cosine similarity</small></h3>{"".join(rows)}{rest}</div>'


def compared(scored: Verdict) -> str:
    """HTML with the explanation of the colors of the picture."""
    return f'<div id="compared"><p>{escape(scored.compared)}</p></div>'


def calibration(calibration_set: Calibration, failures: Sequence[Failure] = ()) -> str:
    """HTML about the visitor's calibration, with a list of unreadable files."""
    threshold = calibration_set.threshold
    text = (
        f"{len(calibration_set.shapes)} calibration files." if threshold is None else f"Your {threshold.describe(OWN)}."
    )
    return f'<div id="own"><p>{escape(text)}</p>{_not_read(failures)}</div>'


def known(session: Session) -> str:
    """HTML table of known classes: name or examples, number of examples, thumbnails."""
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
