"""What the page says, as HTML. Whatever a visitor or a file named is escaped here, and nowhere else."""

from __future__ import annotations

from functools import lru_cache
from html import escape

from openshape_ood.app.pictures import data_uri, thumbnail
from openshape_ood.app.session import Example, Session
from openshape_ood.app.verdicts import COVERAGE, Verdict
from openshape_ood.shapes.reading import SUFFIXES
from openshape_ood.synthetic.calibration import SCANS

BARS = 6  # classes that get one
THUMBNAILS = 5  # a class

TITLE = """<h1>Is this object one of the known classes, or something new?</h1>"""
FORMATS = " ".join(suffix[1:].upper() for suffix in SUFFIXES)


def message(text: str = "", refused: bool = False) -> str:
    """A line above the verdict; nothing for no text."""
    if not text:
        return ""
    kind, role = ("refused", "alert") if refused else ("said", "status")
    return f'<div id="message" class="box {kind}" role="{role}">{escape(text)}</div>'


def verdict(found: Verdict) -> str:
    """Headline, p-value and what they rest on."""
    kind, headline = _headline(found)
    rows = "".join(f"<p>{line}</p>" for line in [*_evidence(found), *map(escape, found.remarks)])
    name = escape(found.shape.name)
    note = escape(", ".join(filter(None, [found.shape.note, f"{found.result.up[0]} up"])))
    named = f'<span class="name">{name} <small>({note})</small></span>'
    return f'<div id="verdict" class="box {kind}">{named}<h2>{headline}</h2>{rows}</div>'


def _headline(found: Verdict) -> tuple[str, str]:
    nearest = escape(found.nearest)
    if found.answer is None:
        return "open", f"Nearest: {nearest}. No verdict"
    if found.answer == "novel":
        return "novel", f"Novel: none of the known classes (nearest: {nearest})"
    return "known", f"Known: {nearest}"


def _evidence(found: Verdict) -> list[str]:
    provenance, threshold = found.result.provenance, found.threshold
    by = f"<code>{escape(provenance.method)}</code> with <code>{escape(provenance.identity.checkpoint)}</code>"
    novelty = f"novelty <b>{found.novelty:.3f}</b> by {by}"
    if threshold is None:
        return [
            f"{novelty}; no p-value, for there is nothing to calibrate on.",
            "To have one: the encoder <code>tiny</code> with classes that can be generated, such as chair or table; "
            "or in Python <code>Threshold.from_novelty</code> with the novelty of some 20 or more known shapes of your "
            "own.",
        ]
    beyond = int((threshold.scores >= found.novelty).sum())
    are = "is" if beyond == 1 else "are"
    return [
        f"p = <b>{found.p_value:.3f}</b>: {beyond} of {threshold.n} known {found.origin}s {are} as novel or more.",
        f"{novelty}; known up to {threshold.value:.3f}, which keeps {100 * COVERAGE:.0f} % of known shapes. "
        f"Calibrated on {SCANS} generated {found.origin}s a class: it holds for shapes like these.",
    ]


def bars(found: Verdict) -> str:
    """The nearest classes, the longest bar the most similar."""
    rows = []
    for i, (name, similarity) in enumerate(found.ranked()[:BARS]):
        width = 100 * min(max(similarity, 0.0), 1.0)
        rows.append(
            f'<div class="bar{" first" if i == 0 else ""}"><span class="label">{escape(name)}</span>'
            f'<span class="track"><span style="width:{width:.1f}%"></span></span>'
            f'<span class="value">{similarity:.2f}</span></div>'
        )
    more = len(found.ranked()) - BARS
    rest = f"<small>and {more} more in the JSON</small>" if more > 0 else ""
    return f'<div id="bars"><h3>Nearest classes <small>cosine similarity</small></h3>{"".join(rows)}{rest}</div>'


def compared(found: Verdict) -> str:
    """What the colors of the picture mean."""
    return f'<div id="compared"><p>{escape(found.compared)}</p></div>'


def known(session: Session) -> str:
    """The table of known classes: how each is known, how many examples, small pictures of them."""
    rows = "".join(_row(name, examples) for name, examples in session.known().items())
    head = "<tr><th>class</th><th>known by</th><th>examples</th><th></th></tr>"
    return f'<div id="known"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _row(name: str, examples: tuple[Example, ...]) -> str:
    how = "name and examples" if examples else "name"
    pictures = "".join(_picture(example) for example in examples[-THUMBNAILS:])
    return f"<tr><td>{escape(name)}</td><td>{how}</td><td>{len(examples)}</td><td>{pictures}</td></tr>"


def _picture(example: Example) -> str:
    return f'<img src="{_thumbnail(example)}" alt="{escape(example.name)}" title="{escape(example.name)}">'


@lru_cache(maxsize=256)
def _thumbnail(example: Example) -> str:
    return data_uri(thumbnail(example.cloud))
