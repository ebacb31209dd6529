"""Where Ray runs, and how much each worker takes."""

from __future__ import annotations

from dataclasses import dataclass

from openshape_ood.errors import InputError


@dataclass(frozen=True)
class Cluster:
    """address: of a Ray cluster, "auto" for the one that this machine belongs to, None to start one here for the time
    of the run. workers: encoders at once, None for one a GPU, or where there are none one for every `cpus` cores.
    cpus, gpus: of each worker; gpus None for 1 where the cluster has any and the settings allow it. store_bytes:
    shared memory of a cluster that is started here."""

    address: str | None = None
    workers: int | None = None
    cpus: float = 1
    gpus: float | None = None
    store_bytes: int = 256 * 2**20

    def check(self) -> None:
        """Raises `InputError` for values that cannot be used."""
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers is {self.workers}; expected 1 or more")
        if self.cpus <= 0:
            raise InputError(f"cpus is {self.cpus}; expected more than 0")
        if self.gpus is not None and self.gpus < 0:
            raise InputError(f"gpus is {self.gpus}; expected 0 or more")
