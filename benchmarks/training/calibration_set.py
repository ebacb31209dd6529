"""Embed the packaged calibration set of generated shapes; run it again after each training of `tiny` or `small`.

python -m benchmarks.training.calibration_set --model small --out FILE
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.report.output import check_out
from openshape_ood import ShapeEncoder
from openshape_ood.novelty.generated import FILE, MODEL, MODELS, write_packaged
from openshape_ood.synthetic import categories


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.calibration_set", description=__doc__)
    parser.add_argument("--model", choices=list(MODELS), default=MODEL, help="packaged encoder (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results") / FILE, help="output file, outside the package")
    args = parser.parse_args()
    check_out(args.out)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    encoder = ShapeEncoder.from_pretrained(args.model)
    print(write_packaged(args.out, encoder, categories(), args.model), f"{args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
