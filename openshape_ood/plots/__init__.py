"""Plots of shapes, novelty and embeddings: matplotlib for files, plotly for interactive views.

A function with the argument `ax` draws in these axes and returns them. Default: axes of a new figure. Other functions
return a figure. Figures need no display and do not use pyplot. `save` writes figures of both packages to files.

The functions need the extra `[plots]`. Importing this package loads neither matplotlib nor plotly. Functions raise
`InputError` for invalid values, `UnknownNameError` for an unknown color or axis, `FileError` for an unreadable file,
and `MissingPackageError` without matplotlib or plotly.

>>> from openshape_ood.synthetic import sample
>>> ax = cloud(sample("chair", 500, seed=1), title="a chair")
>>> ax.get_title()
'a chair'
"""

from __future__ import annotations

from openshape_ood.plots.canvas import panels, save
from openshape_ood.plots.changes import changes
from openshape_ood.plots.clouds import cloud, novelty_map
from openshape_ood.plots.images import relevancy
from openshape_ood.plots.interactive import turnable
from openshape_ood.plots.scenes import scene
from openshape_ood.plots.scores import histogram, roc, similarity
from openshape_ood.plots.sheet import contact_sheet, group_sheet
from openshape_ood.plots.tsne import embeddings
from openshape_ood.plots.views import completed, film

__all__ = [
    "changes",
    "cloud",
    "completed",
    "contact_sheet",
    "embeddings",
    "film",
    "group_sheet",
    "histogram",
    "novelty_map",
    "panels",
    "relevancy",
    "roc",
    "save",
    "scene",
    "similarity",
    "turnable",
]
