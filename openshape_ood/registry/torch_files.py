"""Torch files: plain state dicts are read directly, other untrusted files first in a sandbox.

`weights_only=True` executes no code of a file, but a few bytes can still end the reading process (nested tuples, hashed
by recursion) or occupy it for hours (one list, made into a set repeatedly). So a process that may crash reads the file
first, unless the file is plain or its sha256 is registered.
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
HEADROOM = 400_000_000  # bytes, in addition to twice the file size for old formats
MOST_PICKLED, MOST_TUPLES = 8_000_000, 20_000  # bytes; tuples, which nested to this depth need little stack
STORED = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
LONGEST_SHARED = 256  # characters of a shared string
PLAIN = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch Size"}
PLAIN |= {f"torch {kind}Storage" for kind in STORED} | {"_codecs encode"}
# further types that torch accepts; it refuses all others
OFFERED = ("torch", "builtins", "__builtin__", "collections", "_codecs")
OLD_PICKLES = 5  # pickles in files before torch 1.6: magic number, version, machine, tensors, keys of their storages

# name before numpy 2
_LEFT = ("numpy.dtype", "numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar", "argparse.Namespace")


class _Left:
    """Replacement for numpy numbers and command-line arguments in the training state of some published files.

    A numpy type with a state from a file can end the process."""

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None: ...


def whole_number(value: object) -> int | None:
    """Whole number from `read_torch`, numpy's int64 included; None for any other value."""
    if isinstance(value, _Left) and len(value.arguments) == 2:
        kind, content = value.arguments
        if isinstance(kind, _Left) and kind.arguments[:1] == ("i8",) and isinstance(content, bytes):
            return int.from_bytes(content, "little", signed=True)
    return value if type(value) is int else None


def read_torch(path: Path, name: str, trusted: bool) -> Any:
    """Content of a file, without numpy numbers and arguments; untrusted files are first read in a sandbox."""
    if not trusted:
        check(path, name)
    try:
        with torch.serialization.safe_globals([(_Left, known) for known in _LEFT]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch also warns about refused files
            # mapped, so that optimizer state is never read
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{name}: {path} is no checkpoint of tensors, or holds objects that would run code when read; "
            "it was not run. Get the file from its publisher, or convert it to safetensors"
        ) from error
    except OSError as error:
        raise WeightsError(f"{name}: cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # torch's reader fails in any way on damaged bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{name}: {path} is no PyTorch checkpoint, or is damaged: {reason}") from error


def check(path: Path, name: str) -> None:
    """Raise `WeightsError` for a file that cannot be read within bounds of time and memory."""
    try:
        status, plain = path.stat(), is_plain(path)
    except OSError:  # reported by the reader that follows
        return
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{name}: {path} is no PyTorch checkpoint, or is damaged: {error}") from error
    if not plain:
        _check(str(path.absolute()), name, (status.st_size, status.st_mtime_ns, status.st_ino))


def is_plain(path: Path) -> bool:
    """True if reading needs no more than the file's size: pickles that reuse only strings and types.

    Raises the errors of `zipfile`, or ValueError for an archive in another layout than torch's, which two readers could
    read differently.
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
    """`is_plain` for one stream of pickles. If parsing fails, the part before the failure decides."""
    shared, before, tuples, file = set[Any](), ("", ""), 0, BytesIO(content)
    codes: Any = (code for _ in range(pickles) for code in pickletools.genops(file))
    try:
        for name, argument in ((code.name, argument) for code, argument, _ in codes):
            tuples += name.startswith("TUPLE")
            odd = name == "GLOBAL" and argument not in PLAIN and argument.partition(" ")[0].partition(".")[0] in OFFERED
            if odd or tuples > MOST_TUPLES or ("GET" in name and argument not in shared) or name == "MEMOIZE":
                return False
            if name == "FRAME":  # protocol 4
                return True
            if "PUT" in name:
                word = before[0] == "BINUNICODE" and len(before[1]) <= LONGEST_SHARED
                (shared.add if word or before[0] == "GLOBAL" else shared.discard)(argument)
            before = name, argument
    except Exception:  # torch's own reader stops at the same place
        return len(content) < MOST_PICKLED
    return True


@lru_cache(64)  # one trial per file and process
def _check(path: str, name: str, stamp: tuple[int, ...]) -> None:
    seconds = SECONDS + stamp[0] / BYTES_A_SECOND
    limits = Limits(cpu=seconds, wall=10 * seconds, memory=2 * stamp[0] + HEADROOM)  # generous wall time for slow disks
    task = f"{__name__}:{reader.__name__}"
    for done in in_order(task, {"name": name}, [path], workers=1, ahead=0, limits=lambda _: limits):
        if isinstance(done.error, WorkerError | MemoryError):
            why = f"a process that tried to read it did not come to an end: {str(done.error) or 'memory ran out'}"
            raise WeightsError(f"{name}: {path} is no checkpoint of tensors, or a hostile one; {why}") from done.error
        if done.error is not None:
            raise done.error


def reader(name: str) -> Callable[[str], tuple[Any, list[Any]]]:
    """Task of the sandbox process."""

    def read(path: str) -> tuple[Any, list[Any]]:
        read_torch(Path(path), name, trusted=True)
        return None, []

    return read
