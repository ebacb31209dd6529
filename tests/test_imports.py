"""Which module may import which, and where each heavy package has its home."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

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
    novelty comparison discovery
    scenes reconstruction
    views
    sklearn_api embedding_store
    plots
    synthetic
    app
    cli
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
    "plotly": {"plots.interactive"},
    "pyarrow": {"embedding_store"},
    "open_clip": {"encoders.text", "views.relevancy"},
    "faiss": {"scoring.neighbors"},
    "ray": {"embedding_store.jobs"},
    "skimage": {"views.completion"},
    "sklearn": {
        "decisions",
        "discovery",
        "scoring",
        "sklearn_api",
        "plots",
        "comparison",
        "scenes.proposals",
        "reconstruction",
    },
    "spconv": {"scenes.sparse"},
    "tokenizers": {"encoders.text"},
    "timm": {"reconstruction.memory"},
    "torch_redstone": {"encoders.pointbert"},
    "triton": {"encoders.grouping"},
    "trimesh": {"shapes", "views.completion"},
}
# plot() is a convenience that draws with the pictures above it, which are imported when it is called
ALLOWED = {(module, "plots") for module in ("novelty_map.result", "scenes.result", "views.affinities")} | {
    ("views.completion.result", "plots")
}
HEAVY = {*HOMES, "numpy", "torch", "PIL", "safetensors", "tqdm", "collada"}


PARTS = sorted({path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")})


@cache
def imported(part: str) -> dict[str, set[str]]:
    """The modules of a part of the package, and the dotted names that each imports, at its top or later."""
    paths = [PACKAGE / f"{part}.py", *(PACKAGE / part).rglob("*.py")]
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): set(names(ast.parse(path.read_text("utf-8"))))
        for path in paths
        if path.is_file()
    }


def names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_is_looked_at() -> None:
    assert sum(len(imported(part)) for part in PARTS) == len(list(PACKAGE.rglob("*.py"))) > 300


@pytest.mark.parametrize("part", PARTS)
def test_no_arrow_goes_up_or_sideways(part: str) -> None:
    for module, found in imported(part).items():
        known = {name.split(".")[1] for name in found if name.startswith("openshape_ood.")}
        ours = {openshape_ood._HOMES.get(name, name).partition(".")[0] for name in known} - {part, "__version__"}
        wrong = {name for name in ours if LEVEL[name] >= LEVEL[part] and (module, name) not in ALLOWED}
        assert wrong == set(), module


@pytest.mark.parametrize("part", PARTS)
def test_heavy_packages_stay_at_home(part: str) -> None:
    for module, found in imported(part).items():
        roots = {name.partition(".")[0] for name in found}
        parts = module.split(".")
        own = {".".join(parts[: i + 1]) for i in range(len(parts))}
        assert {root for root in roots & HOMES.keys() if not own & HOMES[root]} == set(), module
        assert not roots & {"benchmarks", "tests", "notebooks"}, module


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
        ("import openshape_ood.shapes.batch", {"numpy"}),
        ("from openshape_ood import score_novelty, TextEncoder, load_shape", {"numpy"}),
    ],
)
def test_importing_is_cheap(statement: str, allowed: set[str]) -> None:
    assert modules_after(statement) & HEAVY <= allowed
