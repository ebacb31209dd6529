"""Anomaly maps of surfaces and images, learned from normal examples only.

`base` has the interface; `baselines` the mean image and PCA.
"""

from openshape_ood.reconstruction.base import Reconstructor
from openshape_ood.reconstruction.baselines import MeanReconstructor, PCAReconstructor
from openshape_ood.reconstruction.methods import RECONSTRUCTORS, find_reconstructor, load_reconstructor

__all__ = [
    "RECONSTRUCTORS",
    "MeanReconstructor",
    "PCAReconstructor",
    "Reconstructor",
    "find_reconstructor",
    "load_reconstructor",
]
