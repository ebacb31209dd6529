"""What is new, in groups with names that may suit them, to be added to what is known.

How well this works on generated shapes is measured by `python -m benchmarks discovery`.
"""

from openshape_ood.discovery.groups import discover
from openshape_ood.discovery.result import Discovery, Group, Suggestion

__all__ = ["Discovery", "Group", "Suggestion", "discover"]
