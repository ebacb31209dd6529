"""No file of at most 1 MB takes more than 10 s of CPU or 500 MB at any entry point, whoever reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import entry_costs
import numpy as np
import pytest
from hostile_entries import MAKERS

from openshape_ood.checks import LONGEST_NAME
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.protocols import Identity
from openshape_ood.errors import FileError, OpenShapeError
from openshape_ood.known import KnownClasses
from openshape_ood.registry.rows import load_registry
from openshape_ood.scenes import load_names
from openshape_ood.sklearn_api.detector import NoveltyDetector

FAST = 5  # seconds that each takes at most, of the ten allowed, on a machine with other work
# what is said of each; the others are read, at no more than they cost
SAID = {
    "scores_that_are_words": "scores of a threshold are of type str",
    "scores_with_one_word_among_numbers": "scores of a threshold are of type str",
    "scores_that_are_words_on_the_page": "“a.json” is no threshold, or a damaged one: scores of a",
    "a_list_of_one_long_word": "more than 16,384 characters",
    "a_list_of_very_many_rows": "20,000,000 rows in",
    "a_store_of_wide_zeros": "refused as a bomb",
    "a_store_of_one_long_class": "the class of an id is 'aaaaaaaaaaaa...aaaaaaaaaaaaa', of 16,000 characters",
    "tensors_of_one_number": "q.weight, k.weight, v.weight have far more numbers than the file",
    "tensors_that_share_their_numbers": "have far more numbers than the file",
    "known_classes_with_one_long_name": "of 60,000 characters. Expected at most 256. Shorten it",
    "a_detector_with_one_long_name": "of 60,000 characters. Expected at most 256. Shorten it",
    "a_map_with_one_long_name": "class 0 is 'aaaaaaaaaaaa...aaaaaaaaaaaaa', of 60,000 characters",
    "a_scan_with_one_long_name_beside": "label 0 is 'aaaaaaaaaaaa...aaaaaaaaaaaaa', of 60,000 characters",
    "labels_that_are_nowhere": "would take 128,000,000,000 bytes of memory",
    "labels_that_are_not_of_the_clouds": "label (500000000,); expected one label per cloud",
    "a_cloud_that_is_nowhere": "would take 6,000,000,000 bytes of memory",
    "a_long_chain_of_rows": "ends a chain of 'like' with more than 16 rows",
}
NEEDS = {"list": "pyarrow", "h5": "h5py", "show": "plotly"}


def made(name: str, folder: Path) -> tuple[str, str]:
    door, make = MAKERS[name]
    for word, package in {**NEEDS, "store": "pyarrow", "h5 row": "h5py"}.items():
        if word in door:
            pytest.importorskip(package)
    return door, str(make(folder))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SAID)
def test_a_hostile_file_is_refused_in_words(name: str, tmp_path: Path) -> None:
    said = entry_costs.outcome(*made(name, tmp_path))
    assert said.startswith("refused: ") and SAID[name] in said
    assert len(said) < 800


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="costs are measured in forks")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MAKERS)
def test_a_hostile_file_is_read_or_refused_at_a_bounded_cost(name: str, tmp_path: Path) -> None:
    door, path = made(name, tmp_path)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    run = [sys.executable, entry_costs.__file__, door, path]
    done = subprocess.run(run, capture_output=True, text=True, env=env, check=True)
    cost: dict[str, Any] = json.loads(done.stdout)[path]
    assert cost["outcome"].startswith("refused: " if name in SAID else "read: ")
    assert cost["seconds"] < FAST
    assert cost["megabytes"] < entry_costs.MEGABYTES


def test_names_of_a_length_that_people_read_pass_and_are_found_again(tmp_path: Path) -> None:
    rows, names = np.eye(3), ["a", "b" * LONGEST_NAME, "c"]
    known = KnownClasses.from_embeddings(rows, names, Identity("mine", "words", "ab" * 32))
    assert KnownClasses.load(known.save(tmp_path / "a.safetensors")).names == tuple(names)
    detector = NoveltyDetector().fit(np.repeat(rows, 20, axis=0), np.repeat(names, 20).tolist())
    detector.save(tmp_path / "b.safetensors")
    assert NoveltyDetector.load(tmp_path / "b.safetensors").classes_.tolist() == names
    names[1] += "b"
    with pytest.raises(OpenShapeError, match=r"known class 1 is 'b.*', of 257 characters. Expected at most 256"):
        KnownClasses.from_embeddings(rows, names, known.identity)
    with pytest.raises(OpenShapeError, match=r"a label is 'b.*', of 257 characters. Expected at most 256"):
        NoveltyDetector().fit(np.repeat(rows, 20, axis=0), np.repeat(names, 20).tolist())


LOADERS: dict[str, Callable[[Path], object]] = {
    "a.json": Threshold.load,
    "a.safetensors": KnownClasses.load,
    "b.safetensors": NoveltyDetector.load,
    "a.toml": load_registry,
    "a.names.json": load_names,
    "a.ply": lambda path: entry_costs.show(str(path)),
    "a.parquet": lambda path: entry_costs.store(str(path)),
    "a.npz": lambda path: entry_costs.store(str(path)),
    "b.csv": lambda path: entry_costs.shape_list(str(path)),
    "c.parquet": lambda path: entry_costs.shape_list(str(path)),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
@pytest.mark.parametrize("name", LOADERS)
def test_a_pipe_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    path, said = tmp_path / name, list[str]()
    os.mkfifo(path)

    def read() -> None:
        try:
            LOADERS[name](path)
        except FileError as error:
            said.append(str(error))

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(30)
    assert not reading.is_alive()
    assert "it is a pipe or a device. Expected a regular file. Save the data to one first" in said[0]
    assert str(path) in said[0]
