"""What is known: names, examples and patches of classes, as embeddings of one encoder."""

from openshape_ood.known.classes import KnownClasses, MemoryBank
from openshape_ood.known.examples import check_examples, check_patches
from openshape_ood.known.names import check_names

__all__ = ["KnownClasses", "MemoryBank", "check_examples", "check_names", "check_patches"]
