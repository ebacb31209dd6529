"""The map on disk: replay, torn lines, damage, kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_up_place import frames, made_map, pipeline
from test_scene_map import state_of

from openshape_ood.errors import FileError
from openshape_ood.scene_map import MapWarning, SceneMap
from openshape_ood.scene_map.events import as_line, read_events

FRAMES = 40


def filled(folder: Path, count: int = 12) -> SceneMap:
    found = made_map(path=folder)
    for i, (points, seconds) in enumerate(frames(count)):
        found.add(points, time=seconds, source=f"frame {i}")
    return found


def test_replay_is_the_same_to_the_bit(tmp_path) -> None:
    found = filled(tmp_path / "map")
    found.name(2, "plate")
    found.skip("broken.ply", "it is empty")
    found.add(frames(13)[12][0], time=9.0)
    before = state_of(found)
    found.close()
    for _ in range(2):  # from the first snapshot, then from a later one
        again = SceneMap.load(tmp_path / "map", pipeline())
        assert state_of(again) == before
        again.save()
        again.close()
    (tmp_path / "map" / "objects.safetensors").unlink()
    again = SceneMap.load(tmp_path / "map", pipeline())
    assert state_of(again) == before


def test_a_map_in_memory_moves_to_a_folder(tmp_path) -> None:
    found = made_map()
    for points, seconds in frames(5):
        found.add(points, time=seconds)
    found.save(tmp_path / "map")
    found.add(frames(6)[5][0])
    before = state_of(found)
    found.close()
    assert state_of(SceneMap.load(tmp_path / "map", pipeline())) == before


@pytest.mark.parametrize("cut", [1, 5, 200])
def test_a_torn_last_line_is_dropped_and_written_over(tmp_path, cut: int) -> None:
    found = filled(tmp_path / "map", 5)
    found.close()
    path = tmp_path / "map" / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.warns(MapWarning, match="torn"):
        again = SceneMap.load(tmp_path / "map", pipeline())
    assert again.state.views == 4
    again.add(frames(5)[4][0], time=0.4, source="frame 4")
    assert state_of(again) == state_of(found)
    again.close()
    SceneMap.load(tmp_path / "map", pipeline())


@pytest.mark.parametrize("at, words", [(0.5, "damaged after event"), (0.9, "damaged after event")])
def test_a_damaged_line_is_refused(tmp_path, at: float, words: str) -> None:
    found = filled(tmp_path / "map", 6)
    found.close()
    path = tmp_path / "map" / "events.jsonl"
    content = bytearray(path.read_bytes())
    content[int(at * len(content)) - 900] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileError, match=words):
        SceneMap.load(tmp_path / "map", pipeline())


def test_a_missing_event_is_refused(tmp_path) -> None:
    found = filled(tmp_path / "map", 6)
    found.close()
    path = tmp_path / "map" / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    with pytest.raises(FileError, match="Expected event 3"):
        SceneMap.load(tmp_path / "map", pipeline())


@pytest.mark.parametrize(
    "event", [{"kind": "map"}, {"kind": "map", "format": "x"}, {"kind": "add"}, {"kind": "wild"}, {"kind": 3}]
)
def test_foreign_events_are_refused(tmp_path, event) -> None:
    found = filled(tmp_path / "map", 1)
    end, seq = found._log.end, found.state.seq
    found.close()
    path = tmp_path / "map" / "events.jsonl"
    path.write_bytes(path.read_bytes()[:end] + as_line({"seq": seq + 1, **event}))
    with pytest.raises(FileError, match="no log of a map"):
        SceneMap.load(tmp_path / "map", pipeline())


def test_a_damaged_snapshot_costs_nothing_but_time(tmp_path) -> None:
    found = filled(tmp_path / "map", 6)
    found.save()
    before = state_of(found)
    found.close()
    path = tmp_path / "map" / "objects.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.warns(MapWarning, match="All events are replayed"):
        assert state_of(SceneMap.load(tmp_path / "map", pipeline())) == before


def test_the_log_grows_by_the_event_and_is_numbered(tmp_path) -> None:
    found = filled(tmp_path / "map", 6)
    found.close()
    assert [one.event["seq"] for one in read_events(tmp_path / "map" / "events.jsonl")] == list(range(7))


def killed_runs(folder: Path, kills: int) -> SceneMap:
    """The map after so many runs that were killed at random moments, and one that was not."""
    made_map(path=folder).close()
    chance = random.Random(0)
    folders = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    told = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "PYTHONWARNINGS": "ignore"}
    for i in range(kills + 1):
        child = subprocess.Popen(
            [sys.executable, str(Path(__file__).parents[1] / "made_up_place.py"), str(folder), str(FRAMES)],
            stdout=subprocess.PIPE,
            env=told,
        )
        if i < kills:
            child.stdout.readline()
            time.sleep(chance.uniform(0, 0.06))
            child.send_signal(signal.SIGKILL)
            child.communicate()
        else:
            child.communicate()
            assert child.returncode == 0
    return SceneMap.load(folder, pipeline())


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:the last line")
def test_killed_at_any_moment_it_goes_on_as_if_it_had_not_been(tmp_path, kills: int) -> None:
    undisturbed = filled(tmp_path / "whole", FRAMES)
    assert state_of(killed_runs(tmp_path / "killed", kills)) == state_of(undisturbed)
