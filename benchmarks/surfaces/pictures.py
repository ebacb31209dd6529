"""Pictures of roads from above: intensity, true damage, novelty by each reconstructor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.pictures.scenes import by_palette
from benchmarks.surfaces.generated import Roads, from_above
from openshape_ood import plots
from openshape_ood.novelty_map.colors import ramp
from openshape_ood.synthetic.roads import DAMAGES

SIDE = 1.9  # inches of a panel
DAMAGE = np.array([0.75, 0.1, 0.1])


def draw_roads(path: Path, test: Roads, runs: Mapping[str, Any]) -> Path:
    """Draw the first road of each kind of damage in one row: intensity, truth, novelty of the points by each run."""
    shown = [next(i for i, scan in enumerate(test.scans) if (scan.truth == 1 + k).any()) for k in range(len(DAMAGES))]
    columns = 2 + len(runs)
    figure, axes = plots.panels(len(shown), columns, size=(SIDE * columns, SIDE * len(shown) + 0.9))
    for row, (i, damage) in enumerate(zip(shown, DAMAGES, strict=True)):
        scan = test.scans[i]
        gray = np.repeat(scan.intensity[:, None], 3, axis=1).astype(np.float64)
        truth = np.where(scan.damaged[:, None], DAMAGE, 0.35 + 0.5 * gray)
        flat = from_above(scan)
        panels = {"intensity": gray, "truth": truth}
        for name, run in runs.items():
            low, high = (one := run.fitted.reconstructor).baseline_, one.pixel_threshold_.value
            novelty = np.nan_to_num(run.judged.points[i], nan=low)
            panels[name] = ramp(novelty, low, 2 * high - low)
        for ax, (name, rgb) in zip(axes[row], panels.items(), strict=True):
            ax.scatter(*flat.T, c=rgb.clip(0, 1), s=1.0, linewidths=0, rasterized=True)
            ax.set(aspect="equal", xticks=[], yticks=[])
            if row == 0:
                ax.set_title(name.replace(", ", ",\n"), fontsize=8)
        axes[row, 0].set_ylabel(damage, fontsize=9)
    words = "gray: median novelty of undamaged pixels; dark red: as far above the threshold as gray is below it"
    figure.suptitle(f"generated roads from above; {words}", fontsize=9)
    return by_palette(plots.save(figure, path, dpi=80))
