"""Discovery: groups of novel rows with suggested names, and their addition to the known classes.

`python -m benchmarks discovery` measures the groups and names on generated shapes.
"""

from openshape_ood.discovery.groups import discover
from openshape_ood.discovery.result import Discovery, Group, Suggestion

__all__ = ["Discovery", "Group", "Suggestion", "discover"]
