"""Handlers of the page. Each handler yields updates, as {component: new value}."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from openshape_ood.app import scan_tab, surface_tab, texts, view_tab
from openshape_ood.app.downloads import Shown, remove_results, save_results
from openshape_ood.app.fair_queue import FairQueue, Visitor, address
from openshape_ood.app.layout import Components, look
from openshape_ood.app.pictures import colors_of, turning
from openshape_ood.app.pipelines import Pipelines
from openshape_ood.app.quotas import MAX_FILE_MB, SCORERS
from openshape_ood.app.scan_tab import ScanInput, read_scan
from openshape_ood.app.session import Session, Shape, parse_names
from openshape_ood.app.session_store import FORGOTTEN, SessionStore, Visit
from openshape_ood.app.shape_tab import EXAMPLES, FIRST, read_calibration, read_each, read_shape
from openshape_ood.app.surface_tab import SurfaceInput, compare, learn, read_surface
from openshape_ood.app.uploads import taken
from openshape_ood.app.verdicts import ScanVerdict, ShapeVerdict
from openshape_ood.app.view_tab import ViewInput, complete, read_view
from openshape_ood.errors import InputError, OpenShapeError
from openshape_ood.novelty.generated import MODELS

Update = dict[Any, Any]
Handler = Callable[..., Iterator[Update]]


def build(
    pipelines: Pipelines, results: Path, model: str, known: Sequence[str], max_file_mb: int = MAX_FILE_MB
) -> tuple[Any, dict[str, Any]]:
    """The page as gradio Blocks, and the arguments of `launch` for theme and style.

    results: folder of downloads. model: initial checkpoint. known: initial class names.
    """
    import gradio as gr

    # without this, gradio serves copies, and `delete_cache` deletes a copy that a visitor may still download
    gr.set_static_paths([results])
    begin = Session().with_names(", ".join(known))
    with gr.Blocks(
        title="openshape_ood: is it novel?",
        analytics_enabled=False,
        delete_cache=(60, 600),  # seconds: interval of the cleanup, and age at which uploads are deleted
        fill_width=True,
    ) as blocks:
        components = Components(gr, begin, model, max_file_mb)
        page = _Page(gr, components, pipelines, results, begin, max_file_mb)
        page.connect(blocks, FIRST if model in MODELS else None)
    return blocks, look(gr)


class _Page:
    """Handlers of the page. Each `on_...` takes a visit, a visitor and the values of components, and yields updates."""

    def __init__(
        self, gr: Any, on: Components, pipelines: Pipelines, results: Path, begin: Session, max_file_mb: int
    ) -> None:
        self.gr = gr
        self.on = on
        self.pipelines = pipelines
        self.results = results
        self.begin = begin
        self.max_bytes = max_file_mb * 2**20
        self.store = SessionStore()
        self.queue = FairQueue(SCORERS)

    def connect(self, blocks: Any, first: str | None) -> None:
        gr, on = self.gr, self.on
        settings = [on.names, on.model, on.method, on.up, on.origin, on.color]
        answer = [on.table, on.headline, on.color, on.plot, on.compared, on.bars, on.cloud, on.figures]
        # `Guard` replaces gradio's validation of values, and `FairQueue` replaces its limit of parallel work. Handlers
        # are private: gradio's API does not list them
        common: dict[str, Any] = {
            "outputs": [*answer, *on.zones, on.message, on.own, on.known, on.up, on.origin],
            "api_visibility": "private",
            "preprocess": False,
            "show_progress": "hidden",
            "concurrency_limit": None,
        }
        # if a visitor changes a choice during scoring, scoring starts again afterwards
        scoring = {**common, "trigger_mode": "always_last"}

        def handler(act: Callable[..., Iterator[Update]], *given: Any, opens: bool = False) -> Handler:
            def run(request: Any, *values: Any) -> Iterator[Update]:
                yield from self._answered(functools.partial(act, *given), request, values, opens)

            run.__annotations__["request"] = gr.Request  # makes gradio pass the request
            return run

        def clicked(request: Any, event: Any, color: str) -> Iterator[Update]:
            yield from self._answered(self.on_show, request, (event.index, color), False)

        clicked.__annotations__.update(request=gr.Request, event=gr.SelectData)
        scan_settings = [on.scan_up, on.unit, *settings]
        on.scan.upload(handler(self.on_scan), [on.scan, *scan_settings], **common)
        gr.on([on.scan_up.input, on.unit.input], handler(self.on_scan_again), scan_settings, **common)
        for zone, act in (
            (on.dropped, self.on_drop),
            (on.view, self.on_view),
            (on.good, self.on_good),
            (on.surface, self.on_surface),
            (on.calibration, self.on_calibrate),
        ):
            zone.upload(handler(act), [zone, *settings], **common)
        for button, make, note in (
            (on.generated_scan, scan_tab.generated, ""),
            (on.generated_view, view_tab.generated, texts.COMPLETING),
            (on.generated_surface, surface_tab.generated, texts.LEARNING),
        ):
            button.click(handler(self.on_generated, make, note), settings, **common)
        for name, button in on.examples.items():
            button.click(handler(self.on_example, name), settings, **common)
        choices = [choice.input for choice in (on.model, on.method, on.up, on.origin)]
        gr.on([on.score.click, on.names.submit, *choices], handler(self.on_score), settings, **scoring)
        on.forget.click(handler(self.on_forget), settings, **common)
        on.color.input(handler(self.on_color), [on.color], **scoring)
        on.table.select(clicked, [on.color], **common)
        adding = {**common, "outputs": [*common["outputs"], on.names]}
        gr.on([on.add.click, on.owner.submit], handler(self.on_add), [on.owner, on.names, on.up], **adding)
        on.clear.click(handler(self.on_clear), [], **common)
        blocks.load(handler(self.on_open, first, opens=True), settings, **common)

    def _answered(self, act: Handler, request: Any, values: Sequence[Any], opens: bool) -> Iterator[Update]:
        """Updates of a handler. An `OpenShapeError` becomes a message, and the previous result stays on the page."""
        visitor = Visitor(address(request.client.host if request.client else None), str(request.session_hash))
        visit, known = self.store.of(visitor, self.begin)
        note = {} if known or opens else {self.on.message: texts.message(FORGOTTEN, refused=True)}
        try:
            for update in act(visit, visitor, *values):
                yield update | note
        except OpenShapeError as error:
            refused = {self.on.message: texts.message(str(error), refused=True), self.on.headline: visit.headline}
            yield refused | note | dict.fromkeys(self.on.zones)

    def on_open(self, first: str | None, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        if first is not None:
            yield from self.on_example(first, visit, visitor, *settings)

    def on_example(self, name: str, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        yield self._working()
        names, model, method, _, _, color = settings
        example = EXAMPLES[name]
        visit.put_shapes([Shape(name, example.make(), "generated", "y")])
        update = self._scored(visit, visitor, names, model, method, "file", example.origin, color)
        yield {**update, self.on.up: "file", self.on.origin: example.origin}

    def on_drop(self, visit: Visit, visitor: Visitor, files: Any, *settings: Any) -> Iterator[Update]:
        visit.put_shapes(*(yield from self._read(read_each(paths(files), self._read_one(read_shape, visitor)))))
        yield {**self._scored(visit, visitor, *settings), self.on.dropped: None}

    def on_scan(
        self, visit: Visit, visitor: Visitor, file: Any, up: str, unit: str, *settings: Any
    ) -> Iterator[Update]:
        visit.file = "".join(paths(file))  # stored, so that the visitor can try another axis or unit after an error
        read = functools.partial(read_scan, up=up, unit=unit)
        yield from self._on_input(visit, visitor, visit.file, read, texts.READING, settings)

    def on_scan_again(self, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        if visit.file:
            yield from self.on_scan(visit, visitor, {"path": visit.file}, *settings)

    def on_surface(self, visit: Visit, visitor: Visitor, file: Any, *settings: Any) -> Iterator[Update]:
        if visit.good is None:
            raise InputError(
                "there are no good clouds to compare with. Expected good clouds before the cloud to check. "
                "Drop good clouds first."
            )
        yield from self._on_input(visit, visitor, "".join(paths(file)), read_surface, texts.COMPARING, settings)

    def _on_input(
        self, visit: Visit, visitor: Visitor, path: str, read: Any, note: str, settings: Sequence[Any]
    ) -> Iterator[Update]:
        """Read a scan or a surface and score it."""
        yield self._working(note)
        with taken([path]) as (file,):
            given = read(file, visitor, max_bytes=self.max_bytes)
        visit.put(given, path if isinstance(given, ScanInput) else "")
        yield {**self._scored(visit, visitor, *settings), self.on.scan: None, self.on.surface: None}

    def on_view(self, visit: Visit, visitor: Visitor, files: Any, *settings: Any) -> Iterator[Update]:
        yield self._working(texts.COMPLETING)
        with taken(paths(files)) as links:
            visit.put(read_view(links, visitor, max_bytes=self.max_bytes))
        yield {**self._scored(visit, visitor, *settings), self.on.view: None}

    def on_good(self, visit: Visit, visitor: Visitor, files: Any, *settings: Any) -> Iterator[Update]:
        read = read_each(paths(files), self._read_one(read_surface, visitor), strict=True)
        clouds, _ = yield from self._read(read)
        yield self._working(texts.LEARNING)
        with self.queue.slot(visitor):
            visit.good = good = learn(clouds)
        visit.put(visit.input if isinstance(visit.input, SurfaceInput) else None)
        again = self._scored_again(visit, visitor, *settings)
        yield {**(again or self._show(visit, None, texts.learned(good))), self.on.good: None}

    def on_generated(
        self, make: Callable[[], Any], note: str, visit: Visit, visitor: Visitor, *settings: Any
    ) -> Iterator[Update]:
        """Show generated data. make: returns a scan, a view, or a pair of good surfaces and the surface to check."""
        yield self._working(note)
        with self.queue.slot(visitor):
            made = make()
        if isinstance(made, tuple):
            visit.good, made = made
        visit.put(made)
        yield self._scored(visit, visitor, *settings)

    def on_score(self, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        yield self._working()
        yield self._scored(visit, visitor, *settings)

    def on_calibrate(self, visit: Visit, visitor: Visitor, files: Any, *settings: Any) -> Iterator[Update]:
        read = read_calibration(paths(files), self._read_one(read_shape, visitor), visitor)
        calibration, failures = yield from self._read(read)
        visit.session = replace(visit.session, calibration=calibration)
        yield {
            **self._scored_again(visit, visitor, *settings),
            self.on.calibration: None,
            self.on.own: texts.calibration(calibration, failures),
        }

    def on_forget(self, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        visit.session = replace(visit.session, calibration=None)
        yield {**self._scored_again(visit, visitor, *settings), self.on.own: ""}

    def on_add(self, visit: Visit, visitor: Visitor, owner: str | None, names: str, up: str) -> Iterator[Update]:
        verdict = visit.verdict
        if verdict is not None and verdict.session.shapes is visit.session.shapes:
            up = verdict.result.up[visit.session.shown]  # the axis that the page shows
        visit.session = session = visit.session.with_names(names).with_example(owner or "", up)
        name, example = session.examples[-1]
        count = len(session.of(name))
        text = f"{example.name} is now an example of {name} ({count} in total). The next scoring uses it."
        update = {self.on.message: texts.message(text), self.on.known: texts.known(session)}
        if name not in parse_names(names):
            update[self.on.names] = f"{names.rstrip(', ;')}, {name}"
        yield update

    def on_clear(self, visit: Visit, visitor: Visitor) -> Iterator[Update]:
        visit.session = visit.session.without_examples()
        text = "All examples are removed. The classes are known by their names only."
        yield {self.on.message: texts.message(text), self.on.known: texts.known(visit.session)}

    def on_color(self, visit: Visit, visitor: Visitor, color: str) -> Iterator[Update]:
        if visit.verdict is not None:
            files = self._saved(visit, visit.verdict, color) if isinstance(visit.verdict, ScanVerdict) else {}
            yield {self.on.plot: turning(visit.verdict, color), **files}

    def on_show(self, visit: Visit, visitor: Visitor, place: Any, color: str) -> Iterator[Update]:
        verdict = visit.verdict
        if verdict is None or not isinstance(place, int) or not 0 <= place < len(verdict.session.shapes):
            raise InputError(
                "this shape is no longer on the page. Expected a shape of the current result. Drop its file again."
            )
        yield {self.on.headline: texts.working()}
        with self.queue.slot(visitor):
            verdict = self.pipelines.show(verdict, place)
        visit.session = replace(visit.session, shown=place)
        yield self._show(visit, verdict, color=color)

    def _working(self, done: str = "") -> Update:
        return {self.on.headline: texts.working(done), self.on.message: ""}

    def _read(self, reading: Generator[str, None, Any]) -> Generator[Update, None, Any]:
        """Read dropped files and show the progress. Returns the result of `reading`."""
        yield self._working()
        try:
            while True:
                yield self._working(next(reading))
        except StopIteration as stop:
            return stop.value

    def _read_one(self, read: Callable[..., Any], visitor: Visitor) -> Callable[[Path], Any]:
        return functools.partial(read, visitor=visitor, max_bytes=self.max_bytes)

    def _scored_again(self, visit: Visit, visitor: Visitor, *settings: Any) -> Update:
        has_input = visit.session.shapes or visit.input is not None
        return self._scored(visit, visitor, *settings) if has_input else {}

    def _scored(
        self, visit: Visit, visitor: Visitor, names: str, model: str, method: str, up: str, origin: str, color: str
    ) -> Update:
        shown: Shown
        with self.queue.slot(visitor):
            visit.session, given = visit.session.with_names(names), visit.input
            if isinstance(given, ViewInput):
                shown = complete(given, visit.session.names, chosen=visit.session.names != self.begin.names)
            elif isinstance(given, SurfaceInput) and visit.good is not None:
                shown = compare(given, visit.good)
            elif isinstance(given, ScanInput):
                shown = self.pipelines.score_scan(given, visit.session, model, method)
                visit.session = shown.session
            else:
                shown = self.pipelines.score(visit.session, model, method, up, origin)
            return self._show(visit, shown, color=color)

    def _show(self, visit: Visit, shown: Shown | None, headline: str = "", color: str = "") -> Update:
        """Show a result with its text and picture. Without a result, show only the HTML `headline`."""
        gr = self.gr
        table = below = bars = ""
        before, colors = visit.verdict, {} if shown is None else colors_of(shown)
        color = color if color in colors else "novelty"
        picked: dict[str, Any] = {"value": color, **({"choices": list(colors)} if colors else {})}
        if colors and before is not None and colors_of(before) is colors:
            picked = {}  # keeps the visitor's choice
        if shown is None:
            update = dict.fromkeys((self.on.plot, self.on.cloud, self.on.figures), gr.update(visible=False))
        else:
            headline, table, below, bars = texts.parts(shown)
            update = self._saved(visit, shown, color)
            update[self.on.plot] = gr.update(value=turning(shown, color), visible=True)
        visit.headline, visit.verdict = headline, shown if isinstance(shown, ShapeVerdict | ScanVerdict) else None
        return {
            **update,
            self.on.message: "",
            self.on.table: table,
            self.on.headline: headline,
            self.on.color: gr.update(visible=bool(colors), **picked),
            self.on.compared: below,
            self.on.bars: bars,
            self.on.known: texts.known(visit.session),
        }

    def _saved(self, visit: Visit, shown: Shown, color: str) -> Update:
        gr = self.gr
        cloud, figures = save_results(shown, self.results, color)
        visit.folders.append(cloud.parent)
        for old in visit.folders[:-2]:  # the previous result stays, because the browser may still download it
            remove_results(old)
        visit.folders = visit.folders[-2:]
        return {
            self.on.cloud: gr.update(value=str(cloud), visible=True),
            self.on.figures: gr.update(value=str(figures), visible=True),
        }


def paths(files: Any) -> list[str]:
    """Paths of uploaded files, from gradio's description of one or several files."""
    listed = files if isinstance(files, list) else [files] if files else []
    return [file["path"] for file in listed]
