"""The README's examples, as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from openshape_ood import NoveltyMap, NoveltyResult

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run_one_after_the_other() -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(README), "exec"), names)
    why = names["why"]
    assert isinstance(why, NoveltyMap)
    assert len(why) == 2048 and why.is_novel.any()
    result = names["result"]
    assert isinstance(result, NoveltyResult)
    assert result.nearest[0] == "chair"
    assert result.novelty[0] < result.novelty[1]
