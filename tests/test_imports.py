"""Which module may import which, and where each heavy package has its home."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

import openshape_ood

PACKAGE = Path(openshape_ood.__file__).parent

# a module imports from lines above its own only; those of one line do not know each other
ORDER = """
    errors
    checks
    storage workers
    shapes
    registry
    encoders
    decisions
    known
    scoring
    novelty_map
    novelty
    comparison discovery
    scenes surfaces
    views
    scene_changes scene_map bags
    sklearn_api embedding_store
    plots
    synthetic
    app
    cli ros
    __main__
    __init__
"""
LEVEL = {module: level for level, line in enumerate(ORDER.split("\n")) for module in line.split()}

# a module, or a package whose modules all may
HOMES = {
    "dgl": {"encoders.grouping"},
    "einops": {"encoders.pointbert"},
    "h5py": set(),
    "huggingface_hub": {"registry.hub"},
    "imageio": {"plots.views"},
    "laspy": {"shapes.formats.las"},
    "gradio": {"app"},
    "matplotlib": {"plots"},
    "mcap": {"bags.reading"},
    "mcap_ros2": {"bags.reading"},
    "plotly": {"plots.interactive"},
    "pyarrow": {"embedding_store"},
    "open_clip": {"encoders.text", "views.relevancy"},
    "faiss": {"scoring.neighbors"},
    "ray": {"embedding_store.jobs"},
    "rclpy": {"ros"},
    "vision_msgs": {"ros"},
    "visualization_msgs": {"ros"},
    "skimage": {"views.completion"},
    "sklearn": {
        "decisions",
        "discovery",
        "scoring",
        "sklearn_api",
        "plots",
        "comparison",
        "scenes.proposals",
        "surfaces",
    },
    "spconv": {"scenes.sparse"},
    "tokenizers": {"encoders.text"},
    "timm": {"surfaces.memory"},
    "torch_redstone": {"encoders.pointbert"},
    "triton": {"encoders.grouping"},
    "trimesh": {"shapes", "views.completion"},
}
# plot() is a convenience that draws with the pictures above it, which are imported when it is called
PLOTTED = ("novelty_map.result", "scene_changes.result", "scenes.result", "views.affinities", "views.completion.result")
# its tables name what is imported when an architecture is built, or a comparator fitted
TABLES = "registry.architectures"
ALLOWED = {(module, "plots") for module in PLOTTED} | {
    (TABLES, part) for part in ("encoders", "scenes", "views", "comparison")
}
# calibration of the one encoder that was trained on generated shapes
ALLOWED |= {("novelty.generated", "synthetic")}
# modules that import what a variable names: names of a package, the task of a process, packages that are there or not
BY_VARIABLE = {
    TABLES,
    "__init__",
    "shapes.__init__",
    "synthetic.builders.__init__",
    "workers.process",
    "app.server",
    "registry.extensions",
}
# closes a cycle, and may: `python -m openshape_ood.workers` is a process of its own
CLOSING = {("workers.process", "workers")}
HEAVY = {*HOMES, "numpy", "torch", "PIL", "safetensors", "tqdm", "collada"}


PARTS = sorted({path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")})


@cache
def imported(part: str) -> dict[str, set[str]]:
    """The modules of a part of the package, and the dotted names that each imports, at its top or later."""
    return {module: set(names(ast.parse(text))) for module, text in texts(part).items()}


@cache
def texts(part: str) -> dict[str, str]:
    paths = [PACKAGE / f"{part}.py", *(PACKAGE / part).rglob("*.py")]
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path.read_text("utf-8")
        for path in paths
        if path.is_file()
    }


# a module, or "module:function"; other texts that hold such words are none
DOTTED = re.compile(r"(openshape_ood(?:\.\w+)+)(?::\w+)?")


def names(tree: ast.AST) -> Iterator[str]:
    """Names that are imported: by statements, by functions that import, by strings that name modules of the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (found := DOTTED.fullmatch(node.value)):
            yield found[1]
        elif isinstance(given := argument(node), ast.Constant):
            yield str(given.value)


def argument(node: ast.AST) -> ast.expr | None:
    """The module that a call of `import_module` or `__import__` imports."""
    if not isinstance(node, ast.Call):
        return None
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return node.args[0] if called in ("import_module", "__import__") else None


@pytest.mark.parametrize(
    "code, expected",
    [
        ("import a.b", {"a.b"}),
        ("def f():\n    from a.b import c", {"a.b.c"}),
        ("importlib.import_module('a.b')", {"a.b"}),
        ("import_module('openshape_ood.a')", {"openshape_ood.a"}),
        ("__import__('a')", {"a"}),
        ("late('openshape_ood.a.b', 'c')", {"openshape_ood.a.b"}),
        ("task = 'openshape_ood.a:task'", {"openshape_ood.a"}),
        ("import_module(name)", set()),
        ("'see openshape_ood.a'; 'openshape_ood'; 'a.b'", set()),
    ],
)
def test_every_way_to_import_is_seen(code: str, expected: set[str]) -> None:
    assert set(names(ast.parse(code))) == expected


