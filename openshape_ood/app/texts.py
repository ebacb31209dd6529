"""What the page says, as HTML. Whatever a visitor or a file named is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape

from openshape_ood.app import pictures
from openshape_ood.app.downloads import Shown
from openshape_ood.app.pictures import data_uri, thumbnail
from openshape_ood.app.quotas import MAX_FILES
from openshape_ood.app.session import Calibration, Example, Session
from openshape_ood.app.surfaces import Compared, Good
from openshape_ood.app.verdicts import RoomVerdict, Verdict
from openshape_ood.app.views import Completed
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.novelty.result import Failure
from openshape_ood.novelty_map import UNTOLD
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.views.completion import CompletedView

BARS = 6  # classes that get one
THUMBNAILS = 5  # a class

TITLE = """<h1>Is this object one of the known classes, or something new?</h1>"""
CALIBRATION = f"19 to {MAX_FILES} shapes of the known classes, from where the others come, and none of the examples."
FORMATS_OF_VIEWS = (
    "Together: picture (PNG, JPG), an image with “depth” in its name (PNG of 16 bits), camera (JSON); or one NPZ. "
    "Without CLIP on this machine an NPZ with “affinities” in its name, too"
)
FORMATS = " ".join(suffix[1:].upper() for suffix in SUFFIXES)
FORMATS_OF_SURFACES = f"Roads, walls, parts, in meters; one long good cloud or, better, 20: {FORMATS}"


def message(text: str = "", refused: bool = False) -> str:
    """A line above the verdict; nothing for no text."""
    if not text:
        return ""
    kind, role = ("refused", "alert") if refused else ("said", "status")
    return f'<div id="message" class="box {kind}" role="{role}">{escape(text)}</div>'


WORKING = '<div id="verdict" class="box open working" role="status"><h2>Scoring…</h2></div>'
COMPLETING = "Completing what the view hides, name by name."
READING = "Reading the scan and looking for objects."
LEARNING = "Learning what the good clouds look like."
COMPARING = "Reading the cloud and comparing it with the good ones."
COMPARED = (
    '<div id="compared"><p>The surface is rebuilt from what was learned of the good ones, and each point compared with '
    "it: gray is as usual, dark red is like none of them.</p></div>"
)
FIRST = '<div id="verdict" class="box open"><h2>Drop a shape or pick an example.</h2></div>'
TOY = (
    "<code>tiny</code> is a toy, trained on generated shapes to try this page out. For real objects choose "
    "<code>vitb32</code> or a larger encoder."
)


def working(done: str = "") -> str:
    """In the place of the verdict while there is none; done: what is ready so far."""
    return WORKING.replace("</h2>", f"</h2><p>{escape(done)}</p>") if done else WORKING


def verdict(found: Verdict) -> str:
    """Headline, p-value and what they rest on."""
    kind, headline = _headline(found)
    lines = [*_evidence(found), *_axis(found), *map(escape, found.remarks)]
    toy = f'<p class="toy">{TOY}</p>' if found.is_toy else ""
    if isinstance(found, RoomVerdict):
        scene = found.scene.scene
        shares = [f"{share:.0%} {what}" for what, share in found.scene.shares().items()]
        name, notes = scene.name, [f"{len(scene):,} points", *shares]
    else:
        name, notes = found.shape.name, [found.shape.note, f"{found.result.up[found.shown]} up"]
    return _box(kind, name, ", ".join(filter(None, notes)), headline, lines, toy)


def _box(kind: str, name: str, note: str, headline: str, lines: Iterable[str], more: str = "") -> str:
    """headline, lines and more are HTML."""
    noted = f" <small>({escape(note)})</small>" if note else ""
    rows = "".join(f"<p>{line}</p>" for line in lines)
    named = f'<span class="name">{escape(name)}{noted}</span>'
    return f'<div id="verdict" class="box {kind}">{named}<h2>{headline}</h2>{rows}{more}</div>'


def view(completed: Completed) -> str:
    """What a view shows that is new, and what it rests on."""
    found, (h, w) = completed.found, completed.found.view.shape
    new = len(found.new)
    headline = f"{new} new thing{'s' * (new != 1)} in this view" if new else "Nothing new in this view"
    lines = [
        f"Completed by <code>{escape(found.field.provenance.identity.checkpoint)}</code> from affinities by "
        f"{escape(found.affinities.provenance.method)}: what is occupied, in view, no floor or wall, and filled by no "
        "known name, is new.",
        *map(escape, completed.remarks),
    ]
    note = f"{w} × {h} pixels, {found.view.seen.mean():.0%} with depth"
    return _box("novel" if new else "known", found.view.name, note, headline, lines)


def learned(good: Good) -> str:
    """Which clouds are taken as good."""
    count = len(good.names)
    more = f" and {count - 5} more" if count > 5 else ""
    headline = f"{count} cloud{'s are' if count > 1 else ' is'} taken as good. Drop the one to compare."
    return _box("open", ", ".join(good.names[:5]) + more, "", headline, map(escape, good.remarks))


def surface(found: Compared) -> str:
    """Whether a surface is as good as those it is compared with, and what that rests on."""
    result, threshold, method = found.result, found.result.threshold, found.good.model.reconstructor.method
    beyond = int((threshold.scores >= result.novelty).sum())
    what = "that of its worst place" if found.is_sheet else "the mean of its most novel hundredth of points"
    of = f"{threshold.n} {'is' if beyond == 1 else 'are'} as novel or more."
    lines = [
        f"p = <b>{result.p_value:.3f}</b>: {beyond} of {of}",
        f"Novelty <b>{result.novelty:.3f}</b>, {what}, by <code>{escape(method)}</code>; good up to "
        f"{threshold.value:.3f}.",
        f"The {escape(threshold.describe())}.",
        f"{found.beyond:,} points are beyond the threshold of points, {found.unseen:,} points were not seen.",
        *([] if result.map.tells else [f"The map does not tell where: {UNTOLD}"]),
        *map(escape, found.remarks),
    ]
    count = len(found.good.names)
    note = f"{len(result.map):,} points, beside {count} good cloud{'s' * (count != 1)}"
    if result.is_novel:
        return _box("novel", result.name, note, "Damaged: a place is not as on the good ones", lines)
    return _box("known", result.name, note, "Good: no place is worse than on the good ones", lines)


def things(found: CompletedView) -> str:
    """A row a name and a new thing: how much it fills, and where."""
    rows = "".join(
        f'<tr><td>{escape(one["name"])}</td><td><span class="{"novel" if one["status"] == "new" else "known"}">'
        f"{one['status']}</span></td><td>{one['liters']:.0f}</td><td>{_numbers(one['size'], ' × ')}</td>"
        f"<td>{_numbers(one['center'], ', ')}</td></tr>"
        for one in found.rows()
    )
    head = "<tr><th>name</th><th></th><th>liters</th><th>size, m</th><th>center, m</th></tr>"
    return f'<div id="table" class="rows"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _numbers(numbers: Sequence[float] | None, between: str) -> str:
    return between.join(f"{number:.2f}" for number in numbers or ())


def sheet(found: CompletedView) -> str:
    """The picture of a view, its affinities, what is completed, and what is new."""
    source = data_uri(pictures.sheet(found))
    return f'<div id="compared"><img id="sheet" src="{source}" alt="the view, what was found, what is new"></div>'


def parts(found: Shown) -> tuple[str, str, str, str]:
    """What stands in the place of the verdict, of the table, below the picture, and in the place of the bars."""
    if isinstance(found, Completed):
        return view(found), things(found.found), sheet(found.found), ""
    if isinstance(found, Compared):
        return surface(found), "", COMPARED, ""
    return verdict(found), table(found), compared(found), bars(found)


def _headline(found: Verdict) -> tuple[str, str]:
    if isinstance(found, RoomVerdict):
        return _headline_of_room(found)
    nearest = escape(found.nearest)
    if found.answer is None:
        return "open", f"Nearest: {nearest}. No verdict"
    if found.answer == "novel":
        return "novel", f"Novel: none of the known classes (nearest: {nearest})"
    return "known", f"Known: {nearest}"


def _headline_of_room(found: RoomVerdict) -> tuple[str, str]:
    answers = found.answers
    if not answers:
        return "open", "No object was found: nothing is left beside floor, walls and ceiling, or it is too small"
    objects = f"{len(answers)} object{'s' * (len(answers) > 1)}"
    if found.threshold is None:
        return "open", f"{objects}, the most novel first. No verdict"
    novel = answers.count("novel")
    return "novel" if novel else "known", f"{objects}, {novel} of them novel"


def _evidence(found: Verdict) -> list[str]:
    provenance, threshold, basis = found.result.provenance, found.threshold, found.basis
    encoder = escape(provenance.identity.checkpoint)
    by = f"<code>{escape(provenance.method)}</code> with the encoder <code>{encoder}</code>"
    one = not isinstance(found, RoomVerdict)
    novelty = f"Novelty <b>{found.novelty:.3f}</b> by {by}" if one else f"Novelty by {by}"
    if threshold is None:
        return [f"{novelty}; no p-value. {escape(basis.missing)}", MISSING]
    lines = [f"{novelty}; known up to {threshold.value:.3f}.", _promise(found, threshold)]
    if one and found.p_value is not None:
        beyond = int((threshold.scores >= found.novelty).sum())
        shapes = f"known {found.origin}s" if basis.kind == "generated" else "calibration shapes"
        are = "is" if beyond == 1 else "are"
        lines.insert(0, f"p = <b>{found.p_value:.3f}</b>: {beyond} of {threshold.n} {shapes} {are} as novel or more.")
    if basis.uncovered:
        names = escape(", ".join(basis.uncovered))
        lines.append(
            f"None of these is of the class {names}, which cannot be generated: how many of its shapes are kept is not "
            "known. Calibration files of all classes would tell."
        )
    return lines


OWN = "“Calibrate on shapes of yours”"  # where the page takes them
MISSING = (
    "To have a verdict, give below 19 or more known shapes that are no examples, or a threshold that was saved "
    "(<code>openshape-ood score --save-threshold</code>)."
)


def _promise(found: Verdict, threshold: Threshold) -> str:
    """Fraction and kind of shapes that the threshold keeps, and how to calibrate on the user's own."""
    cut = threshold.is_generated and isinstance(found, RoomVerdict)
    more = " Objects cut out of a room are only in part like generated ones." if cut else ""
    said = threshold.describe(OWN)
    lead = "The threshold is the one you gave: " if found.basis.kind == "threshold" else ""
    return escape(f"{lead}{said if lead else f'T{said[1:]}'}.{more}")


