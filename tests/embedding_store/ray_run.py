"""A run of the Ray engine in a process of its own, which prints what it saw as JSON: python ray_run.py IN OUT MODE.

MODE is plain; kill, which ends a worker after the first shard; or poison, where one shape ends whoever reads it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openshape_ood.cli.inputs import list_items
from openshape_ood.embedding_store import Header
from openshape_ood.embedding_store.jobs import Cluster, Item, Settings, embed, on_ray

POISON = "chair/4.obj"


embed_shard, make_folder = on_ray.embed_shard, tempfile.mkdtemp


def poisoned(items: Sequence[Item], settings: Settings, header: Header, out: Path) -> int:
    if any(item.id == POISON for item in items):
        os.kill(os.getpid(), signal.SIGKILL)
    return embed_shard(items, settings, header, out)


def main(shapes: str, out: str, mode: str) -> None:
    if mode == "poison":
        on_ray.embed_shard = poisoned
    workers: list[int] = []
    folders: list[str] = []

    def noted(*given: Any, **more: Any) -> str:
        folders.append(make_folder(*given, **more))
        return folders[-1]

    tempfile.mkdtemp = noted

    def step(count: int, process: int) -> None:
        if mode == "kill" and not workers:
            os.kill(process, signal.SIGKILL)
        workers.append(process)

    settings = Settings("tiny", device="cpu", shard_rows=5)
    cluster = Cluster(workers=2, store_bytes=100 * 2**20)
    done = embed(list_items([shapes]).items, out, settings, engine="ray", cluster=cluster, step=step)
    failed = {one.id: one.error for one in done.failed}
    own = [folder for folder in folders if "openshape-ray-" in folder]
    print(json.dumps({"rows": done.rows, "failed": failed, "given": done.given, "workers": workers, "folders": own}))


if __name__ == "__main__":
    main(*sys.argv[1:])
