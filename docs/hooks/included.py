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
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#)([^)\s#]+)(#[^)\s]+)?\)")
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "reference/changelog.md",
    "benchmarks/README.md": "results/benchmarks.md",
    "openshape_ood/errors.py": "api/errors.md",
}


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page, with what it includes; for MkDocs."""
    found = INCLUDE.fullmatch(markdown)
    return markdown if found is None else included(found[1], page.file.src_uri)


def included(path: str, page: str) -> str:
    """The text of a file of the checkout on a page of the site, its links as the site has them."""

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found.groups()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        inside = PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else "")
        return (
            f"[{text}]({posixpath.relpath(inside, posixpath.dirname(page))}{anchor or ''})" if inside else f"`{target}`"
        )

    return LINK.sub(link, (ROOT / path).read_text(encoding="utf-8"))
