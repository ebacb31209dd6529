"""Pictures of shapes, novelty and embeddings: matplotlib for files, plotly for turning in a notebook or a page.

Every function takes an optional `ax` (or `figure`) and returns what it drew on; without one it makes its own, which
needs no display and leaves pyplot alone. `save` writes either kind to a file. Needs the extra `[plots]`; importing
this package does not yet load matplotlib or plotly.

>>> from openshape_ood.synthetic import sample
>>> ax = cloud(sample("chair", 500, seed=1), title="a chair")
>>> ax.get_title()
'a chair'
"""

from __future__ import annotations

from openshape_ood.plots.canvas import panels
from openshape_ood.plots.clouds import cloud
from openshape_ood.plots.curves import roc
from openshape_ood.plots.explained import explanation
from openshape_ood.plots.files import save
from openshape_ood.plots.heatmap import similarity
from openshape_ood.plots.histograms import histogram
from openshape_ood.plots.maps import embeddings
from openshape_ood.plots.sheet import contact_sheet
from openshape_ood.plots.turning import turnable

__all__ = [
    "cloud",
    "contact_sheet",
    "embeddings",
    "explanation",
    "histogram",
    "panels",
    "roc",
    "save",
    "similarity",
    "turnable",
]
