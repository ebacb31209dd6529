"""Docstrings as Markdown: examples and drawings as code, arguments marked. A Griffe extension."""

from __future__ import annotations

import re
from typing import Any

import griffe

DRAWN = ("├", "└", "│")


class Prose(griffe.Extension):
    """Rewrites every docstring before it is rendered."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = rendered(obj.docstring.value, _names(obj))


def rendered(text: str, names: set[str]) -> str:
    """The docstring's paragraphs as Markdown; `names` are those of the arguments and attributes it speaks of."""
    return "\n\n".join(_paragraph(part, names) for part in re.split(r"\n[ \t]*\n", text.strip("\n")))


def _paragraph(text: str, names: set[str]) -> str:
    if text.lstrip().startswith(">>>"):
        return f"```pycon\n{text}\n```"
    if any(sign in text for sign in DRAWN):
        return f"```text\n{text}\n```"
    return _marked(_literal(text), names)


def _literal(text: str) -> str:
    """Signs that are mathematics here, and that Markdown or HTML would swallow."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*\[\]#_])", r"\\\1", part).replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def _marked(text: str, names: set[str]) -> str:
    """`names` in code where the text begins to speak of them: "k: how many", "queries (b, d): ..."."""
    if not names:
        return text
    name = "|".join(sorted((re.escape(n).replace("_", r"\\_") for n in names), key=len, reverse=True))
    lead = rf"(?P<before>^|[.;,]\s|and\s|\n)(?P<name>{name})(?=:|,\s(?:{name})\b|\sand\s(?:{name})\b|\s\()"
    for _ in range(2):  # a list of names overlaps itself
        text = re.sub(lead, lambda m: m["before"] + "`" + m["name"].replace("\\_", "_") + "`", text)
    return text


def _names(obj: griffe.Object) -> set[str]:
    names = set()
    if isinstance(obj, griffe.Function):
        names = {p.name for p in obj.parameters}
    elif isinstance(obj, griffe.Class):
        own = obj.members.get("__init__")
        names = {name for name, member in obj.members.items() if member.is_attribute}
        names |= {p.name for p in own.parameters} if isinstance(own, griffe.Function) else set()
    return {name.lstrip("*") for name in names} - {"self", "cls"}
