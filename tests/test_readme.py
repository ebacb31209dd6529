"""The README: its examples as they stand print what it says; it is short, and its links lead to files."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from printed import alike

from openshape_ood import NoveltyResult

README = Path(__file__).parents[1] / "README.md"
EXAMPLE = re.compile(r"```python\n(.*?)```\n\n```\n(.*?)```", re.DOTALL)


def test_the_examples_run_one_after_the_other_and_print_what_is_shown() -> None:
    text = README.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(text)
    assert len(examples) == text.count("```python")
    names: dict[str, object] = {}
    for code, shown in examples:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, str(README), "exec"), names)
        assert alike(printed.getvalue(), shown), f"now\n{printed.getvalue()}\nshown\n{shown}"
    result = names["result"]
    assert isinstance(result, NoveltyResult)
    assert result.nearest[0] == "chair"
    assert result.novelty[0] < result.novelty[1]
    assert result.is_novel.tolist() == [False, True]


def test_it_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_links_and_pictures_lead_to_files() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)\s]+)\)", README.read_text(encoding="utf-8"))
    assert not [target for target in targets if not (README.parent / target.partition("#")[0]).is_file()]
    for page, anchor in (target.split("#") for target in targets if "#" in target):
        headings = re.findall(r"^#+ (.*)$", (README.parent / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, page
