"""Form of the messages of errors: all messages of several sentences end with a period."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import openshape_ood

PACKAGE = Path(openshape_ood.__file__).parent
FRAGMENTS = {"registry/architectures.py", "registry/rows.py", "registry/schema.py"}  # `_read_rows` completes them
SEVERAL = re.compile(r"[^ ]{3}\. [A-Z]")  # not "e.g. X"
COPIED = re.compile(r": (ray|np\.|points|dataclasses|--known )[^:]*$")  # a command or call at the end, to be copied


def messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of the strings in `raise` statements and warnings. Expressions in f-strings become "0"."""
    for node in ast.walk(tree):
        warns = isinstance(node, ast.Call) and ast.unparse(node.func) == "warnings.warn"
        raised = node.exc if isinstance(node, ast.Raise) else node if warns else None
        for given in raised.args if isinstance(raised, ast.Call) else []:
            if isinstance(given, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else None for part in given.values]
                if parts[-1] is not None:  # an expression at the end has its own period
                    yield given.lineno, "".join("0" if part is None else str(part) for part in parts)
            elif isinstance(given, ast.Constant) and isinstance(given.value, str):
                yield given.lineno, given.value


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_messages_of_several_sentences_end_with_a_period(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() in FRAGMENTS:
        return
    found = messages(ast.parse(path.read_text(encoding="utf-8")))
    several = [(line, text) for line, text in found if SEVERAL.search(text) and not COPIED.search(text)]
    assert not [one for one in several if not one[1].endswith((".", "?"))]
