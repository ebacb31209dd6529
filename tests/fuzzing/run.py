"""`python -m tests.fuzzing`: no file may crash, hang or swell what reads it, or be refused with another's error.

Every file is read by a child process under limits. A finding is a crash, more than 10 s of processor time, more than
500 MB, an error that is no `OpenShapeError`, or a file opened outside the folder; it is kept, for `--replay`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import options
from openshape_ood.errors import InputError, WorkerError
from openshape_ood.workers import Done, Limits, in_order
from tests.fuzzing.generated import FORMATS, generate
from tests.fuzzing.mutated import mutate
from tests.fuzzing.readers import READERS, reader
from tests.fuzzing.sound import write_companions, write_side_files, write_sound

SECONDS, MEGABYTES = 10, 500
# what a child may take; less than this is told apart by what it measures
LIMITS = Limits(SECONDS, 10 * SECONDS, 2**31)
# of the files, where those of the other readers are 1; checkpoints are few, as a child of their own tries each
SHARES = {"shape": 21, "checkpoint": 0.3, "scan": 4, "picture": 4, "view": 3, "comparator": 0.5}
GENERATED, BLOCK = 0.25, 50  # share of shapes that are made up, so many at once
KEPT = 3  # files of each finding
AHEAD = 64


@dataclass
class Tally:
    """What became of the files of one kind."""

    files: int = 0
    read: int = 0
    seconds: float = 0.0
    bytes: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, done: Done) -> None:
        answer = done.answer or {}
        self.files += 1
        self.read += done.error is None and "error" not in answer
        self.seconds = max(self.seconds, answer.get("seconds", 0))
        self.bytes = max(self.bytes, answer.get("bytes", 0))
        if done.error is not None or "error" in answer:
            self.errors[answer.get("error") or type(done.error).__name__] += 1


class Files:
    """Files that are wrong, in a folder, the same for the same seed; each is there until it was read."""

    def __init__(self, folder: Path, sound: dict[str, list[Path]], seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.sound = {kind: [(path.suffix, path.read_bytes()) for path in paths] for kind, paths in sound.items()}
        self._made_up: dict[str, Iterator[bytes]] = {}
        self._blocks = Counter[str]()

    def __iter__(self) -> Iterator[list[str]]:
        """Door and path of one after the other, without end."""
        readers, shares = list(self.sound), [SHARES.get(kind, 1) for kind in self.sound]
        for index in count():
            rng = random.Random(f"{self.seed}-{index}")
            (kind,) = rng.choices(readers, shares)
            if kind == "shape" and rng.random() < GENERATED:
                suffix = rng.choice(list(FORMATS))
                content = self._made(suffix)
            else:
                suffix, content = rng.choice(self.sound[kind])
                content = mutate(content, [data for _, data in self.sound[kind]], rng)
            path = self.folder / f"{kind}-{self.seed}-{index}{suffix}"
            path.write_bytes(content)
            yield [kind, str(path)]

    def _made(self, suffix: str) -> bytes:
        while True:
            content = next(self._made_up.get(suffix, iter(())), None)
            if content is not None:
                return content
            number = random.Random(f"{self.seed}{suffix}{self._blocks[suffix]}").getrandbits(32)
            self._blocks[suffix] += 1
            self._made_up[suffix] = generate(suffix, BLOCK, number)


def judged(done: Done) -> str:
    """What is wrong with how a file was read; "" for nothing."""
    if isinstance(done.error, WorkerError):
        return str(done.error)
    if done.error is not None:
        return f"the child says {done.error!r}"
    found = done.answer
    if found["seconds"] > SECONDS:
        return f"it took {found['seconds']:.0f} s"
    if found["bytes"] > MEGABYTES * 1e6:
        return f"it took {found['bytes'] / 1e6:.0f} MB"
    if found["opened"]:
        return f"it opened {', '.join(found['opened'])[:300]}"
    return "" if found.get("ours", True) else f"{found['error']}: {found['said']}"


def read_files(arguments: Any, folder: Path, sound: dict[str, list[Path]], workers: int) -> Iterator[Done]:
    """What became of every file, within limits, by readers that have read a sound file each."""
    first = {kind: str(paths[0]) for kind, paths in sound.items()}
    settings = {"folder": str(folder), "readers": first}
    task = f"{reader.__module__}:{reader.__name__}"
    with closing(in_order(task, settings, arguments, workers=workers, ahead=AHEAD, limits=lambda _: LIMITS)) as done:
        yield from done


def run(args: argparse.Namespace) -> int:
    options.check(args, files=1, workers=1)
    missing = [path for path in args.replay if not path.is_file() or path.name.split("-")[0] not in READERS]
    if missing:
        raise InputError(f"--replay: {missing[0]} is no finding; expected a file whose name begins as it was kept")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as top:
        (folder := Path(top).resolve() / "in").mkdir()
        (folder / "sound").mkdir()
        wanted = {path.name.split("-")[0] for path in args.replay} or set(args.readers)
        sound = {kind: paths for kind, paths in write_sound(folder / "sound").items() if kind in wanted}
        write_side_files(folder)
        write_companions(folder)
        shutil.copy(folder / "side.png", folder.parent / "secret.png")
        arguments: Any = Files(folder, sound, args.seed)
        if args.replay:
            arguments = [[path.name.split("-")[0], str(shutil.copy(path, folder))] for path in args.replay]
        return _report(args, read_files(arguments, folder, sound, args.workers))


def _report(args: argparse.Namespace, reads: Iterator[Done]) -> int:
    tallies: dict[str, Tally] = {}
    findings: Counter[str] = Counter()
    began = time.monotonic()
    with closing(reads), suppress(KeyboardInterrupt):  # type: ignore[type-var]
        for number, done in enumerate(reads, start=1):
            path, wrong = Path(done.argument[1]), judged(done)
            tallies.setdefault(f"{done.argument[0]} {path.suffix}", Tally()).add(done)
            if args.replay:
                print(f"{path.name}: {wrong or (done.answer or {}).get('said') or 'read'}")
            if wrong:
                name = f"{path.suffix} {wrong[:60]}"
                findings[name] += 1
                if not args.replay and findings[name] <= KEPT:
                    _keep(args.out / "fuzz", path, wrong)
            path.unlink(missing_ok=True)
            if number == args.files or time.monotonic() - began > 60 * args.minutes:
                break
    print(f"\n{table(tallies)}\n")
    files, seconds = sum(one.files for one in tallies.values()), time.monotonic() - began
    print(f"seed {args.seed}: {files:,} files in {seconds:.0f} s, {findings.total()} findings")
    for name, times in findings.most_common():
        print(options.printable(f"{times} times {name}"))
    if findings and not args.replay:
        print(f"kept in {args.out / 'fuzz'}, to be read again by --replay")
    return int(bool(findings))


def _keep(folder: Path, path: Path, wrong: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, folder)
    about = {"file": path.name, "finding": wrong}
    (folder / f"{path.name}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def table(tallies: dict[str, Tally]) -> str:
    whole = Tally()
    for one in tallies.values():
        whole.files, whole.read = whole.files + one.files, whole.read + one.read
        whole.seconds, whole.bytes = max(whole.seconds, one.seconds), max(whole.bytes, one.bytes)
        whole.errors += one.errors
    rows = []
    for name, one in [*sorted(tallies.items()), ("all", whole)]:
        errors = ", ".join(f"{kind} {count:,}" for kind, count in one.errors.most_common())
        rows.append(
            [name, errors or "-", f"{one.files:,}", f"{one.read:,}", f"{one.seconds:.2f}", f"{one.bytes / 1e6:.0f}"]
        )
    return options.grid(["read as", "errors", "files", "read", "slowest, s", "largest peak, MB"], rows, words=2)


def main(argv: Sequence[str] | None = None) -> int:
    """Read, print the table, keep what was found: 0 when nothing was, 1 when something was or an option is wrong."""
    about = "files that are wrong, into every reader"
    parser = options.Parser(prog="python -m tests.fuzzing", description=about, allow_abbrev=False)
    options.add(parser, "seed", workers=1)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--files", type=int, help="how many at most")
    parser.add_argument(
        "--readers", nargs="+", choices=READERS, default=list(READERS), help="what reads them (default: all)"
    )
    parser.add_argument("--replay", type=Path, nargs="+", default=[], metavar="FILE", help="read these findings again")
    args = parser.parse_args(argv)
    return options.finish(lambda: run(args))
