import base64
import json
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from made_up_finished import METHODS, READ, made_up_finished

from benchmarks.report.failures import STEPS, trace, worst, write_failure_page
from openshape_ood.errors import MissingPackageError
from openshape_ood.plots.canvas import number

HOSTILE = '</script><script src="https://evil.example/x.js">{{plotly}}<img src=x onerror=alert(1)>\u2028{i} & {part}'


class Page(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and the text of each kind of element."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def scripts(self):
        return [text for tag, text in self.texts if tag == "script" and text.strip()]

    @property
    def data(self):
        return json.loads(self.scripts[0])

    @property
    def visible(self):
        return "\n".join(text for tag, text in self.texts if tag not in ("script", "style"))


def two_methods():
    """A plain run; drawing a third method takes half as long again."""
    return made_up_finished(methods=METHODS[:2])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The folder with the page of a plain run, three shapes a method."""
    folder = tmp_path_factory.mktemp("plain") / "made"
    finished = two_methods()
    write_failure_page(folder, finished, count=3)
    return folder


@pytest.fixture(scope="module")
def page(plain):
    return Page(plain / "failures.html")


def check_files(folder):
    assert (folder / "failures.html").stat().st_size < 8_000_000
    assert sorted(path.name for path in folder.iterdir()) == ["failures.html"]


def test_the_worst_are_the_least_novel_of_the_novel():
    finished = made_up_finished()
    for result in finished.results:
        # written out: all novel shapes with their novelty, sorted
        rows = [(v, p, i) for p in ("novel1", "novel2") for i, v in enumerate(result.scored[0][p].novelty)]
        expected = sorted(rows)[:5]
        found = worst(finished, result, count=5)
        assert [(f.novelty, f.part, f.index) for f in found] == expected
        for f in found:
            scored, z = result.scored[0][f.part], finished.embeddings
            assert f.shape is finished.data.sets[f.part].shapes[f.index] and f.title == f.shape.title
            assert f.nearest is finished.data.support.shapes[scored.example[f.index]]
            assert f.taken_for == f.nearest.title == finished.data.known[scored.nearest[f.index]].title
            cosine = sum(a * b for a, b in zip(z[f.part][f.index], z["support"][f.nearest_index], strict=True))
            assert f.cosine == pytest.approx(cosine)
            assert f.accepted == (f.novelty <= result.threshold)


def test_ties_stay_in_the_order_of_the_data_and_counts_in_bounds():
    finished = made_up_finished(equal=True, per_class=2)
    result = finished.results[0]
    places = [("novel1", i) for i in range(4)] + [("novel2", i) for i in range(4)]
    assert [(f.part, f.index) for f in worst(finished, result, count=100)] == places
    assert worst(finished, result, count=0) == []


def test_the_page_is_written(plain):
    check_files(plain)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            {"novel2": (), "validation": False, "per_class": 1, "methods": METHODS[:1]}, id="no novel 2, no validation"
        ),
        pytest.param(
            {
                "known": ("$a$ {b} 東京" + "c" * 80,),
                "equal": True,
                "ids": HOSTILE.replace("{{plotly}}", ""),
                "methods": METHODS[:1],
            },
            id="odd",
        ),
    ],
)
def test_of_an_unusual_run_too(tmp_path, case):
    finished, folder = made_up_finished(**case), tmp_path / "made"
    assert write_failure_page(folder, finished, count=3) == folder / "failures.html"
    check_files(folder)


def test_the_page_has_every_pair_with_its_scores(page):
    finished = two_methods()
    failures = [f for r in finished.results for f in worst(finished, r, 3)]
    assert len(page.data["pairs"]) == len(failures) == len([a for a in page.named("button") if "data-pair" in a]) == 6
    for failure, pair in zip(failures, page.data["pairs"], strict=True):
        for words in (pair["scores"], page.visible):
            assert f"novelty {number(failure.novelty)} " in words
            assert f"threshold {number(failure.threshold)}: {'accepted' if failure.accepted else 'rejected'}" in words
            assert f"sample {failure.cosine:.4f}" in words
        assert (
            pair["tested"] == f"{failure.part}-{failure.index}" and pair["near"] == f"support-{failure.nearest_index}"
        )
        assert f"taken for {failure.taken_for}" in pair["heading"] and failure.shape.id in page.visible
        assert failure.nearest.id in pair["nearText"]
    assert set(page.data["clouds"]) == {pair[side] for pair in page.data["pairs"] for side in ("tested", "near")}


def test_what_each_threshold_keeps_is_said(page):
    for result in two_methods().results:
        # the first seed's own, of two
        assert number(result.thresholds[0]) in page.visible and number(result.thresholds[1]) not in page.visible
        novelty = result.scored[0]["validation"].novelty
        kept = sum(1 for value in novelty if value <= result.thresholds[0])
        assert f"keeps {kept} of {len(novelty)} of the validation" in page.visible


def test_names_and_ids_cannot_break_out_of_the_page(tmp_path):
    ids = HOSTILE.replace("{{plotly}}", "{{{{plotly}}}}")
    finished = made_up_finished(known=("<b>chair</b>", "sofa"), ids=ids)
    page = Page(write_failure_page(tmp_path, finished, count=2))
    assert page.open == [] and not page.named("b")
    assert len(page.named("script")) == 3 and all("onerror" not in image for image in page.named("img"))
    shown = worst(finished, finished.results[0], 2)[0]
    assert shown.shape.id in page.visible and "{{plotly}}" in shown.shape.id
    assert shown.shape.id in page.data["pairs"][0]["testedText"]


def test_the_page_needs_nothing_from_outside(page):
    addresses = [a[key] for _, a in page.elements for key in ("src", "href", "srcset", "data", "action") if key in a]
    assert addresses and all(address.startswith(("data:image/png;base64,", "#method-")) for address in addresses)
    _, plotly, own = page.scripts
    assert "plotly.js" in plotly[:200]
    rest = "".join(text for tag, text in page.texts if text is not plotly)
    assert "http:" not in rest and "https:" not in rest and "url(" not in rest and "import" not in own
    (policy,) = [a["content"] for a in page.named("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none'") and "http" not in policy and "eval" not in policy
    for image in page.named("img"):
        assert base64.b64decode(image["src"].split(",")[1]).startswith(b"\x89PNG") and image["alt"]


def test_the_same_run_gives_the_same_files(plain, tmp_path):
    again = write_failure_page(tmp_path, two_methods(), count=3)
    assert again.read_bytes() == (plain / again.name).read_bytes()


def test_only_the_shapes_shown_are_read_and_once_for_the_page(tmp_path):
    READ.clear()
    page = Page(write_failure_page(tmp_path, made_up_finished(per_class=20), count=2))
    assert len(READ) == len(set(READ)) == len(page.data["clouds"]) <= 3 * 2 * 2


def test_clouds_are_thinned_and_keep_their_proportions(tmp_path):
    page = Page(write_failure_page(tmp_path, made_up_finished(points=5000), count=1))
    for cloud in page.data["clouds"].values():
        assert len(base64.b64decode(cloud["x"]["bdata"])) == 2 * 1500
    cloud = np.array([[0, 0, 0], [1, 0, 0], [0, 4, 0], [0, 0, 2]], dtype=np.float32) + 7
    x, y, z = (np.frombuffer(base64.b64decode(trace(cloud)[axis]["bdata"]), dtype="<i2") for axis in "xyz")
    # x, -z, y about the middle (0.5, -1, 2) of the box, the longest side reaching from -STEPS to STEPS
    assert (x / STEPS * 2).tolist() == [-0.5, 0.5, -0.5, -0.5]
    assert (y / STEPS * 2).tolist() == [1, 1, 1, -1]
    assert (z / STEPS * 2).tolist() == [-2, -2, 2, -2]
    assert trace(np.ones((3, 3)))["x"]["dtype"] == "i2"  # a cloud of one place


def test_without_plotly_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(MissingPackageError, match=r"the failure page needs plotly: pip install -e '\.\[benchmarks\]'"):
        write_failure_page(tmp_path, made_up_finished())
    assert list(tmp_path.iterdir()) == []
