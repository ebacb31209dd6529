"""The page: what stands where, and what happens on a click. The work is done in the modules beside it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.app import texts
from openshape_ood.app.downloads import remove_results, save_results
from openshape_ood.app.examples import EXAMPLES, FIRST
from openshape_ood.app.quotas import MAX_FILE_MB
from openshape_ood.app.session import Session, Shape
from openshape_ood.app.uploads import Upload, read_upload
from openshape_ood.app.verdicts import AUTOMATIC, MODEL, ORIGINS, Judge, Verdict, method_names
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
    judge: Judge, results: Path, model: str, known: Sequence[str], max_file_mb: int = MAX_FILE_MB
) -> tuple[Any, dict[str, Any]]:
    """The gradio Blocks, and what its `launch` needs to look as it should.

    results: the folder for what visitors download; model: chosen at first; known: the names written in at first.
    """
    import gradio as gr

    page = _Page(judge, results, max_file_mb)
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
    look = {
        "theme": theme,
        "css": Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
        "js": "() => document.body.classList.remove('dark')",
    }
    return blocks, look


def _answered(handler: Callable[..., Update]) -> Callable[..., Update]:
    """A handler whose `OpenShapeError`s become a message on the page; what stood there before stays."""

    @functools.wraps(handler)
    def answer(page: _Page, *values: Any) -> Update:
        try:
            return handler(page, *values)
        except OpenShapeError as error:
            return {page.message: texts.message(str(error), refused=True), page.dropped: None}

    return answer


class _Page:
    """The components, as attributes, and the handlers: (values of components) -> {component: new value}."""

    def __init__(self, judge: Judge, results: Path, max_file_mb: int) -> None:
        self.judge = judge
        self.results = results
        self.max_file_mb = max_file_mb

    def lay_out(self, gr: Any, model: str, known: Sequence[str]) -> None:
        session = Session().with_names(", ".join(known))
        self.session = gr.State(session)
        self.verdict = gr.State(None)
        self.folder = gr.State("", delete_callback=remove_results)
        gr.HTML(texts.TITLE)
        with gr.Row(equal_height=False, elem_id="columns"):
            with gr.Column(scale=5, min_width=380):
                self._left(gr, session, model, known)
            with gr.Column(scale=7, min_width=480):
                self._right(gr)

    def _left(self, gr: Any, session: Session, model: str, known: Sequence[str]) -> None:
        self.dropped = gr.File(
            label=f"Drop a mesh or cloud, up to {self.max_file_mb} MB", height=112, elem_id="drop", type="filepath"
        )
        gr.HTML(f'<span class="formats">{texts.FORMATS}</span>')
        with gr.Row(elem_id="examples"):
            self.offered = {name: gr.Button(name, size="sm", min_width=60) for name in EXAMPLES}
        with gr.Row():
            label = "Known classes, with commas between them"
            self.names = gr.Textbox(", ".join(known), label=label, elem_id="names", max_lines=3, scale=5)
        with gr.Row():
            self.model = gr.Dropdown(
                list_checkpoints(), value=model, label="Encoder", min_width=84, elem_id="model", scale=4
            )
            self.method = gr.Dropdown(
                method_names(), value=AUTOMATIC, label="Method", min_width=110, elem_id="method", scale=5
            )
            self.up = gr.Dropdown(list(UPS), value="y", label="Up axis", min_width=70, elem_id="up", scale=3)
            self.origin = gr.Dropdown(
                list(ORIGINS), value=MODEL, label="Shape is a", min_width=120, scale=6, elem_id="origin"
            )
        self.score = gr.Button("Score", variant="primary", elem_id="score")
        self.known = gr.HTML(texts.known(session))
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
            *(self.compared, self.bars, self.known, self.names, self.owner, self.up, self.origin),
            *(self.cloud, self.figures),
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
        choices = [choice.input for choice in (self.model, self.method, self.up, self.origin)]
        gr.on([self.score.click, self.names.submit, *choices], self.on_score, settings, **common)
        self.add.click(self.on_add, [self.owner, self.session, self.up, self.verdict], **common)
        self.clear.click(self.on_clear, [self.session], **common)
        self.color.input(self.on_color, [self.verdict, self.color], **common)
        if opens_with_example:
            blocks.load(functools.partial(self.on_example, FIRST), settings, **common)

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
            self.message: texts.message(said),
            self.known: texts.known(session),
            self.owner: gr.update(choices=list(session.names), value=name),
        }

    @_answered
    def on_clear(self, session: Session) -> Update:
        session = session.without_examples()
        said = "The examples are removed; the classes are known by their names alone."
        return {self.session: session, self.message: texts.message(said), self.known: texts.known(session)}

    @_answered
    def on_color(self, verdict: Verdict | None, color: str) -> Update:
        return {} if verdict is None else {self.plot: _picture(verdict, color)}

    def _scored(
        self, session: Session, folder: str, names: str, model: str, method: str, up: str, origin: str, color: str
    ) -> Update:
        import gradio as gr

        session = session.with_names(names)
        verdict = self.judge.judge(session, model, method, up, origin)
        cloud, figures = save_results(verdict, session, self.results)
        remove_results(folder)  # of the shape before; gradio serves copies
        return {
            self.session: session,
            self.verdict: verdict,
            self.folder: str(cloud.parent),
            self.message: "",
            self.said: texts.verdict(verdict),
            self.color: gr.update(visible=True),
            self.plot: gr.update(value=_picture(verdict, color), visible=True),
            self.compared: texts.compared(verdict),
            self.bars: texts.bars(verdict),
            self.known: texts.known(session),
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
