from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import openshape_ood
from openshape_ood import OpenShapeError, errors

ROOT = Path(__file__).parents[1]
ERRORS = [e for e in vars(errors).values() if inspect.isclass(e) and e.__module__ == errors.__name__]
PUBLIC = [
    "Embeddings",
    "Encoder",
    "Identity",
    "KnownClasses",
    "Method",
    "NoveltyDetector",
    "NoveltyMap",
    "NoveltyPipeline",
    "NoveltyResult",
    "OpenShapeError",
    "PointEncoder",
    "Scene",
    "SceneChanges",
    "SceneMap",
    "ShapeEmbedder",
    "ShapeEncoder",
    "TextEncoder",
    "Threshold",
    "View",
    "calibrate_marks",
    "compare_scenes",
    "discover",
    "find_objects",
    "list_checkpoints",
    "list_shapes",
    "load_scene",
    "load_shape",
    "load_view",
    "localize",
    "score_embeddings",
    "score_novelty",
    "score_scene",
    "segment_scene",
]


def test_public_names() -> None:
    assert openshape_ood.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(openshape_ood))


def test_a_public_name_resolves_and_is_documented() -> None:
    for name in PUBLIC:
        value = getattr(openshape_ood, name)
        assert value.__name__ == name
        assert inspect.getdoc(value)


def test_other_names_do_not_resolve() -> None:
    with pytest.raises(AttributeError, match="module 'openshape_ood' has no attribute 'score_novelti'"):
        _ = openshape_ood.score_novelti


def test_the_version_is_the_changelogs_newest() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert openshape_ood.__version__ == headings[0]


def drawn_tree(docstring: str) -> dict[str, str]:
    """Error -> its parent, as the branches are drawn; four columns a level."""
    lineage, parents = [], {}
    for indent, name in re.findall(r"^((?:[│├└─ ]{4})*)(\w+Error)", docstring, re.MULTILINE):
        level = len(indent) // 4
        lineage[level:] = [name]
        parents[name] = lineage[level - 1] if level else "Exception"
    return parents


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    assert drawn_tree(errors.__doc__ or "") == {error.__name__: error.__bases__[0].__name__ for error in ERRORS}


def test_errors_are_ours_and_of_the_builtin_kind_too() -> None:
    for error in ERRORS:
        assert issubclass(error, OpenShapeError)
        assert issubclass(error, OSError) == issubclass(error, errors.FileError)
        assert issubclass(error, ValueError) == issubclass(error, errors.InputError | errors.RegistryError)
        assert error("a sentence").__doc__
        assert str(error("a sentence")) == "a sentence"
