"""Pages whose text stands elsewhere in the checkout: a page that says `<!-- include: PATH -->` becomes that file.

Such a file links to its neighbors in the checkout. A link to what is a page here goes there; what is none, such as a
TOML table, is named, for the site does not hold it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INCLUDE = re.compile(r"<!-- include: (\S+) -->\s*")
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#)([^)\s]+)\)")
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "docs/concepts/scores.md": "concepts/scores.md",
    "docs/concepts/thresholds.md": "concepts/thresholds.md",
    "docs/concepts/localizing.md": "concepts/localizing.md",
    "docs/scale.md": "scale.md",
    "docs/speed.md": "speed.md",
    "docs/surface-benchmarks.md": "surface-benchmarks.md",
    "openshape_ood/errors.py": "api/errors.md",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page, with what it includes; for MkDocs."""
    found = INCLUDE.fullmatch(markdown)
    return markdown if found is None else included(found[1])


def included(path: str) -> str:
    """The text of a file of the checkout, its links as the site has them."""
    folder = posixpath.dirname(path)

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        page = PAGES.get(posixpath.normpath(posixpath.join(folder, target)))
        return f"[{text}]({page})" if page else f"`{posixpath.normpath(posixpath.join(folder, target))}`"

    return LINK.sub(link, (ROOT / path).read_text(encoding="utf-8"))
