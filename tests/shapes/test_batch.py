from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from made_up_parser import write_parser

import openshape_ood
from openshape_ood import workers as processes
from openshape_ood.errors import InputError, OpenShapeError
from openshape_ood.shapes import CloudSpec, Read, batches, load_shape, read_shapes
from openshape_ood.shapes.points import prepare
from openshape_ood.workers import Done, Limits

PACKAGE = Path(openshape_ood.__file__).parent.parent
TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


@pytest.fixture
def misbehavior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(write_parser(tmp_path))
    return tmp_path


def clouds(folder: Path, count: int, points: int = 20) -> list[Path]:
    """Cloud i is full of random numbers about i."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i}.npy" for i in range(count)]
    for i, path in enumerate(paths):
        np.save(path, i + np.random.RandomState(i).rand(points, 3) / 2, allow_pickle=False)
    return paths


def place(read: Read) -> int:
    """Which of `clouds` it is."""
    assert read.cloud is not None, read.error
    return int(read.cloud.min())


def children() -> set[int]:
    """Processes of this one that have not been waited for: running, or zombies."""
    mine = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(os.getpid()):
            mine.add(int(status.parent.name))
    return mine


in_proc = pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="looks in /proc")


@pytest.fixture(autouse=True)
def leaves_nothing() -> Iterator[None]:
    """Every test: no process and no thread outlives its iterators, but for those that wait for a next call."""
    processes._idle.close()
    before = children()
    yield
    processes._idle.close()
    if Path("/proc/self/stat").exists():
        assert children() <= before
    assert not [thread for thread in threading.enumerate() if thread.name == "openshape-ood worker"]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_reads_come_in_order_and_are_what_load_shape_gives(tmp_path: Path, workers: int) -> None:
    paths = clouds(tmp_path, 9)
    (tmp_path / "solid.obj").write_text(TETRAHEDRON, encoding="utf-8")
    colored = "\n".join(f"{line} 1 0 0.5" if line[0] == "v" else line for line in TETRAHEDRON.splitlines())
    (tmp_path / "colored.obj").write_text(colored, encoding="utf-8")
    paths[4:4] = [tmp_path / "solid.obj", tmp_path / "colored.obj"]
    reads = list(read_shapes(map(str, paths), points=500, seed=7, up="z", workers=workers, ahead=4))
    assert [(read.index, read.path, read.up, read.error) for read in reads] == [
        (i, str(path), "z", None) for i, path in enumerate(paths)
    ]
    for read, path in zip(reads, paths, strict=True):
        expected = load_shape(path, points=500, seed=7)
        assert read.cloud is not None and read.cloud.dtype == np.float64
        np.testing.assert_array_equal(read.cloud, expected)
    assert reads[4].cloud is not None and reads[4].cloud.shape == (500, 3)
    assert reads[5].cloud is not None and reads[5].cloud.shape == (500, 6)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_file_costs_that_file_only(tmp_path: Path, workers: int) -> None:
    paths: list[str | os.PathLike[str]] = [*clouds(tmp_path, 4)]
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "grüße.xyz").write_text("0 0 0\n1 0 0\n", encoding="utf-8")
    bad = [tmp_path / "none.ply", tmp_path / "cut.npy", tmp_path, "null\0.npy", "x" * 5000 + ".npy", "lone\ud800.npy"]
    reads = list(read_shapes([*paths[:2], *bad, *paths[2:], tmp_path / "grüße.xyz"], points=9, seed=0, workers=workers))
    assert [place(read) for read in [*reads[:2], *reads[8:10]]] == [0, 1, 2, 3]
    assert reads[10].error is None and reads[10].path.endswith("grüße.xyz")
    for read, path in zip(reads[2:8], bad, strict=True):
        assert read.cloud is None and read.error and read.path == str(path) and read.up == ""
    assert "no such file" in str(reads[2].error) and "cannot read" in str(reads[3].error)
    assert "is a folder" in str(reads[4].error)


def test_a_worker_that_is_killed_costs_the_file_it_read(misbehavior: Path) -> None:
    good = clouds(misbehavior / "good", 10)
    paths = [*good[:3], misbehavior / "die.las", *good[3:6], misbehavior / "leave.las", *good[6:]]
    reads = list(read_shapes(paths, points=9, seed=0, workers=2))
    assert [place(read) for read in reads if read.error is None] == list(range(10))
    died, left = reads[3], reads[7]
    assert died.error == f"{died.path}: the process that read it was ended by SIGKILL; perhaps memory ran out"
    assert left.error == f"{left.path}: the process that read it ended with status 3"


def test_a_file_that_takes_too_long_is_given_up(misbehavior: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "reading_limits", lambda: lambda path: Limits(wall=1))
    good = clouds(misbehavior / "good", 6)
    started = time.monotonic()
    paths = [misbehavior / "hang.las", *good[:3], misbehavior / "hang.las", *good[3:]]
    reads = list(read_shapes(paths, points=9, seed=0, workers=2))
    assert time.monotonic() - started < 20  # rather than two minutes
    assert [place(read) for read in reads if read.error is None] == list(range(6))
    assert reads[0].error == f"{reads[0].path}: reading it took more than 1 s and was stopped"
    assert reads[4].error is not None and "1 s" in reads[4].error


def test_noise_and_want_of_memory_end_no_worker(misbehavior: Path) -> None:
    (good,) = clouds(misbehavior / "good", 1)
    paths = [misbehavior / "print.las", misbehavior / "memory.las", good]
    noise, memory, last = read_shapes(paths, points=9, seed=0, workers=1)
    assert noise.error is not None and "misbehaved: print" in noise.error
    assert memory.error is not None and "memory.las" in memory.error
    assert place(last) == 0


def test_an_idle_worker_that_dies_costs_no_file(tmp_path: Path) -> None:
    before = children()
    with_slow_paths = iter(clouds(tmp_path, 6))

    def paths() -> Iterator[Path]:
        yield from itertools.islice(with_slow_paths, 3)
        yield tmp_path / "none.ply"
        for worker in children() - before:
            os.kill(worker, signal.SIGKILL)
        time.sleep(0.05)
        yield from with_slow_paths

    reads = read_shapes(paths(), points=9, seed=0, workers=1, ahead=1)
    assert [place(read) for read in reads if read.error is None] == list(range(6))


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    """An endless iterator of paths, and a caller who takes his time."""
    (path,) = clouds(tmp_path, 1)
    pulled = itertools.count()
    reads = read_shapes((path for _ in pulled), points=9, seed=0, workers=2, ahead=5)
    for taken, _ in enumerate(itertools.islice(reads, 30), 1):
        if taken % 10 == 0:
            time.sleep(0.02)
        assert next(pulled) <= taken + 5 + taken  # each look at the count adds one to it
    reads.close()


def test_waiting_clouds_are_bounded_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "HELD_BYTES", 3 * 1000 * 24)  # three clouds of 1000 points
    entered: list[int] = []
    enter = processes._Pool._enter

    def watched(room: processes._Pool, index: int, size: int) -> None:
        enter(room, index, size)
        entered.append(index)

    monkeypatch.setattr(processes._Pool, "_enter", watched)
    paths = clouds(tmp_path, 12, points=1000)
    reads = read_shapes(paths, points=9, seed=0, workers=2, ahead=12)
    assert place(next(reads)) == 0
    time.sleep(0.3)
    assert set(entered) <= {0, 1, 2, 3, 4}  # that taken, three that fill the room, the one in turn
    assert [place(read) for read in reads] == list(range(1, 12))


def test_a_cloud_larger_than_the_room_and_the_pipe_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "HELD_BYTES", 1000)
    paths = clouds(tmp_path, 3, points=100_000)  # 2.4 MB
    for read in read_shapes(paths, points=9, seed=0, workers=2):
        assert read.cloud is not None
        np.testing.assert_array_equal(read.cloud, np.load(read.path))


@in_proc
def test_closing_early_ends_workers_that_hang(misbehavior: Path) -> None:
    (good,) = clouds(misbehavior / "good", 1)
    before = children()
    paths = [good, misbehavior / "hang.las", misbehavior / "hang.las"]
    with closing(read_shapes(paths, points=9, seed=0, workers=3)) as reads:
        assert place(next(reads)) == 0
        workers = children() - before
        assert len(workers) == 3
        scores = [Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii") for pid in workers]
        assert "1000\n" in scores  # where memory runs out they end before this process; some may only begin
        started = time.monotonic()
    assert children() == before and time.monotonic() - started < 5


def test_an_error_of_the_paths_is_raised_and_ends_the_workers(tmp_path: Path) -> None:
    def paths() -> Iterator[Path]:
        yield from clouds(tmp_path, 3)
        raise RuntimeError("the list broke off")

    before = children()
    with pytest.raises(RuntimeError, match="broke off"):
        list(read_shapes(paths(), points=9, seed=0, workers=1, ahead=1))
    assert children() == before


def test_without_look_ahead_nothing_starts(tmp_path: Path) -> None:
    before = children()
    reads = read_shapes(clouds(tmp_path, 2), points=9, seed=0, workers=2)
    assert children() == before
    reads.close()
    assert list(read_shapes([], points=9, seed=0, workers=2)) == []


SCRIPT = """
import sys
from openshape_ood.shapes.batches import read_shapes
reads = read_shapes(sys.argv[1:], points=9, seed=0, workers=2)
first = next(reads)
print(first.cloud.shape, first.error, *(name for name in ("torch", "multiprocessing.spawn") if name in sys.modules))
sys.stdout.flush()
"""


@pytest.mark.parametrize("how", ["-c", "-", "script"])
def test_no_main_guard_is_needed(tmp_path: Path, how: str) -> None:
    """Nor does an iterator that is left open keep the program from ending, or a worker alive."""
    paths = [str(path) for path in clouds(tmp_path, 3)]
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    words = {"-c": ["-c", SCRIPT], "-": ["-"], "script": [str(tmp_path / "script.py")]}[how]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
    done = subprocess.run(
        [sys.executable, *words, *paths],
        input=SCRIPT if how == "-" else "",
        capture_output=True,
        text=True,
        timeout=20,
        env=environment,
        cwd=tmp_path,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("(20, 3) None\n", "", 0)


@in_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_program(misbehavior: Path, number: signal.Signals) -> None:
    """Ctrl-C, and an end that leaves no time to clean up; while a worker reads a file for ever, in C code that
    lets no other thread run."""
    (good,) = clouds(misbehavior / "good", 1)
    code = SCRIPT + "print(next(reads))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(misbehavior / "parser"), str(PACKAGE)])}
    program = subprocess.Popen(
        [sys.executable, "-c", code, good, misbehavior / "hold.las"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        # in the background of a shell it would be ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert program.stdout is not None
    with program.stdout:
        assert program.stdout.readline() == "(20, 3) None\n"
        workers = Path(f"/proc/{program.pid}/task")
        found = {int(pid) for task in workers.iterdir() for pid in (task / "children").read_text().split()}
        assert len(found) == 2
        assert soon((misbehavior / "parser" / "held").exists)
        program.send_signal(number)
        assert program.wait(10) == -number
    assert soon(lambda: gone(found))


def gone(processes: set[int]) -> bool:
    """Whether none of them runs any more; nobody may be there to wait for zombies."""
    states = []
    for pid in processes:
        with suppress(OSError):
            states.append(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0])
    return set(states) <= {"Z", "X"}


def soon(happens: Callable[[], bool]) -> bool:
    """Whether it does within five seconds."""
    for _ in range(100):
        if happens():
            return True
        time.sleep(0.05)
    return False


def test_clouds_come_ready_for_an_encoder(tmp_path: Path) -> None:
    paths = clouds(tmp_path, 3)
    frame = CloudSpec(count=16, up="z", color=0.4)
    for read in read_shapes(paths, points=9, seed=5, up="x", frame=frame, workers=1):
        cloud = load_shape(read.path)
        expected = prepare(cloud, CloudSpec(16, "z", 0.4), up="x", seed=5, name="a cloud")
        assert read.cloud is not None and read.cloud.dtype == np.float32 and read.up == "x"
        np.testing.assert_array_equal(read.cloud, expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_is_asked_for_its_axis(tmp_path: Path, workers: int) -> None:
    paths = clouds(tmp_path, 1)
    (read,) = read_shapes(paths, points=9, seed=0, up="file", workers=workers)
    assert read.up == "y" and read.error is None


@pytest.mark.parametrize("workers", [0, 1])
def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    clouds(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    (read,) = read_shapes(["0.npy"], points=9, seed=0, workers=workers)
    assert place(read) == 0 and read.path == "0.npy"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"points": 0}, "points is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"up": "w"}, "up is 'w'"),
        ({"workers": -1}, "workers is -1"),
        ({"ahead": 0}, "ahead is 0"),
        ({"paths": "a.ply"}, "one path, 'a.ply'"),
    ],
)
def test_values_that_cannot_be_are_refused_at_once(change: dict[str, object], message: str) -> None:
    values: dict[str, object] = {"paths": ["a.ply"], "points": 9, "seed": 0} | change
    with pytest.raises(InputError, match=message):
        read_shapes(**values)


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(InputError, match="holds ndarray"):
        list(read_shapes([np.zeros((3, 3))], points=9, seed=0, workers=1))


@pytest.mark.parametrize("program", ["/bin/false", "/no/python", ""])
def test_workers_that_cannot_be_started_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(OpenShapeError, match=r"no reading process can be started.*workers=0"):
        list(read_shapes(clouds(tmp_path, 2), points=9, seed=0, workers=1))


@pytest.mark.parametrize(
    "answer, arrays",
    [
        ("y", [(0, 3)]),
        ("y", [(2, 4)]),
        ("y", [(6,)]),
        ("y", []),
        ("y", [(2, 3), (2, 3)]),
        (None, [(2, 3)]),
    ],
)
def test_what_comes_back_is_checked(answer: object, arrays: list[tuple[int, ...]]) -> None:
    done = Done(0, ["a.ply"], answer, tuple(map(np.zeros, arrays)))
    assert (
        batches._outcome(done).error
        == "a.ply: its reading process returned no cloud. Expected (n, 3) or (n, 6). Read the file with load_shape."
    )


def test_workers_load_little() -> None:
    """A worker is there in a moment: no torch, and trimesh only when there is a mesh."""
    code = "import openshape_ood.shapes.batches, sys; print(*{'torch', 'trimesh', 'scipy', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE)
    assert done.stdout.strip() == ""
