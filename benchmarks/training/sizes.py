"""How large things of a category are: `python -m benchmarks.training.sizes` writes `openshape_ood/scenes/sizes.json`.

Of 40 generated shapes a category, in meters; its other names have the same sizes.
"""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np

from openshape_ood.scenes.boxes import THINNEST, Box
from openshape_ood.synthetic import categories, generate, synonyms

SHAPES = 40
FIRST_SEED = 7_700_000  # beyond those of the benchmarks and of calibration


def sizes(category: str) -> list[list[float]]:
    """Mean and standard deviation (2, 3) of the logarithms of longer side, shorter side and height."""
    meshes = (generate(category, FIRST_SEED + i) for i in range(SHAPES))
    boxes = [Box.around(mesh.vertices[:, [0, 2, 1]]).size for mesh in meshes]
    logs = np.log(np.maximum(boxes, THINNEST))
    return [logs.mean(axis=0).round(3).tolist(), logs.std(axis=0).round(3).tolist()]


def main() -> None:
    of = {category: sizes(category) for category in categories()}
    # a word for two categories would be the size of neither
    words = [word for category in of for word in synonyms(category)]
    others = {word: own for category, own in of.items() for word in synonyms(category) if words.count(word) == 1}
    source = f"{SHAPES} generated shapes a category; python -m benchmarks.training.sizes"
    table = {**{word: own for word, own in others.items() if word not in of}, **of}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table))
    text = f'{{"source": {json.dumps(source)}, "sizes": {{\n{lines}\n}}}}\n'
    path = files("openshape_ood.scenes").joinpath("sizes.json")
    with open(str(path), "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
