"""Where is it novel? Every point of a shape gets a novelty and the known class it is nearest to.

Which of the encoder's features say most is measured by `python -m benchmarks.localize`.
"""

from __future__ import annotations

from openshape_ood.localization.patches import localize, localize_many

__all__ = ["localize", "localize_many"]
