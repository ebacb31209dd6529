"""Layout of the page: components, theme and style."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openshape_ood.app import scan_tab, surface_tab, texts, view_tab
from openshape_ood.app.pictures import COLORS
from openshape_ood.app.pipelines import AUTOMATIC, method_names
from openshape_ood.app.session import Session
from openshape_ood.app.shape_tab import EXAMPLES
from openshape_ood.app.verdicts import MODEL, ORIGINS
from openshape_ood.registry.rows import list_checkpoints
from openshape_ood.scenes.files import UNITS
from openshape_ood.shapes.batches import AUTO
from openshape_ood.shapes.points import UPS

SCAN_AXES = [("from file, else z", "file"), *((axis, axis) for axis in UPS)]
SCAN_UNITS = [("from file, else meters", "file"), *((unit, unit) for unit in UNITS)]
AXES = [
    ("from file, else y", "file"),
    ("auto: the axis that best fits the known classes", AUTO),
    *((axis, axis) for axis in UPS),
]
# JavaScript. LOADED: the class input suggests the known classes. CLICKED: a clicked row sends the index of its shape
LOADED = "() => document.querySelector('#owner input, #owner textarea').setAttribute('list', 'classes')"
CLICKED = """element.addEventListener('click', event => {
    const row = event.target.closest('button[data-place]');
    if (row) trigger('select', {index: Number(row.dataset.place), value: null});
});"""


def look(gr: Any) -> dict[str, Any]:
    """Arguments of gradio's `launch` for theme, style sheet and script."""
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
        # every text has a contrast of at least 4.5 : 1 with its background
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
    )
    css = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return {"theme": theme, "css": css, "js": LOADED}