def _axis(found: Verdict) -> list[str]:
    if found.axis is not None:
        return [escape(f"Up axis {found.axis}.")]
    if found.up != "file" or isinstance(found, RoomVerdict) or found.shape.stated:
        return []
    many = "try the other, or auto" if len(found.session.shapes) > 1 else "try the other"
    return [f"Which axis is up is not said in the file; y is taken. Scans are often z up: {many}."]


def table(found: Verdict | None) -> str:
    """Several shapes, the most novel first, and the files that were not read; nothing for one shape."""
    room = isinstance(found, RoomVerdict) and bool(found.session.shapes)
    if found is None or (len(found.session.shapes) < 2 and not found.session.failures and not room):
        return ""
    rows = "".join(_ranked(found, rank, place) for rank, place in enumerate(found.order(), 1))
    answers = found.answers
    counts = [f"{answers.count('novel')} novel", f"{answers.count('known')} known"] if found.threshold else ["ranked"]
    failed = found.session.failures
    counts += [f"{len(failed)} not read"] if failed else []
    files = len(answers) + len(failed)
    what = "object" if room else "file"
    size = "<th>size, m</th>" if room else ""
    head = f"<tr><th></th><th>{what}</th><th>verdict</th><th>p</th><th>novelty</th><th>nearest</th>{size}</tr>"
    return (
        f'<div id="table"><h3>{files} {what}s: {", ".join(counts)} <small>most novel first</small></h3>'
        f'<div class="rows"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>{_not_read(failed)}</div>'
    )


