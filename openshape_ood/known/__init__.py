"""Known classes: names, examples and patches as embeddings of one encoder."""

from openshape_ood.checks import check_names
from openshape_ood.known.classes import KnownClasses
from openshape_ood.known.examples import check_examples, check_patches, folded
from openshape_ood.known.memory import MemoryBank

__all__ = ["KnownClasses", "MemoryBank", "check_examples", "check_names", "check_patches", "folded"]