def test_what_is_imported_by_a_variable_is_listed() -> None:
    found = {
        module
        for part in PARTS
        for module, text in texts(part).items()
        if re.search("import_module|__import__", text)  # the others call neither, and need not be parsed
        and any(not isinstance(argument(node) or ast.Constant(""), ast.Constant) for node in ast.walk(ast.parse(text)))
    }
    assert found == BY_VARIABLE


def test_every_module_is_looked_at() -> None:
    assert sum(len(imported(part)) for part in PARTS) == len(list(PACKAGE.rglob("*.py"))) > 300


def test_no_arrow_goes_up_or_sideways() -> None:
    for part in PARTS:
        for module, found in imported(part).items():
            known = {name.split(".")[1] for name in found if name.startswith("openshape_ood.")}
            ours = {openshape_ood._HOMES.get(name, name).partition(".")[0] for name in known} - {
                part,
                "__version__",
                "__all__",
            }
            wrong = {name for name in ours if LEVEL[name] >= LEVEL[part] and (module, name) not in ALLOWED}
            assert wrong == set(), module


def test_heavy_packages_stay_at_home() -> None:
    for part in PARTS:
        for module, found in imported(part).items():
            roots = {name.partition(".")[0] for name in found}
            parts = module.split(".")
            own = {".".join(parts[: i + 1]) for i in range(len(parts))}
            assert {root for root in roots & HOMES.keys() if not own & HOMES[root]} == set(), module
            assert not roots & {"benchmarks", "tests", "notebooks"}, module


def arrows() -> set[tuple[str, str]]:
    """Pairs of modules of the package of which one imports the other, at its top or later; a package is its `__init__`.

    An import of a module also runs the packages that hold it; these are left out, as nothing of them is used.
    """
    found = {name.removesuffix(".__init__"): used for part in PARTS for name, used in imported(part).items()}
    return {(one, home(name, found)) for one, used in found.items() for name in used if is_ours(name)} - {
        (one, one) for one in found
    }


def is_ours(name: str) -> bool:
    return name.startswith("openshape_ood.")


def home(name: str, modules: Collection[str]) -> str:
    """The module that has a name, "__init__" for one of the package itself."""
    path = name.removeprefix("openshape_ood.")
    path = openshape_ood._HOMES.get(path, path)
    while path and path not in modules:
        path = path.rpartition(".")[0]
    return path or "__init__"


def cycles(arrows: Collection[tuple[str, str]]) -> list[set[str]]:
    """Sets of modules, each of which imports all others of its set, by way of others or not."""
    names = sorted({name for arrow in arrows for name in arrow})
    matrix = np.zeros((len(names), len(names)), dtype=bool)
    for one, other in arrows:
        matrix[names.index(one), names.index(other)] = True
    count, labels = connected_components(matrix, connection="strong")
    found = [{name for name, label in zip(names, labels, strict=True) if label == i} for i in range(count)]
    return [one for one in found if len(one) > 1]


def test_a_cycle_is_found() -> None:
    assert cycles({("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("c", "e")}) == [{"a", "b", "c"}]


def test_no_module_imports_itself_by_way_of_others() -> None:
    found = arrows()
    late = {(one, other) for one, other in found if (one, other.partition(".")[0]) in ALLOWED}
    # the package itself names its parts for users, who import them by using them
    public = {(one, other) for one, other in found if one == "__init__"}
    assert found >= CLOSING and {(one, other.partition(".")[0]) for one, other in late} == ALLOWED
    assert cycles(found - late - public - CLOSING) == []


def modules_after(statement: str) -> set[str]:
    """Top-level packages that are loaded in a fresh interpreter after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement, allowed",
    [
        ("import openshape_ood; dir(openshape_ood); openshape_ood.__version__", set()),
        ("from openshape_ood import OpenShapeError", set()),
        ("from openshape_ood import list_checkpoints; list_checkpoints()", set()),
        ("from openshape_ood.decisions.metrics import ood_metrics", {"numpy"}),
        ("from openshape_ood import KnownClasses", {"numpy"}),
        ("import openshape_ood.shapes.batches", {"numpy"}),
        ("from openshape_ood import score_novelty, TextEncoder, load_shape", {"numpy"}),
    ],
)
def test_importing_is_cheap(statement: str, allowed: set[str]) -> None:
    assert modules_after(statement) & HEAVY <= allowed
