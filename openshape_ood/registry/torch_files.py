"""Files that torch wrote: state dicts are read at once, any other untrusted file in a sandbox first.

`weights_only=True` runs nothing that a file brings along, but a few bytes can still end the process that reads them
(tuples in tuples, hashed by recursion), or keep it busy for hours (one list, made into a set again and again). So a
file is read once by a process that may die of it, unless it is plain, or its sha256 is registered.
"""

from __future__ import annotations

import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from openshape_ood.errors import WeightsError, WorkerError
from openshape_ood.workers import in_order
from openshape_ood.workers.limits import Limits

SECONDS, BYTES_A_SECOND = 8, 50_000_000
HEADROOM = 400_000_000  # bytes beside twice those of the file, which old files are read into
MOST_PICKLED, MOST_TUPLES = 8_000_000, 20_000  # bytes; tuples, however deep in each other, take no stack worth naming
STORED = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
LONGEST_SHARED = 256  # characters of a word
PLAIN = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch Size"}
PLAIN |= {f"torch {kind}Storage" for kind in STORED} | {"_codecs encode"}
# where torch finds more than those; all else it refuses
OFFERED = ("torch", "builtins", "__builtin__", "collections", "_codecs")
OLD_PICKLES = 5  # of a file of before torch 1.6: magic number, version, machine, tensors, keys of their storages

# the last of numpy's before numpy 2
_LEFT = ("numpy.dtype", "numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar", "argparse.Namespace")


class _Left:
    """In the place of numpy's numbers and of a command line's arguments, which stand among the training state of some
    published files: a type of numpy given a state of a file's own can end the process."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None: ...


def whole_number(value: object) -> int | None:
    """A whole number that `read_torch` gave, numpy's int64 too; None for anything else."""
    if isinstance(value, _Left) and len(value.arguments) == 2:
        kind, content = value.arguments
        if isinstance(kind, _Left) and kind.arguments[:1] == ("i8",) and isinstance(content, bytes):
            return int.from_bytes(content, "little", signed=True)
    return value if type(value) is int else None


def read_torch(path: Path, name: str, trusted: bool) -> Any:
    """Content of a file, without numpy's numbers and arguments; an untrusted file is read in a sandbox first."""
    if not trusted:
        check(path, name)
    try:
        with torch.serialization.safe_globals([(_Left, known) for known in _LEFT]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of what is refused a moment later
            # mapped, so that optimizer state beside the weights is never read
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{name}: {path} is no checkpoint of tensors, or holds objects that would run code when read; "
            "it was not run. Get the file from its publisher, or convert it to safetensors"
        ) from error
    except OSError as error:
        raise WeightsError(f"{name}: cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # damaged bytes make torch's reader fail in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{name}: {path} is no PyTorch checkpoint, or is damaged: {reason}") from error


def check(path: Path, name: str) -> None:
    """Raises `WeightsError` for a file that cannot be read, or that is not read within bounds of time and memory."""
    try:
        found, plain = path.stat(), is_plain(path)
    except OSError:  # told by whoever reads it
        return
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{name}: {path} is no PyTorch checkpoint, or is damaged: {error}") from error
    if not plain:
        _check(str(path.absolute()), name, (found.st_size, found.st_mtime_ns, found.st_ino))


def is_plain(path: Path) -> bool:
    """Whether reading a file takes no more than its size: pickles in which nothing but words and types is used twice.

    Raises what `zipfile` does, or ValueError, for an archive that is not as torch writes them, so that nothing is read
    where another reader of archives may find something else.
    """
    with path.open("rb") as file:
        head = file.read(MOST_PICKLED)
    if not head.startswith(b"PK"):
        return _is_plain(head, OLD_PICKLES)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        pickled = [one for one in members if one.filename.endswith("/data.pkl")]
        if len(pickled) != 1 or len({one.filename.casefold() for one in members}) < len(members):
            raise ValueError("it has not one data.pkl, and each member once")
        if any(one.compress_type for one in members) or sum(one.file_size for one in members) > path.stat().st_size:
            raise ValueError("its members are compressed")
        return pickled[0].file_size < MOST_PICKLED and _is_plain(archive.read(pickled[0]), 1)


def _is_plain(content: bytes, pickles: int) -> bool:
    """Also of what is damaged, or in a protocol that torch does not know, as far as it is read."""
    shared, before, tuples, file = set[Any](), ("", ""), 0, BytesIO(content)
    codes: Any = (code for _ in range(pickles) for code in pickletools.genops(file))
    try:
        for name, argument in ((code.name, argument) for code, argument, _ in codes):
            tuples += name.startswith("TUPLE")
            odd = name == "GLOBAL" and argument not in PLAIN and argument.partition(" ")[0].partition(".")[0] in OFFERED
            if odd or tuples > MOST_TUPLES or ("GET" in name and argument not in shared) or name == "MEMOIZE":
                return False
            if name == "FRAME":  # of protocol 4
                return True
            if "PUT" in name:
                word = before[0] == "BINUNICODE" and len(before[1]) <= LONGEST_SHARED
                (shared.add if word or before[0] == "GLOBAL" else shared.discard)(argument)
            before = name, argument
    except Exception:  # of whatever kind: torch's own reader comes no further
        return len(content) < MOST_PICKLED
    return True


@lru_cache(64)  # a file is tried once in a process
def _check(path: str, name: str, stamp: tuple[int, ...]) -> None:
    seconds = SECONDS + stamp[0] / BYTES_A_SECOND
    limits = Limits(cpu=seconds, wall=10 * seconds, memory=2 * stamp[0] + HEADROOM)  # a slow disk is no attack
    task = f"{__name__}:{reader.__name__}"
    for done in in_order(task, {"name": name}, [path], workers=1, ahead=0, limits=lambda _: limits):
        if isinstance(done.error, WorkerError | MemoryError):
            why = f"a process that tried to read it did not come to an end: {str(done.error) or 'memory ran out'}"
            raise WeightsError(f"{name}: {path} is no checkpoint of tensors, or a hostile one; {why}") from done.error
        if done.error is not None:
            raise done.error


def reader(name: str) -> Callable[[str], tuple[Any, list[Any]]]:
    """The task of the process."""

    def read(path: str) -> tuple[Any, list[Any]]:
        read_torch(Path(path), name, trusted=True)
        return None, []

    return read
