"""Reading of torch files. Untrusted files are first read in a sandbox, unless they are plain state dicts.

`weights_only=True` executes no code of a file. Still, a few bytes can crash the reading process by deeply nested tuples
that are hashed recursively. They can also block it for hours, by a list that is converted to a set many times. So a
child process reads the file first, unless the file is plain or its sha256 is registered.
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

SECONDS, BYTES_A_SECOND = 8, 50_000_000  # time limit of the sandbox: SECONDS plus file size / BYTES_A_SECOND
HEADROOM = 400_000_000  # memory limit of the sandbox: HEADROOM plus twice the file size, which old formats need
# limits of a plain file: pickled bytes, and number of tuples, which is harmless even if all are nested
MOST_PICKLED, MOST_TUPLES = 8_000_000, 20_000
STORED = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
LONGEST_SHARED = 256  # characters of a string that a plain pickle may reuse
# global names that a plain pickle may use
PLAIN = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "torch Size"}
PLAIN |= {f"torch {kind}Storage" for kind in STORED} | {"_codecs encode"}
# modules with further types that torch accepts; torch refuses all other modules
OFFERED = ("torch", "builtins", "__builtin__", "collections", "_codecs")
OLD_PICKLES = 5  # pickles in a file of torch before 1.6: magic number, version, machine, tensors, storage keys

DAMAGED = "no PyTorch checkpoint, or is damaged"
REMEDY = "Expected a checkpoint of tensors. Get the file from its publisher."

# types that are read as `_Placeholder`; numpy.core is the module's name before numpy 2
_REPLACED = ("numpy.dtype", "numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar", "argparse.Namespace")


class _Placeholder:
    """Placeholder for numpy numbers and command-line arguments in the training state of some published files.

    A numpy type that is restored with a state from a file can crash the process.
    """

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments

    def __setstate__(self, state: object) -> None: ...


def whole_number(value: object) -> int | None:
    """Whole number of a value from `read_torch`, which may be numpy's int64; None for any other value."""
    if isinstance(value, _Placeholder) and len(value.arguments) == 2:
        kind, content = value.arguments
        if isinstance(kind, _Placeholder) and kind.arguments[:1] == ("i8",) and isinstance(content, bytes):
            return int.from_bytes(content, "little", signed=True)
    return value if type(value) is int else None


def read_torch(path: Path, name: str, trusted: bool) -> Any:
    """Content of a file, with `_Placeholder` for numpy numbers and arguments.

    Untrusted files are read in a sandbox first.
    """
    if not trusted:
        check(path, name)
    try:
        with (
            torch.serialization.safe_globals([(_Placeholder, known) for known in _REPLACED]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # torch also warns about refused files
            # memory-mapped, so that optimizer state is not read from disk
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{name}: {path} is no checkpoint of tensors, or holds objects that would run code when read. "
            "No code was run. Get the file from its publisher, or convert it to safetensors."
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{name}: cannot read {path} ({error.strerror or error}). Expected a readable file. Check its permissions."
        ) from error
    except Exception as error:  # torch's reader fails in any way on damaged bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{name}: {path} is {DAMAGED} ({reason}). {REMEDY}") from error


def check(path: Path, name: str) -> None:
    """Raise `WeightsError` for a file that cannot be read within the limits of time and memory."""
    try:
        status, plain = path.stat(), is_plain(path)
    except OSError:  # `read_torch` reports it
        return
    except (ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{name}: {path} is {DAMAGED} ({error}). {REMEDY}") from error
    if not plain:
        _check(str(path.absolute()), name, (status.st_size, status.st_mtime_ns, status.st_ino))


def is_plain(path: Path) -> bool:
    """True if the size of the file bounds the cost of reading it: its pickles reuse only strings and types.

    Raises the errors of `zipfile`. Raises ValueError for an archive that torch does not write, because two readers
    could read it differently.
    """
    with path.open("rb") as file:
        head = file.read(MOST_PICKLED)
    if not head.startswith(b"PK"):
        return _is_plain(head, OLD_PICKLES)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        pickled = [one for one in members if one.filename.endswith("/data.pkl")]
        if len(pickled) != 1 or len({one.filename.casefold() for one in members}) < len(members):
            raise ValueError("a member occurs twice, or it has not exactly one data.pkl")
        if any(one.compress_type for one in members) or sum(one.file_size for one in members) > path.stat().st_size:
            raise ValueError("its members are compressed")
        return pickled[0].file_size < MOST_PICKLED and _is_plain(archive.read(pickled[0]), 1)


def _is_plain(content: bytes, pickles: int) -> bool:
    """`is_plain` for a stream of this many pickles. If parsing fails, the part before the failure decides."""
    shared, before, tuples, file = set[Any](), ("", ""), 0, BytesIO(content)
    codes: Any = (code for _ in range(pickles) for code in pickletools.genops(file))
    try:
        for name, argument in ((code.name, argument) for code, argument, _ in codes):
            tuples += name.startswith("TUPLE")
            odd = name == "GLOBAL" and argument not in PLAIN and argument.partition(" ")[0].partition(".")[0] in OFFERED
            if odd or tuples > MOST_TUPLES or ("GET" in name and argument not in shared) or name == "MEMOIZE":
                return False
            if name == "FRAME":  # pickle protocol 4, which torch refuses
                return True
            if "PUT" in name:
                word = before[0] == "BINUNICODE" and len(before[1]) <= LONGEST_SHARED
                (shared.add if word or before[0] == "GLOBAL" else shared.discard)(argument)
            before = name, argument
    except Exception:  # torch's own reader stops at the same place
        return len(content) < MOST_PICKLED
    return True


@lru_cache(64)  # one sandbox run per file and process
def _check(path: str, name: str, stamp: tuple[int, ...]) -> None:
    seconds = SECONDS + stamp[0] / BYTES_A_SECOND
    limits = Limits(cpu=seconds, wall=10 * seconds, memory=2 * stamp[0] + HEADROOM)  # generous wall time for slow disks
    task = f"{__name__}:{reader.__name__}"
    for done in in_order(task, {"name": name}, [path], workers=1, ahead=0, limits=lambda _: limits):
        if isinstance(done.error, WorkerError | MemoryError):
            why = f"reading it in a sandbox failed: {str(done.error) or 'memory ran out'}"
            what = f"{name}: {path} is no checkpoint of tensors, or a hostile one"
            raise WeightsError(f"{what} ({why}). {REMEDY}") from done.error
        if done.error is not None:
            raise done.error


def reader(name: str) -> Callable[[str], tuple[Any, list[Any]]]:
    """Task of the sandbox process."""

    def read(path: str) -> tuple[Any, list[Any]]:
        read_torch(Path(path), name, trusted=True)
        return None, []

    return read
