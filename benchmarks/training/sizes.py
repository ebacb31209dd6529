"""Sizes of the objects of each category: `python -m benchmarks.training.sizes --out FILE`.

The packaged file is `openshape_ood/scenes/sizes.json`; the command refuses to write there. Sizes are of 40 generated
shapes per category, in meters; synonyms of a category have the same sizes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.report.output import LICENCE, check_out
from openshape_ood.scenes.boxes import THINNEST, Box
from openshape_ood.storage import replacing
from openshape_ood.synthetic import categories, generate, synonyms

SHAPES = 40
FIRST_SEED = 7_700_000  # above the seeds of the benchmarks and of calibration


def sizes(category: str) -> list[list[float]]:
    """Mean and standard deviation (2, 3) of the logarithms of longer side, shorter side and height."""
    meshes = (generate(category, FIRST_SEED + i) for i in range(SHAPES))
    boxes = [Box.around(mesh.vertices[:, [0, 2, 1]]).size for mesh in meshes]
    logs = np.log(np.maximum(boxes, THINNEST))
    return [logs.mean(axis=0).round(3).tolist(), logs.std(axis=0).round(3).tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/sizes.json"), help="output file, outside the package")
    args = parser.parse_args()
    check_out(args.out)
    of = {category: sizes(category) for category in categories()}
    # a synonym of two categories is left out, because it has no single size
    words = [word for category in of for word in synonyms(category)]
    others = {word: size for category, size in of.items() for word in synonyms(category) if words.count(word) == 1}
    source = f"{SHAPES} generated shapes a category; python -m benchmarks.training.sizes"
    table = {**{word: size for word, size in others.items() if word not in of}, **of}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table))
    head = f'"source": {json.dumps(source)}, "licence": {json.dumps(LICENCE)}'
    with replacing(args.out) as partial:
        partial.write_text(f'{{{head}, "sizes": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