def _not_read(failures: Sequence[Failure]) -> str:
    said = ((one.source, one.error.removeprefix(f"{one.source}: ")) for one in failures)
    rows = "".join(f"<li><b>{escape(name)}</b>: {escape(error)}</li>" for name, error in said)
    return f'<ul class="failures">{rows}</ul>' if rows else ""


def _ranked(found: Verdict, rank: int, place: int) -> str:
    name, answer = escape(found.session.shapes[place].name), found.answers[place] or "none"
    p = "" if found.p_values is None else f"{found.p_values[place]:.3f}"
    current = ' aria-current="true"' if place == found.shown else ""
    cells = [
        f'<button type="button" data-place="{place}"{current} title="{name}">{name}</button>',
        f'<span class="{answer}">{answer}</span>',
        *(p, f"{found.result.novelty[place]:.3f}", escape(str(found.result.nearest[place]))),
    ]
    if isinstance(found, RoomVerdict):
        cells.append(" × ".join(f"{side:.2f}" for side in found.scene.objects[place].box.size))
    return f"<tr><td>{rank}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def bars(found: Verdict) -> str:
    """The nearest classes, the longest bar the most similar."""
    if not found.session.shapes:
        return ""
    rows = []
    for i, (name, similarity) in enumerate(found.ranked()[:BARS]):
        width = 100 * min(max(similarity, 0.0), 1.0)
        rows.append(
            f'<div class="bar{" first" if i == 0 else ""}"><span class="label">{escape(name)}</span>'
            f'<span class="track"><span style="width:{width:.1f}%"></span></span>'
            f'<span class="value">{similarity:.2f}</span></div>'
        )
    more = len(found.ranked()) - BARS
    of = f" of {escape(found.shape.name)}" if isinstance(found, RoomVerdict) else ""
    rest = f"<small>and {more} more in the JSON</small>" if more > 0 else ""
    return f'<div id="bars"><h3>Nearest classes{of} <small>cosine similarity</small></h3>{"".join(rows)}{rest}</div>'


