"""Child processes that do one kind of task: in order, with back-pressure, within limits of memory and time.

`in_order` does many tasks, several at once; `once` does a single one that is not trusted. Children are programs of
their own, `python -m openshape_ood.workers`, rather than processes of `multiprocessing`: a forked one does not survive
torch's threads, and a spawned one imports the parent's main module first, which takes seconds where that imports
torch and fails for a script without a main guard or one that comes from standard input. They are talked to over
pipes: JSON with its length before it, and arrays as their bytes. Nothing is unpickled.

A task is named "module:factory". In the child `factory(**settings)` is called once and gives the function that does
every task: from an argument that is JSON to an answer that is JSON, and arrays.
"""

from openshape_ood.workers.pool import default_workers, in_order
from openshape_ood.workers.process import Seal, once
from openshape_ood.workers.tasks import Done

__all__ = ["Done", "Seal", "default_workers", "in_order", "once"]
