"""The README's example, as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from openshape_ood import NoveltyResult

README = Path(__file__).parents[1] / "README.md"


def test_the_example_runs() -> None:
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, str(README), "exec"), names)
    result = names["result"]
    assert isinstance(result, NoveltyResult)
    assert result.nearest[0] == "chair"
    assert result.novelty[0] < result.novelty[1]
