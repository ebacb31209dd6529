"""Embed the generated shapes to calibrate `tiny` on, for the package: to be run after `tiny` was trained.

python -m benchmarks.training.calibration_set
"""

from __future__ import annotations

from pathlib import Path

from openshape_ood import ShapeEncoder
from openshape_ood.novelty.generated import FILE, MODEL, write_packaged
from openshape_ood.synthetic import categories


def main() -> None:
    encoder = ShapeEncoder.from_pretrained(MODEL)
    path = Path(encoder.row.folder) / MODEL / FILE
    print(write_packaged(path, encoder, categories()), f"{path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
