"""The Ray engine on a cluster of two workers: a worker is killed, every row is there once, and nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray_run import POISON
from shape_files import BROKEN, write_files

from openshape_ood import embedding_store as store
from openshape_ood.embedding_store.jobs import Cluster, Settings, embed
from openshape_ood.errors import InputError

pytest.importorskip("pyarrow")
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs ray")
HERE = Path(__file__).parent


def run_ray(shapes: Path, out: Path, mode: str) -> Any:
    """What ray_run.py says; in a process of its own, as Ray warns and keeps threads."""
    package = str(HERE.parent.parent)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(HERE / "ray_run.py"), str(shapes), str(out), mode]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | {"stderr": done.stderr}


def rows_of(folder: Path) -> tuple[list[str], np.ndarray]:
    batches = list(store.read_embeddings(folder))
    ids = [id for batch in batches for id in batch["id"]]
    assert set(Counter(ids).values()) == {1}
    return sorted(ids), np.concatenate([batch["embedding"] for batch in batches])[np.argsort(ids)]


def processes_of(word: str) -> list[str]:
    """Command lines of processes that mention a word; zombies have none."""
    lines = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if word in line]


@pytest.mark.slow
@needs_ray
def test_a_killed_worker_costs_no_row(tmp_path: Path) -> None:
    items = write_files(tmp_path / "in", 40)
    found = run_ray(tmp_path / "in", tmp_path / "ray", "kill")
    (folder,) = found["folders"]  # of this cluster: other ones may run beside it
    assert not processes_of(folder) and not Path(folder).exists()
    assert (found["given"], found["rows"], list(found["failed"])) == (41, 40, [BROKEN])
    assert len(set(found["workers"])) >= 2  # the one that was killed, and others
    embed(items, tmp_path / "local", Settings("tiny", device="cpu", readers=0))
    (ids, embeddings), (expected_ids, expected) = rows_of(tmp_path / "ray"), rows_of(tmp_path / "local")
    assert ids == expected_ids and len(ids) == 40
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)
    assert [one.id for one in store.read_errors(tmp_path / "ray")] == [BROKEN]
    left = {path.name for path in (tmp_path / "ray").iterdir()}
    assert left == {"embeddings", "errors", "manifest.json", ".lock"}


@needs_ray
@pytest.mark.slow
def test_a_shape_that_kills_its_reader_costs_itself_only(tmp_path: Path) -> None:
    write_files(tmp_path / "in", 40)
    found = run_ray(tmp_path / "in", tmp_path / "out", "poison")
    assert (found["given"], found["rows"], set(found["failed"])) == (41, 39, {BROKEN, POISON})
    assert "died several times" in found["failed"][POISON]


@needs_ray
@pytest.mark.slow
def test_quiet_where_all_is_well_and_goes_on(tmp_path: Path) -> None:
    items = write_files(tmp_path / "in", 12)
    embed(items[:5], tmp_path / "out", Settings("tiny", device="cpu", readers=0))
    found = run_ray(tmp_path / "in", tmp_path / "out", "plain")
    assert (found["given"], found["rows"], found["stderr"]) == (13, 12, "")
    assert len(rows_of(tmp_path / "out")[0]) == 12


def test_clusters_that_cannot_be() -> None:
    for cluster, word in ((Cluster(workers=0), "workers"), (Cluster(cpus=0), "cpus"), (Cluster(gpus=-1), "gpus")):
        with pytest.raises(InputError, match=word):
            cluster.check()
