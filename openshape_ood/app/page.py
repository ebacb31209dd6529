"""The page: what stands where, and what happens on a click. The work is done in the modules beside it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.app import words
from openshape_ood.app.examples import EXAMPLES, FIRST
from openshape_ood.app.limits import MAX_FILE_MB
from openshape_ood.app.reading import Upload, read_upload
from openshape_ood.app.results import remove_results, save_results
from openshape_ood.app.scoring import AUTOMATIC, METHODS, MODEL, ORIGINS, Scorer, Verdict
from openshape_ood.app.session import Session, Shape
from openshape_ood.errors import OpenShapeError
from openshape_ood.plots import turnable
from openshape_ood.registry.rows import list_checkpoints
from openshape_ood.shapes.points import UPS

HEIGHT = 310  # pixels of the picture
FILLED = 1.45  # the longest side of a shape in plotly's units, so that it fills the picture
STATE_UP = (".dae", ".glb", ".gltf")  # formats that state their gravity axis
COLORS = {"novelty": "novelty", "nearest class": "class"}
Update = dict[Any, Any]


def build(
    scorer: Scorer, results: Path, model: str, known: Sequence[str], max_file_mb: int = MAX_FILE_MB
) -> tuple[Any, dict[str, Any]]:
    """The gradio Blocks, and what its `launch` needs to look as it should.

    results: the folder for what visitors download; model: chosen at first; known: the names written in at first.
    """
    import gradio as gr

    page = _Page(scorer, results, max_file_mb)
    with gr.Blocks(
        title="openshape_ood: is it novel?",
        analytics_enabled=False,
        delete_cache=(300, 3600),  # seconds: how often files are looked through, and how old they may get
        fill_width=True,
    ) as blocks:
        page.lay_out(gr, model, known)
        page.connect(gr, blocks, opens_with_example=model == "tiny")
    theme = gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        radius_size="sm",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        layout_gap="10px",
        block_padding="8px 10px",
        input_padding="7px",
        block_label_text_size="13px",
        block_title_text_size="13px",
    )
    look = {"theme": theme, "css": STYLE, "js": "() => document.body.classList.remove('dark')"}
    return blocks, look


def _answered(handler: Callable[..., Update]) -> Callable[..., Update]:
    """A handler whose `OpenShapeError`s become a message on the page; what stood there before stays."""

    @functools.wraps(handler)
    def answer(page: _Page, *values: Any) -> Update:
        try:
            return handler(page, *values)
        except OpenShapeError as error:
            return {page.message: words.message(str(error), refused=True), page.dropped: None}

    return answer


class _Page:
    """The components, as attributes, and the handlers: (values of components) -> {component: new value}."""

    def __init__(self, scorer: Scorer, results: Path, max_file_mb: int) -> None:
        self.scorer = scorer
        self.results = results
        self.max_file_mb = max_file_mb

    def lay_out(self, gr: Any, model: str, known: Sequence[str]) -> None:
        session = Session().with_names(", ".join(known))
        self.session = gr.State(session)
        self.verdict = gr.State(None)
        self.folder = gr.State("", delete_callback=remove_results)
        gr.HTML(words.TITLE)
        with gr.Row(equal_height=False, elem_id="columns"):
            with gr.Column(scale=5, min_width=380):
                self._left(gr, session, model, known)
            with gr.Column(scale=7, min_width=480):
                self._right(gr)

    def _left(self, gr: Any, session: Session, model: str, known: Sequence[str]) -> None:
        self.dropped = gr.File(
            label=f"Drop a mesh or cloud, up to {self.max_file_mb} MB", height=112, elem_id="drop", type="filepath"
        )
        gr.HTML(f'<span class="formats">{words.FORMATS}</span>')
        with gr.Row(elem_id="examples"):
            self.offered = {name: gr.Button(name, size="sm", min_width=60) for name in EXAMPLES}
        with gr.Row():
            self.names = gr.Textbox(
                ", ".join(known), label="Known classes, with commas between them", elem_id="names", max_lines=3, scale=5
            )
        with gr.Row():
            self.model = gr.Dropdown(
                list_checkpoints(), value=model, label="Encoder", min_width=84, elem_id="model", scale=4
            )
            self.method = gr.Dropdown(
                list(METHODS), value=AUTOMATIC, label="Method", min_width=110, elem_id="method", scale=5
            )
            self.up = gr.Dropdown(list(UPS), value="y", label="Up axis", min_width=70, elem_id="up", scale=3)
            self.origin = gr.Dropdown(
                list(ORIGINS), value=MODEL, label="Shape is a", min_width=120, scale=6, elem_id="origin"
            )
        self.score = gr.Button("Score", variant="primary", elem_id="score")
        self.bank = gr.HTML(words.bank(session))
        with gr.Row(elem_id="adding"):
            self.owner = gr.Dropdown(
                list(session.names),
                value=session.names[0],
                label="Class, known or new",
                allow_custom_value=True,
                elem_id="owner",
                min_width=160,
                scale=3,
            )
            self.add = gr.Button("Add the shape to it", elem_id="add", min_width=110, scale=2, size="sm")
            self.clear = gr.Button("Remove examples", elem_id="clear", min_width=110, scale=2, size="sm")

    def _right(self, gr: Any) -> None:
        self.message = gr.HTML("")
        self.said = gr.HTML('<div class="box open"><h2>Drop a shape or pick an example.</h2></div>')
        self.color = gr.Radio(
            list(COLORS), value="novelty", label="Colored by", elem_id="color", container=False, visible=False
        )
        self.plot = gr.Plot(show_label=False, visible=False, elem_id="plot", container=False)
        self.compared = gr.HTML("")
        self.bars = gr.HTML("")
        with gr.Row():
            self.cloud = gr.DownloadButton("Colored PLY", visible=False, elem_id="ply", size="md")
            self.figures = gr.DownloadButton("Figures as JSON", visible=False, elem_id="json", size="md")

    def connect(self, gr: Any, blocks: Any, opens_with_example: bool) -> None:
        settings = [self.session, self.folder, self.names, self.model, self.method, self.up, self.origin, self.color]
        shown = [
            *(self.session, self.verdict, self.folder, self.dropped, self.message, self.said, self.color, self.plot),
            *(
                self.compared,
                self.bars,
                self.bank,
                self.names,
                self.owner,
                self.up,
                self.origin,
                self.cloud,
                self.figures,
            ),
        ]
        # private: there is no API; what is costly is done for two visitors at a time
        common = {
            "outputs": shown,
            "api_visibility": "private",
            "show_progress": "minimal",
            "show_progress_on": [self.said],
            "concurrency_limit": 2,
            "concurrency_id": "work",
        }
        self.dropped.upload(self.on_drop, [self.dropped, *settings], **common)
        for name, button in self.offered.items():
            button.click(functools.partial(self.on_example, name), settings, **common)
        gr.on([self.score.click, self.names.submit, *self._choices()], self.on_score, settings, **common)
        self.add.click(self.on_add, [self.owner, self.session, self.up, self.verdict], **common)
        self.clear.click(self.on_clear, [self.session], **common)
        self.color.input(self.on_color, [self.verdict, self.color], **common)
        if opens_with_example:
            blocks.load(functools.partial(self.on_example, FIRST), settings, **common)

    def _choices(self) -> list[Any]:
        return [choice.input for choice in (self.model, self.method, self.up, self.origin)]

    @_answered
    def on_drop(self, path: str | None, session: Session, *settings: Any) -> Update:
        if path is None:
            return {self.dropped: None}
        try:
            upload = read_upload(path, max_bytes=self.max_file_mb * 2**20)
        finally:
            Path(path).unlink(missing_ok=True)  # what was read is in memory, what was refused is not wanted
        folder, names, model, method, up, origin, color = settings
        stated = upload.up if Path(upload.name).suffix.lower() in STATE_UP else ""
        # an axis that came with the file before is not this file's
        axis = stated or ("y" if session.shape is not None and session.shape.stated == up else up)
        session = session.with_shape(Shape(upload.name, upload.cloud, _note(upload, bool(stated)), stated))
        update = self._scored(session, folder, names, model, method, axis, origin, color)
        return {**update, self.dropped: None, self.up: axis}

    @_answered
    def on_example(self, name: str, session: Session, *settings: Any) -> Update:
        folder, names, model, method, _, _, color = settings
        offered = EXAMPLES[name]
        session = session.with_shape(Shape(name, offered.make(), "generated"))
        update = self._scored(session, folder, names, model, method, "y", offered.origin, color)
        return {**update, self.up: "y", self.origin: offered.origin}

    @_answered
    def on_score(self, session: Session, *settings: Any) -> Update:
        return self._scored(session, *settings)

    @_answered
    def on_add(self, owner: str | None, session: Session, up: str, verdict: Verdict | None) -> Update:
        import gradio as gr

        session = session.with_example(owner or "", up)
        name, example = session.examples[-1]
        count = len(session.of(name))
        said = (
            f"{example.name} is now an example of {name}, which has {count}; what is scored next is compared with it."
        )
        return {
            self.session: session,
            self.names: ", ".join(session.names),
            self.message: words.message(said),
            self.bank: words.bank(session),
            self.owner: gr.update(choices=list(session.names), value=name),
        }

    @_answered
    def on_clear(self, session: Session) -> Update:
        session = session.without_examples()
        said = "The examples are removed; the classes are known by their names alone."
        return {self.session: session, self.message: words.message(said), self.bank: words.bank(session)}

    @_answered
    def on_color(self, verdict: Verdict | None, color: str) -> Update:
        return {} if verdict is None else {self.plot: _picture(verdict, color)}

    def _scored(
        self,
        session: Session,
        folder: str,
        names: str,
        model: str,
        method: str,
        up: str,
        origin: str,
        color: str,
    ) -> Update:
        import gradio as gr

        session = session.with_names(names)
        verdict = self.scorer.judge(session, model, method, up, origin)
        cloud, figures = save_results(verdict, session, self.results)
        remove_results(folder)  # of the shape before; gradio serves copies
        return {
            self.session: session,
            self.verdict: verdict,
            self.folder: str(cloud.parent),
            self.message: "",
            self.said: words.verdict(verdict),
            self.color: gr.update(visible=True),
            self.plot: gr.update(value=_picture(verdict, color), visible=True),
            self.compared: words.compared(verdict),
            self.bars: words.bars(verdict),
            self.bank: words.bank(session),
            self.owner: gr.update(choices=list(session.names), value=verdict.nearest),
            self.cloud: gr.update(value=str(cloud), visible=True),
            self.figures: gr.update(value=str(figures), visible=True),
        }


def _note(upload: Upload, stated: bool) -> str:
    kept = len(upload.cloud)
    notes = [f"thinned from {upload.points:,} to {kept:,} points" if kept < upload.points else f"{kept:,} points"]
    return ", ".join([*notes, f"its file says that {upload.up} is up"] if stated else notes)


def _picture(verdict: Verdict, color: str) -> Any:
    figure = turnable(verdict.novelty_map, COLORS.get(color, "novelty"), title="")
    spans = {axis: _span(np.concatenate([trace[axis] for trace in figure.data])) for axis in "xyz"}
    sides = {axis: FILLED * span / max(spans.values()) for axis, span in spans.items()}
    # a shape that was turned stays so when its colors change
    figure.update_layout(height=HEIGHT, uirevision=verdict.shape.name)
    return figure.update_scenes(aspectmode="manual", aspectratio=sides)


def _span(values: np.ndarray) -> float:
    return float(np.ptp(values)) or 1e-6


STYLE = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; padding: 4px 20px !important; }
.gradio-container h1 { font-size: 1.35rem; font-weight: 600; margin: 0 0 2px; }
.gradio-container h3 { font-size: .95rem; font-weight: 600; margin: 0 0 4px; }
.gradio-container small { font-size: .8rem; font-weight: 400; color: #526071; }
.gradio-container .html-container, .gradio-container .prose { padding: 0 !important; }
.formats { display: block; font-size: .76rem; color: #526071; line-height: 1.2; }
#drop .wrap { font-size: .88rem; line-height: 1.25; padding-top: 18px; }
#drop .icon-wrap { display: none; }
/* what is too large is said in a corner; this would cover the place to drop the next one */
#drop > [data-testid="status-tracker"] { display: none !important; }
#model input, #method input, #up input, #origin input { font-size: .82rem; margin-left: -6px; }
#adding { align-items: flex-end; }
#adding button { min-height: 38px; }
#color { margin-bottom: -8px; }
#color label { padding: 3px 10px; font-size: .85rem; }
.html-container:not(:has(*)), .block:has(> .html-container:empty) { display: none; }
#columns { gap: 26px; }
#examples { gap: 6px; }
#examples button { flex: 1 1 auto; font-weight: 400; }
.box { border-left: 5px solid #8a96a5; background: #f4f6f8; padding: 8px 14px; border-radius: 3px; color: #16202c;
       overflow-wrap: anywhere; }
.box h2 { font-size: 1.2rem; font-weight: 600; margin: 0; }
.box p { margin: 2px 0 0; font-size: .9rem; }
.box .name { font-size: .9rem; color: #3a4757; }
.box.known { border-color: #0072b2; background: #eef5fa; }
.box.novel { border-color: #6e0f12; background: #fbf0ea; }
.box.refused { border-color: #b36b00; background: #fff7e6; }
.box.said { border-color: #009e73; background: #eef8f4; }
#compared p { margin: 0; font-size: .85rem; color: #3a4757; }
.bar { display: flex; align-items: center; gap: 8px; font-size: .88rem; line-height: 1.5; }
.bar .label { width: 130px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar .track { flex: 1; background: #eceff3; height: 11px; border-radius: 2px; }
.bar .track span { display: block; height: 100%; background: #9aa9ba; border-radius: 2px; }
.bar.first .track span { background: #0072b2; }
.bar .value { width: 44px; text-align: right; font-variant-numeric: tabular-nums; }
#bank { max-height: 300px; overflow-y: auto; }
#bank table { width: 100%; border-collapse: collapse; border: 0; margin: 0; font-size: .88rem; }
#bank th, #bank td { border: 0; text-align: left; padding: 1px 8px; height: 26px; overflow-wrap: anywhere; }
#bank tr { border: 0; border-bottom: 1px solid #e0e5eb; }
#bank th { font-weight: 600; color: #526071; }
#bank img { display: inline-block; width: 32px; height: 32px; margin: 0 2px; vertical-align: middle; }
footer { display: none !important; }
"""
