"""The page: what happens on a click. The work is done in the modules beside it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from openshape_ood.app import texts
from openshape_ood.app.downloads import Shown, remove_results, save_results
from openshape_ood.app.examples import EXAMPLES, FIRST
from openshape_ood.app.judge import Judge
from openshape_ood.app.layout import Components, look
from openshape_ood.app.pictures import colors_of, turning
from openshape_ood.app.quotas import MAX_FILE_MB, SCORERS
from openshape_ood.app.reading import read_calibration, read_good, read_shapes
from openshape_ood.app.rooms import Room, generated, read_room
from openshape_ood.app.session import Session, Shape, parse_names
from openshape_ood.app.surfaces import Surface, compare, learn, read_surface
from openshape_ood.app.surfaces import generated as generated_surface
from openshape_ood.app.turns import Turns, Visitor, address
from openshape_ood.app.uploads import taken
from openshape_ood.app.verdicts import RoomVerdict, ShapeVerdict
from openshape_ood.app.views import Look, complete_look, read_look
from openshape_ood.app.views import generated as generated_view
from openshape_ood.app.visits import FORGOTTEN, Visit, Visits
from openshape_ood.errors import InputError, OpenShapeError, ShapeFileError

Update = dict[Any, Any]
Handler = Callable[..., Iterator[Update]]


def build(
    judge: Judge, results: Path, model: str, known: Sequence[str], max_file_mb: int = MAX_FILE_MB
) -> tuple[Any, dict[str, Any]]:
    """The gradio Blocks, and what its `launch` needs to look as it should.

    results: the folder for what visitors download; model: chosen at first; known: the names written in at first.
    """
    import gradio as gr

    begin = Session().with_names(", ".join(known))
    with gr.Blocks(
        title="openshape_ood: is it novel?",
        analytics_enabled=False,
        delete_cache=(300, 3600),  # seconds: how often files are looked through, and how old they may get
        fill_width=True,
    ) as blocks:
        components = Components(gr, begin, model, max_file_mb)
        page = _Page(components, judge, results, begin, max_file_mb)
        page.connect(gr, blocks, FIRST if model == "tiny" else None)
    return blocks, look(gr)


class _Page:
    """The handlers: (visit, visitor, values of components) -> updates {component: new value}, one after the other."""

    def __init__(self, on: Components, judge: Judge, results: Path, begin: Session, max_file_mb: int) -> None:
        self.on = on
        self.judge = judge
        self.results = results
        self.begin = begin
        self.max_bytes = max_file_mb * 2**20
        self.visits = Visits()
        self.turns = Turns(SCORERS)

    def connect(self, gr: Any, blocks: Any, first: str | None) -> None:
        on = self.on
        settings = [on.names, on.model, on.method, on.up, on.origin, on.color]
        found = [on.table, on.said, on.color, on.plot, on.compared, on.bars, on.cloud, on.figures]
        # private: there is no API; who may work at the same time is for `Turns` to say
        common: dict[str, Any] = {
            "outputs": [*found, *on.files, on.message, on.own, on.known, on.up, on.origin],
            "api_visibility": "private",
            "show_progress": "hidden",
            "concurrency_limit": None,
        }
        handler = functools.partial(self._handler, gr)
        on.dropped.upload(handler(self.on_drop), [on.dropped, *settings], **common)
        for name, button in on.offered.items():
            button.click(handler(functools.partial(self.on_example, name)), settings, **common)
        read = [on.room_up, on.unit, *settings]
        on.room.upload(handler(self.on_room), [on.room, *read], **common)
        for button, make, said in (
            (on.generated, generated, ""),
            (on.generated_view, generated_view, texts.COMPLETING),
            (on.generated_surface, generated_surface, texts.LEARNING),
        ):
            button.click(handler(functools.partial(self.on_generated, make, said)), settings, **common)
        on.look.upload(handler(self.on_view), [on.look, *settings], **common)
        on.good.upload(handler(self.on_good), [on.good, *settings], **common)
        on.surface.upload(handler(self.on_surface), [on.surface, *settings], **common)
        gr.on([on.room_up.input, on.unit.input], handler(self.on_reread), read, **common)
        choices = [choice.input for choice in (on.model, on.method, on.up, on.origin)]
        scoring = {**common, "trigger_mode": "always_last"}  # a choice made while something is scored counts too
        gr.on([on.score.click, on.names.submit, *choices], handler(self.on_score), settings, **scoring)
        on.calibration.upload(handler(self.on_calibrate), [on.calibration, *settings], **common)
        on.forget.click(handler(self.on_forget), settings, **common)
        on.color.input(handler(self.on_color), [on.color], **scoring)
        on.table.select(self._selected(gr), [on.color], **common)
        adding = {**common, "outputs": [*common["outputs"], on.names]}
        gr.on([on.add.click, on.owner.submit], handler(self.on_add), [on.owner, on.names, on.up], **adding)
        on.clear.click(handler(self.on_clear), [], **common)
        blocks.load(handler(functools.partial(self.on_open, first), opens=True), settings, **common)

    def _handler(self, gr: Any, act: Handler, opens: bool = False) -> Handler:
        def answer(request: Any, *values: Any) -> Iterator[Update]:
            yield from self._answered(act, request, values, opens)

        answer.__annotations__["request"] = gr.Request  # by which gradio knows to give it
        return answer

    def _selected(self, gr: Any) -> Handler:
        def answer(request: Any, event: Any, color: str) -> Iterator[Update]:
            yield from self._answered(self.on_show, request, (event.index, color), False)

        answer.__annotations__.update(request=gr.Request, event=gr.SelectData)
        return answer

    def _answered(self, act: Handler, request: Any, values: Sequence[Any], opens: bool) -> Iterator[Update]:
        """The updates of a handler; its `OpenShapeError`s become a message, and what stood there before stays."""
        visitor = Visitor(address(request.client.host if request.client else None), str(request.session_hash))
        visit, known = self.visits.of(visitor, self.begin)
        told = {} if known or opens else {self.on.message: texts.message(FORGOTTEN, refused=True)}
        try:
            for update in act(visit, visitor, *values):
                yield update | told
        except OpenShapeError as error:
            refused = {self.on.message: texts.message(str(error), refused=True), self.on.said: visit.said} | told
            yield refused | dict.fromkeys(self.on.files)

    def on_open(self, first: str | None, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        if first is not None:
            yield from self.on_example(first, visit, visitor, *settings)

    def on_drop(self, visit: Visit, visitor: Visitor, paths: list[str] | None, *settings: Any) -> Iterator[Update]:
        shapes, failures = yield from self._read(paths, visitor)
        if not shapes:
            raise ShapeFileError("; ".join(failure.error for failure in failures[:3]) or "there is no file")
        visit.put_shapes(shapes, failures)
        yield {**self._scored(visit, visitor, *settings), self.on.dropped: None}

    def on_example(self, name: str, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        yield self._working()
        names, model, method, _, _, color = settings
        offered = EXAMPLES[name]
        visit.put_shapes([Shape(name, offered.make(), "generated", "y")])
        update = self._scored(visit, visitor, names, model, method, "file", offered.origin, color)
        yield {**update, self.on.up: "file", self.on.origin: offered.origin}

    def on_room(
        self, visit: Visit, visitor: Visitor, path: str | None, up: str, unit: str, *settings: Any
    ) -> Iterator[Update]:
        yield self._working(texts.READING)
        visit.file = path or ""  # after a refusal it is read again with another axis or unit
        with taken([visit.file]) as (file,):
            visit.put(read_room(file, visitor, up, unit, max_bytes=self.max_bytes), visit.file)
        yield {**self._scored(visit, visitor, *settings), self.on.room: None}

    def on_reread(self, visit: Visit, visitor: Visitor, *read: Any) -> Iterator[Update]:
        if visit.file:
            yield from self.on_room(visit, visitor, visit.file, *read)

    def on_view(self, visit: Visit, visitor: Visitor, paths: list[str] | None, *settings: Any) -> Iterator[Update]:
        yield self._working(texts.COMPLETING)
        with taken(paths or []) as files:
            visit.put(read_look(files, visitor, max_bytes=self.max_bytes))
        yield {**self._scored(visit, visitor, *settings), self.on.look: None}

    def on_good(self, visit: Visit, visitor: Visitor, paths: list[str] | None, *settings: Any) -> Iterator[Update]:
        clouds = yield from self._read(paths, visitor, read_good)
        yield self._working(texts.LEARNING)
        with self.turns.turn(visitor):
            visit.good = good = learn(clouds)
        visit.put(visit.held if isinstance(visit.held, Surface) else None)
        again = self._scored_again(visit, visitor, *settings)
        yield {**(again or self._told(visit, None, texts.learned(good))), self.on.good: None}

    def on_surface(self, visit: Visit, visitor: Visitor, path: str | None, *settings: Any) -> Iterator[Update]:
        if visit.good is None:
            raise InputError("there is nothing yet to compare it with; drop good clouds first")
        yield self._working(texts.COMPARING)
        with taken([path or ""]) as (file,):
            visit.put(read_surface(file, visitor, max_bytes=self.max_bytes))
        yield {**self._scored(visit, visitor, *settings), self.on.surface: None}

    def on_generated(
        self, make: Callable[[], Any], said: str, visit: Visit, visitor: Visitor, *settings: Any
    ) -> Iterator[Update]:
        """make: a room or a view, or good surfaces and one to compare."""
        yield self._working(said)
        with self.turns.turn(visitor):
            made = make()
        if isinstance(made, tuple):
            visit.good, made = made
        visit.put(made)
        yield self._scored(visit, visitor, *settings)

    def on_score(self, visit: Visit, visitor: Visitor, *settings: Any) -> Iterator[Update]:
        yield self._working()
        yield self._scored(visit, visitor, *settings)

    def on_calibrate(self, visit: Visit, visitor: Visitor, paths: list[str] | None, *settings: Any) -> Iterator[Update]:
        calibration, failures = yield from self._read(paths, visitor, read_calibration)
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
            up = verdict.result.up[visit.session.shown]  # as it stands on the page
        visit.session = session = visit.session.with_names(names).with_example(owner or "", up)
        name, example = session.examples[-1]
        count = len(session.of(name))
        said = (
            f"{example.name} is now an example of {name}, which has {count}; what is scored next is compared with it."
        )
        update = {self.on.message: texts.message(said), self.on.known: texts.known(session)}
        if name not in parse_names(names):
            update[self.on.names] = f"{names.rstrip(', ;')}, {name}"
        yield update

    def on_clear(self, visit: Visit, visitor: Visitor) -> Iterator[Update]:
        visit.session = visit.session.without_examples()
        said = "The examples are removed; the classes are known by their names alone."
        yield {self.on.message: texts.message(said), self.on.known: texts.known(visit.session)}

    def on_color(self, visit: Visit, visitor: Visitor, color: str) -> Iterator[Update]:
        if visit.verdict is not None:
            files = self._saved(visit, visit.verdict, color) if isinstance(visit.verdict, RoomVerdict) else {}
            yield {self.on.plot: turning(visit.verdict, color), **files}

    def on_show(self, visit: Visit, visitor: Visitor, place: Any, color: str) -> Iterator[Update]:
        verdict = visit.verdict
        if verdict is None or not isinstance(place, int) or not 0 <= place < len(verdict.session.shapes):
            raise InputError("that shape is no longer on the page; drop it again")
        yield {self.on.said: texts.working()}
        with self.turns.turn(visitor):
            verdict = self.judge.show(verdict, place)
        visit.session = replace(visit.session, shown=place)
        yield self._told(visit, verdict, color=color)

    def _working(self, done: str = "") -> Update:
        return {self.on.said: texts.working(done), self.on.message: ""}

    def _read(self, paths: list[str] | None, visitor: Visitor, read: Any = read_shapes) -> Generator[Update, None, Any]:
        """What `read` makes of dropped files; shows how many are done."""
        yield self._working()
        done = read(paths or [], visitor, self.max_bytes)
        try:
            while True:
                yield self._working(next(done))
        except StopIteration as stop:
            return stop.value

    def _scored_again(self, visit: Visit, visitor: Visitor, *settings: Any) -> Update:
        there = visit.session.shapes or visit.held is not None
        return self._scored(visit, visitor, *settings) if there else {}

    def _scored(
        self, visit: Visit, visitor: Visitor, names: str, model: str, method: str, up: str, origin: str, color: str
    ) -> Update:
        found: Shown
        with self.turns.turn(visitor):
            visit.session, held = visit.session.with_names(names), visit.held
            if isinstance(held, Look):
                found = complete_look(held, visit.session.names)
            elif isinstance(held, Surface) and visit.good is not None:
                found = compare(held, visit.good)
            elif isinstance(held, Room):
                found = self.judge.judge_room(held, visit.session, model, method, up)
                visit.session = found.session
            else:
                found = self.judge.judge(visit.session, model, method, up, origin)
            return self._told(visit, found, color=color)

    def _told(self, visit: Visit, found: Shown | None, said: str = "", color: str = "") -> Update:
        """What was found and its picture, or words alone."""
        import gradio as gr

        table = below = bars = ""
        before, offered = visit.verdict, {} if found is None else colors_of(found)
        color = color if color in offered else "novelty"
        picked: dict[str, Any] = {"value": color, **({"choices": list(offered)} if offered else {})}
        if offered and before is not None and colors_of(before) is offered:
            picked = {}  # it stays as the visitor has it
        if found is None:
            shown = dict.fromkeys((self.on.plot, self.on.cloud, self.on.figures), gr.update(visible=False))
        else:
            said, table, below, bars = texts.parts(found)
            shown = self._saved(visit, found, color)
            shown[self.on.plot] = gr.update(value=turning(found, color), visible=True)
        visit.said, visit.verdict = said, found if isinstance(found, ShapeVerdict | RoomVerdict) else None
        return {
            **shown,
            self.on.message: "",
            self.on.table: table,
            self.on.said: said,
            self.on.color: gr.update(visible=bool(offered), **picked),
            self.on.compared: below,
            self.on.bars: bars,
            self.on.known: texts.known(visit.session),
        }

    def _saved(self, visit: Visit, found: Shown, color: str) -> Update:
        import gradio as gr

        cloud, figures = save_results(found, self.results, color)
        remove_results(visit.folder)  # of the shape before; gradio serves copies
        visit.folder = str(cloud.parent)
        return {
            self.on.cloud: gr.update(value=str(cloud), visible=True),
            self.on.figures: gr.update(value=str(figures), visible=True),
        }