class Components:
    """The components of the page, as attributes."""

    def __init__(self, gr: Any, session: Session, model: str, max_file_mb: int) -> None:
        gr.HTML(texts.TITLE, elem_id="title")
        with gr.Row(equal_height=False, elem_id="columns"):
            with gr.Column(scale=5, min_width=320):
                self._inputs(gr, max_file_mb)
                self._settings(gr, session.names, model)
                self._known(gr, session)
                self._decision(gr)
            with gr.Column(scale=7, min_width=320):
                self._answer(gr)

    @property
    def zones(self) -> list[Any]:
        """Upload areas, which are cleared after reading."""
        return [self.dropped, self.scan, self.view, self.good, self.surface, self.calibration]

    def _inputs(self, gr: Any, most: int) -> None:
        """Add the tabs for inputs. most: maximum size of a file in MB."""
        with gr.Tabs(elem_id="kinds", elem_classes="second"):
            with gr.Tab("Shapes"):
                self.dropped = _drop(gr, f"Meshes or point clouds, up to {most} MB", "drop", file_count="multiple")
                with gr.Column(elem_id="offered"):
                    _formats(gr, texts.FORMATS)
                    with gr.Row(elem_id="examples"):
                        self.examples = {name: gr.Button(name, size="sm", min_width=60) for name in EXAMPLES}
            with gr.Tab("A room", elem_id="kind-room"):
                self.scan = _drop(gr, f"A scan of a room, up to {most} MB", "drop-room")
                _formats(gr, texts.FORMATS)
                with gr.Row(elem_id="of-room"):
                    self.scan_up = _choice(gr, SCAN_AXES, "file", "Up axis", "room-up", 100)
                    self.unit = _choice(gr, SCAN_UNITS, "file", "Unit", "unit", 100)
                self.generated_scan = gr.Button(scan_tab.GENERATED, size="sm", elem_id="room-example")
            with gr.Tab("A view", elem_id="kind-view"):
                label = f"Image, depth image and camera, up to {most} MB each"
                self.view = _drop(gr, label, "drop-view", file_count="multiple")
                _formats(gr, texts.FORMATS_OF_VIEWS)
                self.generated_view = gr.Button(view_tab.GENERATED, size="sm", elem_id="view-example")
            with gr.Tab("A surface", elem_id="kind-surface"):
                label = f"1. Point clouds of good surfaces, up to {most} MB each"
                self.good = _drop(gr, label, "drop-good", 96, file_count="multiple")
                label = f"2. The point cloud to check, up to {most} MB"
                self.surface = _drop(gr, label, "drop-surface", 96)
                _formats(gr, texts.FORMATS_OF_SURFACES)
                self.generated_surface = gr.Button(surface_tab.GENERATED, size="sm", elem_id="surface-example")

    def _settings(self, gr: Any, names: Sequence[str], model: str) -> None:
        label = "Known classes, separated by commas"
        self.names = gr.Textbox(", ".join(names), label=label, elem_id="names", max_lines=3)
        with gr.Row(elem_id="settings"):
            offered = dict.fromkeys([*list_checkpoints(), model])  # the model may be an ensemble
            models = [(f"{name} (toy encoder)" if name == "tiny" else name, name) for name in offered]
            self.model = _choice(gr, models, model, "Encoder", "model")
            self.method = _choice(gr, method_names(), AUTOMATIC, "Method", "method")
            self.up = _choice(gr, AXES, "file", "Up axis (scans: often z)", "up")
            self.origin = _choice(gr, list(ORIGINS), MODEL, "Kind of shape", "origin")
        self.score = gr.Button("Score", variant="primary", elem_id="score")

    def _known(self, gr: Any, session: Session) -> None:
        self.known = gr.HTML(texts.known(session), elem_id="classes-known")
        with gr.Row(elem_id="adding"):
            # no handler changes this text, so that typing during scoring is not lost
            self.owner = gr.Textbox(
                label="Class of the shape, known or new",
                placeholder="lamp",
                elem_id="owner",
                min_width=160,
                max_lines=1,
                scale=2,
            )
            self.add = gr.Button("Add as example", elem_id="add", min_width=100, size="sm")
            self.clear = gr.Button("Remove examples", elem_id="clear", min_width=100, size="sm")

    def _decision(self, gr: Any) -> None:
        with gr.Accordion("Calibrate on your own shapes", open=False, elem_id="decision"):
            label = "Known shapes, or a saved threshold (.json)"
            self.calibration = _drop(gr, label, "calibrate", file_count="multiple")
            _formats(gr, texts.CALIBRATION)
            self.own = gr.HTML("")
            self.forget = gr.Button("Remove calibration", elem_id="forget", size="sm")

    def _answer(self, gr: Any) -> None:
        self.message = gr.HTML("", elem_id="notice", elem_classes="first")
        self.table = gr.HTML("", js_on_load=CLICKED, elem_id="ranking", elem_classes="result")
        self.headline = gr.HTML(texts.FIRST, elem_id="answer", elem_classes="first")
        result: dict[str, Any] = {"elem_classes": "result", "container": False, "visible": False}
        self.color = gr.Radio(list(COLORS), value="novelty", label="Colored by", elem_id="color", **result)
        self.plot = gr.Plot(show_label=False, elem_id="plot", **result)
        self.compared = gr.HTML("", elem_id="comparing", elem_classes="result")
        self.bars = gr.HTML("", elem_id="nearest", elem_classes="result")
        with gr.Row(elem_id="downloads", elem_classes="result"):
            self.cloud = gr.DownloadButton("Colored PLY", visible=False, elem_id="ply", size="md")
            self.figures = gr.DownloadButton("Values as JSON", visible=False, elem_id="json", size="md")


def _drop(gr: Any, label: str, name: str, height: int = 112, **more: Any) -> Any:
    """An upload area."""
    return gr.File(label=label, height=height, elem_id=name, elem_classes="drop", type="filepath", **more)


def _formats(gr: Any, text: str) -> None:
    gr.HTML(f'<span class="formats">{text}</span>')


def _choice(gr: Any, choices: Sequence[Any], value: str, label: str, name: str, min_width: int = 120) -> Any:
    return gr.Dropdown(choices, value=value, label=label, min_width=min_width, elem_id=name)
