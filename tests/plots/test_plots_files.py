import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_up_map import made_up
from PIL import Image

from openshape_ood import plots
from openshape_ood.errors import FileError, InputError, MissingPackageError
from openshape_ood.plots.canvas import short
from openshape_ood.synthetic import sample

CHAIR = sample("chair", 200, seed=1)
ROOT = Path(plots.__file__).parents[2]


@pytest.mark.parametrize(
    "name, start", [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("A.PNG", b"\x89PNG")]
)
def test_the_same_picture_gives_the_same_bytes(tmp_path, name, start):
    ax = plots.cloud(CHAIR, title="a chair")
    first = plots.save(ax, tmp_path / name).read_bytes()
    assert first.startswith(start)
    assert plots.save(ax.figure, str(tmp_path / name)).read_bytes() == first
    assert plots.save(plots.cloud(CHAIR, title="a chair"), tmp_path / name).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_pixels_follow_dpi(tmp_path):
    figure = plots.panels(1, 1, size=(2, 3))[0]
    for dpi in (50, 50.0):
        with Image.open(plots.save(figure, tmp_path / "a.png", dpi=dpi)) as picture:
            assert picture.size == (100, 150)


def test_of_axes_in_a_part_the_whole_figure_is_saved(tmp_path):
    figure = plots.contact_sheet([CHAIR, CHAIR], [0.1, 0.2])
    whole = plots.save(figure, tmp_path / "a.png").read_bytes()
    for part in (figure.subfigs[0], figure.subfigs[1].axes[0]):
        assert plots.save(part, tmp_path / "b.png").read_bytes() == whole


@pytest.mark.parametrize("name", ["a.jpeg", "a", "a.html"])
def test_other_suffixes_are_answered_with_those_that_work(tmp_path, name):
    with pytest.raises(InputError, match=r"Expected \.png, \.svg, \.pdf"):
        plots.save(plots.cloud(CHAIR), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_plotly_figure_is_a_page(tmp_path):
    with pytest.raises(InputError, match=r"'a\.png' ends in '\.png'\. Expected \.html for a plotly figure"):
        plots.save(plots.turnable(CHAIR), tmp_path / "a.png")


def test_a_picture_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    ax = plots.cloud(CHAIR)
    ax.figure.set_size_inches(1e6, 1e6)  # more pixels than can be drawn
    with pytest.raises(ValueError):
        plots.save(ax, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written_is_said(tmp_path):
    with pytest.raises(FileError, match="missing"):
        plots.save(plots.cloud(CHAIR), tmp_path / "missing" / "a.png")
    with pytest.raises(InputError, match="the picture is ndarray"):
        plots.save(CHAIR, tmp_path / "a.png")


CALLS = {
    "cloud": lambda: plots.cloud(CHAIR),
    "novelty_map": lambda: plots.novelty_map(made_up()),
    "histogram": lambda: plots.histogram([0.1]),
    "roc": lambda: plots.roc([0.1], [0.2]),
    "embeddings": lambda: plots.embeddings(np.eye(3), ["a", "b", "c"]),
    "contact_sheet": lambda: plots.contact_sheet([CHAIR], [0.1]),
    "panels": lambda: plots.panels(),
    "turnable": lambda: plots.turnable(CHAIR),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, name):
    package = "plotly" if name == "turnable" else "matplotlib"
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"package {package}\. Run pip install 'openshape-ood\[plots\]'"):
        CALLS[name]()


def test_importing_loads_no_library_and_drawing_no_pyplot():
    code = (
        "import sys; from openshape_ood import plots\n"
        "print(*{'matplotlib', 'plotly', 'sklearn', 'torch'} & set(sys.modules))\n"
        "plots.cloud([[0, 0, 0], [1, 1, 1]]); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split("\n")[:2] == ["", "False"]


@pytest.mark.parametrize("draw, expected", [(plots.scene, "SceneResult"), (plots.relevancy, "Affinities")])
def test_what_is_no_result_is_said(draw, expected):
    with pytest.raises(InputError, match=rf"str\. Expected .*{expected}"):
        draw("room.ply")


def test_every_public_name_is_documented():
    for name in plots.__all__:
        assert getattr(plots, name).__doc__, name


@pytest.mark.parametrize(
    "text, length, expected",
    [
        ("bookshelf", 9, "bookshelf"),
        ("a/very/long/path.h5", 9, "a/ve…h.h5"),
        ("Stühle für Łódź", 20, "Stühle für Łódź"),
        ("a\n東\u202e\udcff\0", 9, "a?????"),
    ],
)
def test_names_are_cut_and_what_cannot_be_drawn_is_replaced(text, length, expected):
    assert short(text, length) == expected


def test_paths_and_numbers_that_are_none_are_said(tmp_path):
    picture = plots.roc([1], [2])
    for wrong, message in (
        ((None,), "path is None"),
        ((tmp_path / "a.png", 0), "dpi is 0"),
        ((tmp_path / "a.png", 0.5), "dpi is 0.5"),
    ):
        with pytest.raises(InputError, match=message):
            plots.save(picture, *wrong)
    with pytest.raises(InputError, match="columns is 0"):
        plots.panels(1, 0)
