"""Nothing from elsewhere: nbconvert's pages come with scripts that load formulas and diagrams over the network.

The notebooks have neither, so the scripts are taken out.
"""

from __future__ import annotations

import re
from typing import Any

SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL)
ELSEWHERE = ("MathJax", "mermaid", 'src=""')


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """The page's own part of the HTML; for MkDocs."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html
    return SCRIPT.sub(lambda found: "" if any(sign in found[0] for sign in ELSEWHERE) else found[0], html)