def compared(found: Verdict) -> str:
    """What the colors of the picture mean."""
    return f'<div id="compared"><p>{escape(found.compared)}</p></div>'


def calibration(own: Calibration, failures: Sequence[Failure] = ()) -> str:
    """What the visitor gave to decide by, and what of it was not read."""
    given = f"{len(own.shapes)} calibration files."
    given = given if own.threshold is None else f"Your {own.threshold.describe(OWN)}."
    return f'<div id="own"><p>{escape(given)}</p>{_not_read(failures)}</div>'


def known(session: Session) -> str:
    """The table of known classes: how each is known, how many examples, small pictures of them."""
    rows = "".join(_row(name, examples) for name, examples in session.known().items())
    head = "<tr><th>class</th><th>known by</th><th>examples</th><th></th></tr>"
    names = "".join(f'<option value="{escape(name)}">' for name in session.names)
    listed = f'<datalist id="classes">{names}</datalist>'  # offered where a class is typed
    return f'<div id="known" class="rows"><table><thead>{head}</thead><tbody>{rows}</tbody></table>{listed}</div>'


def _row(name: str, examples: tuple[Example, ...]) -> str:
    how = "name and examples" if examples else "name"
    small = "".join(_picture(example) for example in examples[-THUMBNAILS:])
    return f"<tr><td>{escape(name)}</td><td>{how}</td><td>{len(examples)}</td><td>{small}</td></tr>"


@lru_cache(maxsize=256)
def _picture(example: Example) -> str:
    name = escape(example.name)
    return f'<img src="{data_uri(thumbnail(example.cloud))}" alt="{name}" title="{name}">'
