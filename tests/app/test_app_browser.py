"""The page in a real browser, headless Chromium, on `tiny`.

With OPENSHAPE_OOD_SCREENSHOTS=1 in the environment it renews docs/images/app-*.png; OPENSHAPE_OOD_WAIT=600 gives a
machine that is very busy 600 s for each answer.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hostile_uploads
import httpx
import numpy as np
import pytest
from page_server import Server, serving
from PIL import Image

from openshape_ood import load_shape
from openshape_ood.synthetic import sample
from openshape_ood.synthetic.planted import plant
from openshape_ood.synthetic.roads import road_scan
from openshape_ood.synthetic.views import room_view
from openshape_ood.views import save_view
from openshape_ood.views.affinities import Affinities

playwright_api = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome in PATH"),
    pytest.mark.skipif(find_spec("gradio") is None, reason="the page needs the extra [app]"),
]

# milliseconds, on a busy machine; all of it is done in a few seconds on a quiet one
WAIT = 1000 * int(os.environ.get("OPENSHAPE_OOD_WAIT", "60"))
MOST_GROWTH = 200 * 2**20
SHOWN = 300  # pixels of the page, from the top, after each hostile upload
DROP = """([zone, files]) => {
    const carried = new DataTransfer();
    for (const [name, content] of files)
        carried.items.add(new File([Uint8Array.from(atob(content), c => c.charCodeAt(0))], name));
    zone.dispatchEvent(new DragEvent('drop', {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""

WATCH = """() => {
    const place = document.querySelector('#answer .prose');
    window.stood = [];
    new MutationObserver(() => window.stood.push(place.innerText.trim()))
        .observe(place, {childList: true, subtree: true});
}"""

DROP_LARGE = """zone => {
    const carried = new DataTransfer();
    carried.items.add(new File([new Uint8Array(101 * 2 ** 20)], 'hall.npy'));
    zone.dispatchEvent(new DragEvent('drop', {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright_api.sync_playwright() as driver:
        # WebGL alone is drawn as a GPU would; a whole page so takes the processor three times as long
        flags = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Visitor:
    """A browser tab of its own, and what it asked for."""

    def __init__(self, chromium: Any, address: str, width: int = 1280, scheme: str = "light") -> None:
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self.page = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
        self.page.set_default_timeout(WAIT)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.goto(address)
        self.sees("#verdict", "chair with a guitar for a back")

    def drop(self, *paths: Path, place: str = "#drop") -> None:
        files = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths]
        self.page.evaluate(DROP, [self.zone(place), files])

    def zone(self, place: str = "#drop") -> Any:
        """The element that files are dropped on."""
        return self.page.locator(f"{place} button[aria-dropeffect]").first.element_handle()

    def looks_right(self, tmp_path: Path, *places: str, least: int = 60) -> None:
        """Whether all can be read in both schemes, and on a phone the places stand below each other and fit."""
        page = self.page
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.locator(f"body{'.dark' if scheme == 'dark' else ':not(.dark)'}").wait_for()
            page.wait_for_timeout(1500)  # colors fade
            assert unreadable(self, least) == []
            page.screenshot(path=tmp_path / f"{scheme}.png", full_page=True)
        page.set_viewport_size({"width": 400, "height": 900})
        tops = [page.locator(place).bounding_box()["y"] for place in places]
        page.screenshot(path=tmp_path / "phone.png", full_page=True)
        assert tops == sorted(tops) and page.evaluate("document.documentElement.scrollWidth") <= 400

    def sees(self, place: str, text: str) -> str:
        """Wait until a text stands in a place; the whole text there."""
        self.page.locator(place, has_text=text).first.wait_for()
        return self.page.locator(place).first.inner_text()

    def sees_a_picture(self) -> None:
        self.page.locator("#plot canvas").first.wait_for()

    def download(self, button: str, folder: Path) -> Path:
        with self.page.expect_download() as waited:
            self.page.locator(button).click()
        path = folder / waited.value.suggested_filename
        waited.value.save_as(path)
        return path

    def screenshot(self, height: int = 900) -> Image.Image:
        self.page.wait_for_timeout(1500)  # the last frame of the picture, the last fade
        shown = self.page.screenshot(clip={"x": 0, "y": 0, "width": 1280, "height": height})
        return Image.open(io.BytesIO(shown)).convert("RGB")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One for all tests here."""
    with tempfile.TemporaryDirectory() as temp:
        with serving(Path(temp), model="tiny") as running:
            yield running
        assert running.process.returncode == 0
        assert "Traceback" not in (Path(temp) / "server.log").read_text(encoding="utf-8")
        assert [path.name for path in Path(temp).iterdir()] == ["server.log"]  # nothing is left behind


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, trust_env=False) as client:
        yield client


@pytest.fixture
def visitor(chromium: Any, server: Server) -> Iterator[Visitor]:
    visitor = Visitor(chromium, server.address)
    yield visitor
    visitor.page.context.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: the docs when they are to be renewed."""
    if not os.environ.get("OPENSHAPE_OOD_SCREENSHOTS"):
        return tmp_path
    (ROOT / "docs" / "images").mkdir(parents=True, exist_ok=True)
    return ROOT / "docs" / "images"


@pytest.fixture
def shape(tmp_path: Path) -> Path:
    """A chair with a guitar for a back as a PLY of text, z up and in millimeters."""
    points = plant("chair", "guitar", 3000, 109, 0.45, "parsons", "acoustic").cloud[:, [0, 2, 1]] * 1000
    header = f"ply\nformat ascii 1.0\nelement vertex {len(points)}\n"
    properties = "".join(f"property float {axis}\n" for axis in "xyz")
    rows = "\n".join(" ".join(f"{value:.3f}" for value in point) for point in points)
    path = tmp_path / "from my garage.ply"
    path.write_text(f"{header}{properties}end_header\n{rows}\n")
    return path


def choose(visitor: Visitor, dropdown: str, option: str) -> None:
    visitor.page.locator(f"{dropdown} input").click()
    visitor.page.get_by_role("option", name=option, exact=True).click()


def unreadable(visitor: Visitor, least: int = 60) -> list[Any]:
    """Texts of the page of too little contrast with what they stand on."""
    measured = visitor.page.evaluate((Path(__file__).parent / "contrast.js").read_text(encoding="utf-8"))
    assert len(measured) > least
    return [found for found in measured if found[0] < 4.5]


def examples(visitor: Visitor) -> dict[str, str]:
    """Class -> number of examples, as the table has them."""
    rows = visitor.page.locator("#known tbody tr").all()
    cells = [[cell.inner_text() for cell in row.locator("td").all()] for row in rows]
    return {row[0]: row[2] for row in cells}


def test_a_shape_is_dropped_judged_added_and_downloaded(
    visitor: Visitor, shape: Path, scans: list[Path], tmp_path: Path, pictures: Path
) -> None:
    visitor.drop(shape)
    visitor.sees("#verdict", "from my garage.ply")
    choose(visitor, "#up", "z")
    said = visitor.sees("#verdict", "3,000 points, z up")
    assert "Novel" in said and "p = 0.0" in said
    assert visitor.page.locator("#bars .bar").count() == 5
    visitor.sees("#compared", "24 generated whole models of each class")
    visitor.sees_a_picture()

    assert set(examples(visitor).values()) == {"0"}
    visitor.page.locator("#owner input, #owner textarea").fill("guitar chair")
    visitor.page.locator("#add").click()
    visitor.sees("#message", "from my garage.ply is now an example of guitar chair (1 in total)")
    visitor.sees("#known", "guitar chair")
    assert examples(visitor)["guitar chair"] == "1" and visitor.page.locator("#known img").count() == 1

    cloud = visitor.download("#ply", tmp_path)
    assert cloud.name == "from_my_garage.novelty.ply"
    colored, given = load_shape(cloud), load_shape(shape)
    assert np.allclose(colored[:, :3], given)  # in the frame and units of the file
    assert len(np.unique(colored[:, 3:], axis=0)) > 20
    figures = json.loads(visitor.download("#json", tmp_path).read_text(encoding="utf-8"))
    assert (figures["verdict"], figures["up"]) == ("novel", "z")
    assert figures["provenance"]["identity"]["checkpoint"] == "tiny"
    assert f"p = {figures['p_value']:.3f}" in said
    if pictures != tmp_path:
        visitor.screenshot().save(pictures / "app-scored.png")

    all_can_be_read(visitor, scans)
    assert examples(visitor)["guitar chair"] == "1"  # what is scored next is compared with it
    everything = {urlsplit(url).hostname for url in visitor.asked if not url.startswith(("data:", "blob:"))}
    assert everything == {"127.0.0.1"}
    assert visitor.wrong == []


@pytest.mark.slow
def test_a_room_is_taken_colored_listed_and_downloaded(visitor: Visitor, tmp_path: Path, pictures: Path) -> None:
    page = visitor.page
    page.get_by_role("tab", name="A room").click()
    page.locator("#room-example").click()
    assert "novel" in visitor.sees("#table", "object 1")
    visitor.sees_a_picture()
    assert page.locator("#room-up").is_visible()  # the one axis setting
    assert not page.locator("#up").is_visible() and not page.locator("#origin").is_visible()
    page.set_viewport_size({"width": 1280, "height": 1140})
    visitor.screenshot(1140).save(pictures / "app-room.png")
    visitor.looks_right(tmp_path, "#table", "#verdict", "#drop-room", "#plot", "#names")
    page.set_viewport_size({"width": 1280, "height": 900})
    for color in ("name", "object"):
        page.locator("#color label", has_text=color).click()
        for _ in range(WAIT // 2000):  # until the file is written anew
            if visitor.download("#ply", tmp_path).name == f"a_generated_room.{color}.ply":
                break
            page.wait_for_timeout(1000)
        assert (tmp_path / f"a_generated_room.{color}.ply").is_file()
    figures = json.loads(visitor.download("#json", tmp_path).read_text(encoding="utf-8"))
    assert len(figures["objects"]) == page.locator("#table button").count() > 5
    page.locator("#table button").nth(2).click()
    visitor.sees("#bars", "of object 3")
    page.locator("#owner input, #owner textarea").fill("my thing")
    page.locator("#add").click()
    visitor.sees("#message", "object 3 is now an example of my thing")

    hall = tmp_path / "hall.npy"
    np.save(hall, load_shape(tmp_path / "a_generated_room.object.ply")[:, :3] * 1000)
    visitor.drop(hall, place="#drop-room")
    visitor.sees("#message.refused", "give unit='mm'")
    choose(visitor, "#unit", "mm")  # the same file is read again
    visitor.sees("#verdict", "hall.npy")
    assert visitor.wrong == []


@pytest.mark.slow
def test_a_view_is_completed_and_what_is_new_in_it_is_said(visitor: Visitor, tmp_path: Path, pictures: Path) -> None:
    page = visitor.page
    page.get_by_role("tab", name="A view").click()
    page.locator("#names textarea, #names input").first.fill("chair, table, sofa, bed, lamp")
    page.locator("#view-example").click()
    assert "a generated view" in visitor.sees("#verdict", "new object")
    assert visitor.sees("#table", "new 1").count("known") == 5
    visitor.sees_a_picture()
    assert page.locator("#sheet").evaluate("image => image.naturalWidth") > 600
    assert not page.locator("#color").is_visible()
    page.set_viewport_size({"width": 1280, "height": 1000})
    visitor.screenshot(1000).save(pictures / "app-view.png")
    assert unreadable(visitor) == []
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.locator("#table td", has_text="sofa").is_visible()  # narrow as it is
    figures = json.loads(visitor.download("#json", tmp_path).read_text(encoding="utf-8"))
    assert [one["status"] for one in figures["found"]].count("new") >= 1
    assert len(load_shape(visitor.download("#ply", tmp_path))) > 100

    made = room_view(2, categories=["chair", "table"], foreign=["bicycle"], objects=3)
    folder = save_view(made.view, tmp_path / "mine")
    masks = Affinities.from_masks(np.stack([made.mask(name) for name in ("chair", "table")]), ["chair", "table"])
    masks.save(folder / "affinities.npz")
    files = sorted(folder.iterdir())
    visitor.drop(*(path for path in files if path.name != "camera.json"), place="#drop-view")
    visitor.sees("#message.refused", "Expected an image, its depth")
    visitor.sees("#verdict", "a generated view")  # what stood there still does
    visitor.drop(*files, place="#drop-view")
    visitor.sees("#message.refused", "there are no affinities to 'sofa'")
    page.locator("#names textarea, #names input").first.fill("chair, table")
    page.locator("#score").click()
    visitor.sees("#verdict", "rgb.png")
    page.get_by_role("tab", name="Shapes").click()
    page.get_by_role("button", name="scan of a piano").click()
    visitor.sees("#verdict", "scan of a piano")
    assert page.locator("#color").is_visible() and page.locator("#sheet").count() == 0
    assert visitor.wrong == []


@pytest.mark.slow
def test_a_surface_is_compared_with_good_ones(visitor: Visitor, tmp_path: Path, pictures: Path) -> None:
    page = visitor.page

    def drop(place: str, *files: tuple[str, np.ndarray]) -> None:
        for name, points in files:
            np.save(tmp_path / name, points)
        visitor.drop(*(tmp_path / name for name, _ in files), place=place)

    page.get_by_role("tab", name="A surface").click()
    drop("#drop-surface", ("mine.npy", road_scan(9, "pothole").points))
    visitor.sees("#message.refused", "Drop good clouds first")
    visitor.sees("#verdict", "chair with a guitar for a back")  # what stood there still does
    page.locator("#surface-example").click()
    assert "points have no score" in visitor.sees("#verdict", "Damaged")
    visitor.sees_a_picture()
    assert not page.locator("#color").is_visible() and page.locator("#bars").count() == 0
    page.set_viewport_size({"width": 1280, "height": 1000})
    visitor.screenshot(1000).save(pictures / "app-surface.png")
    visitor.looks_right(tmp_path, "#verdict", "#drop-good", "#plot", least=30)
    assert not page.locator("#names").is_visible() and not page.locator("#score").is_visible()
    page.set_viewport_size({"width": 1280, "height": 900})
    figures = json.loads(visitor.download("#json", tmp_path).read_text(encoding="utf-8"))
    assert figures["verdict"] == "damaged" and len(figures["good"]) == 20
    assert len(load_shape(visitor.download("#ply", tmp_path))) == figures["points"]

    drop("#drop-good", *((f"good {i}.npy", road_scan(i).points) for i in range(3)))
    visitor.sees("#verdict", "3 good clouds")  # what was compared is compared with these
    drop("#drop-surface", ("mine.npy", road_scan(9, "pothole").points))
    visitor.sees("#verdict", "mine.npy")
    drop("#drop-surface", ("bad.npy", np.full((5, 3), np.nan)))
    visitor.sees("#message.refused", "bad.npy")
    page.locator("#surface-example").focus()
    page.keyboard.press("Enter")  # without a mouse
    visitor.sees("#verdict", "a generated road")
    page.get_by_role("tab", name="Shapes").click()
    page.locator("#names").wait_for()
    page.get_by_role("button", name="scan of a piano").click()
    visitor.sees("#verdict", "scan of a piano")
    assert page.locator("#color").is_visible()
    assert visitor.wrong == []


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """Two known shapes, a novel one, and a file that is none."""
    paths = [tmp_path / f"{kind}.npy" for kind in ("chair", "guitar", "table")]
    for path in paths:
        np.save(path, sample(path.stem, 2048, seed=3))
    (tmp_path / "damaged.ply").write_bytes(b"ply\n")
    return [*paths, tmp_path / "damaged.ply"]


@pytest.mark.slow
def test_many_files_while_a_class_is_typed_on_a_phone(chromium: Any, server: Server, scans: list[Path]) -> None:
    visitor = Visitor(chromium, server.address, width=400)
    page = visitor.page
    tops = {place: page.locator(place).bounding_box()["y"] for place in ("#verdict", "#drop", "#names", "#score")}
    assert min(tops, key=lambda place: tops[place]) == "#verdict" and tops["#verdict"] < 150
    assert page.evaluate("document.documentElement.scrollWidth") <= 400

    page.evaluate(WATCH)
    visitor.drop(*scans)
    page.locator("#owner input, #owner textarea").fill("lyre")
    page.locator("#names textarea, #names input").first.fill("chair, sofa, table, bench")
    visitor.sees("#table", "4 files: 1 novel, 2 known, 1 not read")
    stood = page.evaluate("window.stood")
    assert stood[0].startswith("Scoring…") and not any("guitar for a back" in text for text in stood)  # what was before
    assert page.locator("#table button").first.inner_text() == "guitar.npy"
    assert "damaged.ply" in page.locator("#table .failures").inner_text()
    assert page.locator("#owner input, #owner textarea").input_value() == "lyre"  # what was typed meanwhile stays
    assert page.locator("#names textarea, #names input").first.input_value() == "chair, sofa, table, bench"

    page.locator("#table button", has_text="guitar.npy").click()
    assert "Novel" in visitor.sees("#verdict", "guitar.npy")
    page.locator("#add").click()
    visitor.sees("#message", "guitar.npy is now an example of lyre")
    assert page.locator("#names textarea, #names input").first.input_value() == "chair, sofa, table, bench, lyre"
    page.locator("#score").click()
    assert "cannot be generated" in visitor.sees("#verdict", "Known: lyre")  # there is a verdict, and its bounds
    assert visitor.wrong == []
    page.context.close()


def all_can_be_read(visitor: Visitor, scans: list[Path]) -> None:
    visitor.drop(*scans[1:])
    visitor.sees("#table", "3 files")
    visitor.page.get_by_role("button", name="Calibrate on your own shapes").click()
    visitor.sees("#decision", "Drop 19 to 50 known shapes")
    visitor.sees_a_picture()
    assert unreadable(visitor) == []
    ends, title = (visitor.page.locator(f"#plot .{name}") for name in ("cbaxis text", "cbtitle text"))
    boxes = [box.bounding_box() for box in (*ends.all(), title.first)]
    assert len(boxes) == 3
    for i, a in enumerate(boxes):  # nothing is printed over the bar's other words
        for b in boxes[:i]:
            apart = (
                abs(a[x] + a[w] / 2 - b[x] - b[w] / 2) - (a[w] + b[w]) / 2 for x, w in (("x", "width"), ("y", "height"))
            )
            assert max(apart) > -1


@pytest.mark.slow  # in light it is part of the first test
def test_every_text_can_be_read_in_the_dark(chromium: Any, server: Server, scans: list[Path]) -> None:
    visitor = Visitor(chromium, server.address, scheme="dark")
    all_can_be_read(visitor, scans)
    visitor.page.context.close()


@pytest.mark.slow
def test_names_are_shown_and_never_run(visitor: Visitor, shape: Path, tmp_path: Path) -> None:
    evil = tmp_path / "{{1+1}} ${alert(1)} &lt;i&gt;.ply"
    shutil.copy(shape, evil)
    visitor.page.on("dialog", lambda dialog: visitor.wrong.append(dialog.message))
    visitor.page.locator("#names textarea, #names input").first.fill("chair, <img src=x onerror=alert(1)>, ${1+1}")
    visitor.drop(evil)
    visitor.sees("#verdict", ".ply")
    said = visitor.sees("#bars", "onerror=alert(1)")
    assert "<img src=x onerror=alert(1)>" in said and "${1+1}" in said
    assert visitor.page.locator("img[src='x']").count() == 0
    assert visitor.wrong == []


def hostile(folder: Path) -> dict[str, tuple[Path, str]]:
    """What is dropped, and what the visitor is to read."""
    make: dict[str, tuple[Callable[[Path], Path], str]] = {
        "a header that claims 2 GB.ply": (hostile_uploads.ply_of_2_gb, "would take 2,160,000,000 bytes"),
        "a pickle.npy": (
            lambda path: hostile_uploads.pickle_as_npy(path, folder / "sprung"),
            "pickles are never loaded",
        ),
        "gigapixels.glb": (hostile_uploads.glb_of_gigapixels, "a decompression bomb"),
        "a zip bomb.3mf": (
            lambda path: hostile_uploads.zip_bomb(path, 500),
            "has the suffix .3mf. Expected one of .ply .obj",
        ),
    }
    return {name: (function(folder / name), said) for name, (function, said) in make.items()}


@pytest.mark.slow  # what reads them is tested without a browser in test_app_uploads.py
def test_hostile_uploads_are_refused_and_the_page_goes_on(
    visitor: Visitor, server: Server, shape: Path, tmp_path: Path, pictures: Path
) -> None:
    shown = []
    visitor.sees_a_picture()
    for name, (path, refusal) in hostile(tmp_path).items():
        before = server.memory() if sys.platform == "linux" else 0
        visitor.drop(path)
        said = visitor.sees("#message.refused", refusal)
        assert name.split(".")[0] in said
        visitor.sees("#verdict", "chair with a guitar for a back")  # what stood there still does
        after, most = (server.memory(), server.memory("VmHWM")) if sys.platform == "linux" else (0, 0)
        figures = ", ".join(f"{value / 2**20:.0f}" for value in (before, after, most))
        print(f"{name}: {said}\n  MiB of the server before, after, at most: {figures}")  # shown by pytest -rP
        assert after - before < MOST_GROWTH and most - before < 2 * MOST_GROWTH
        if pictures != tmp_path:
            shown.append(visitor.screenshot(height=SHOWN))
    assert not (tmp_path / "sprung").exists()

    visitor.page.evaluate(DROP_LARGE, visitor.zone())
    visitor.sees("body", "exceed the maximum allowed size of 100.0 Mb")

    visitor.drop(shape)
    visitor.sees("#verdict", "from my garage.ply")  # the page still scores
    assert visitor.page.locator("#message").count() == 0
    if shown:
        _stacked(shown).save(pictures / "app-hostile.png")


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    stack = Image.new("RGB", (pictures[0].width, sum(picture.height for picture in pictures)))
    for i, picture in enumerate(pictures):
        stack.paste(picture, (0, i * picture.height))
    return stack


def test_no_file_of_the_machine_is_served(http: httpx.Client, server: Server) -> None:
    inside = "/".join([".."] * 12) + "/etc/passwd"
    for path in ("/etc/passwd", inside, inside.replace("/", "%2F"), str(server.temp / "server.log"), "setup.cfg"):
        assert http.get(f"/gradio_api/file={path}").status_code in (403, 404), path
    answer = http.get("/")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert http.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert http.get("/gradio_api/info").json()["named_endpoints"] == {}


def test_a_request_made_by_hand_leaves_no_traceback(http: httpx.Client, server: Server) -> None:
    """gradio prints one for each value that its components do not take; `server` looks for it in the log."""
    config = http.get("/config").json()
    labels = {one["id"]: one["props"].get("label") for one in config["components"]}
    inputs = {own["id"]: [labels[one] for one in own["inputs"]] for own in config["dependencies"]}
    number, settings = next((i, names) for i, names in inputs.items() if names[1:3] == ["Encoder", "Method"])
    values = dict(zip(settings, ("chair, table", "tiny", "automatic", "file", "whole model", "novelty"), strict=True))

    def join(number: int, *data: Any) -> httpx.Response:
        request = {"data": data, "fn_index": number, "session_hash": "mine"}
        return http.post("/gradio_api/queue/join", json=request)

    for label, value in (("Encoder", "huge"), ("Encoder", None), ("Kind of shape", ["scan"]), ("Colored by", {"a": 1})):
        answer = join(number, *(values | {label: value}).values())
        assert answer.status_code == 400 and answer.text.startswith(f"{label}: {value!r} is not a valid value")
    gone = {"path": str(next(server.temp.glob("openshape*")) / "files" / "gone.ply")}
    whole = {**gone, "meta": {"_type": "gradio.FileData"}}
    for number in (number for number, names in inputs.items() if len(names) == 7):
        assert {join(number, value, *values.values()).status_code for value in (gone, {"path": "/etc/x"}, 7)} <= {
            400,
            403,
        }
        assert 200 in [join(number, value, *values.values()).status_code for value in (whole, [whole])]
    with http.stream("GET", "/gradio_api/queue/data", params={"session_hash": "mine"}) as events:
        ends = [json.loads(line[5:]) for line in events.iter_lines() if "process_completed" in line]
    assert ends and all(end["success"] for end in ends)  # errors became messages
