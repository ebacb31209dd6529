"""Atomic file writes, cache folders, and a crash-safe store of small arrays."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from openshape_ood.checks import given_path
from openshape_ood.errors import FileError, InputError, OpenShapeError

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

Restored = TypeVar("Restored")

# errors that readers raise for a damaged file; numpy also raises errors of its tokenizer and of Python syntax
DAMAGE = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, TokenError, SyntaxError,
    SystemError, OpenShapeError,
)  # fmt: skip

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first characters of a spreadsheet formula

CACHE_VARIABLE = "OPENSHAPE_OOD_CACHE"


def hub_folder() -> Path | None:
    """Cache folder of Hub files. None: the default of huggingface_hub (HF_HOME, HF_HUB_CACHE)."""
    return own_folder("hub") if os.environ.get(CACHE_VARIABLE) else None


def own_folder(name: str) -> Path:
    """Cache folder of files computed by this library. Raises `FileError` if the home folder is unknown."""
    moved = os.environ.get(CACHE_VARIABLE)
    folder = Path(moved) if moved else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "openshape_ood")
    try:
        return folder.expanduser() / name
    except RuntimeError as error:
        reason = str(error).rstrip(".")
        raise FileError(
            f"there is no cache folder {folder}: {reason}. Expected a home folder. Set {CACHE_VARIABLE} to a folder."
        ) from error


def own_key() -> bytes | None:
    """Secret key of this user for signing files in the cache: 32 bytes. None if it cannot be stored.

    The key is made on first use. Its file is outside the cache, because other users may be able to write to the cache.
    """
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        path = Path(state).expanduser() / "openshape_ood" / "key"
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.suppress(FileExistsError),
            open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file,
        ):
            file.write(secrets.token_bytes(32))
        key = path.read_bytes()
    except (OSError, RuntimeError):  # also if the home folder is unknown
        return None
    return key if len(key) == 32 else None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Atomic write of `path`: yields a temporary file, then renames it to `path`; an exception deletes it.

    Readers see the old or the complete new file, even if several processes and threads write it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # random digits, because processes on two machines may have the same pid
    with _moved(path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial"), path) as partial:
        yield partial


@contextlib.contextmanager
def _replacing_again(path: Path) -> Iterator[Path]:
    """`replacing` with a fixed temporary name, so that the next writer overwrites the remains of a killed process.

    Only the process that locks the temporary file uses this name; concurrent writers use random names. The system
    releases the lock of a killed process. Other machines do not see the lock, so the name contains the identifier of
    the kernel.
    """
    partial = path.with_name(f"{path.name}.{_kernel()}.partial")
    lock = _locked(partial)
    if lock is None:
        with replacing(path) as partial:
            yield partial
        return
    try:
        with _moved(partial, path):
            yield partial
    finally:  # after the rename, because the next holder of the lock may write at once
        os.close(lock)


@contextlib.contextmanager
def _moved(partial: Path, path: Path) -> Iterator[Path]:
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:  # also on an interrupt
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _locked(path: Path) -> int | None:
    """Descriptor of a locked file, created if missing; None if another process holds the lock or locking fails.

    The file must be a regular file of this user without hard links. Otherwise, another user could place a link at this
    path, and the next write would change the linked file.
    """
    try:
        import fcntl  # missing on Windows

        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except (ImportError, OSError):
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(lock)
        plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid()
        if plain and os.path.samestat(status, os.lstat(path)):  # the file was not renamed meanwhile
            return lock
    os.close(lock)
    return None


@functools.cache
def _kernel() -> str:
    """Identifier of the running kernel, equal in all its containers. If there is none: random for each process."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    return secrets.token_hex(4)


class ArrayStore:
    """Vectors (d,) float32 on disk, in one file per key, with a checksum. A damaged file counts as missing."""

    def __init__(self, folder: Path, dim: int) -> None:
        self.folder = folder
        self.dim = dim

    def get(self, key: str) -> NDArray[np.float32] | None:
        try:
            with self._path(key).open("rb") as file:
                content = file.read(32 + 4 * self.dim + 1)
        except OSError:
            return None
        numbers = content[32:]
        if len(numbers) != 4 * self.dim or content[:32] != _checksum(key, numbers):
            return None
        vector = np.frombuffer(numbers, dtype="<f4").astype(np.float32)
        return vector if np.isfinite(vector).all() else None

    def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """Store a vector. If the folder is not writable, nothing happens."""
        numbers = vector.astype("<f4").tobytes()
        with contextlib.suppress(OSError), replacing(self._path(key)) as partial:
            partial.write_bytes(_checksum(key, numbers) + numbers)

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.f32"


def _checksum(key: str, numbers: bytes) -> bytes:
    return hashlib.sha256(json.dumps(key).encode() + numbers).digest()


def read_regular(path: Path) -> bytes:
    """Content of a regular file. Raises `OSError`.

    A pipe or a device such as `/dev/stdin` is refused, because reading it might never end.
    """
    # without O_NONBLOCK, opening a pipe waits for a process that writes to it
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        _check_mode(os.fstat(file.fileno()).st_mode)
        return file.read()


def check_regular(path: Path) -> None:
    """Raise `OSError` unless the path is a regular file, before another library opens it."""
    _check_mode(os.stat(path).st_mode)


def _check_mode(mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # opening a folder raises an error of its own
        raise OSError(errno.EINVAL, "it is a pipe or a device. Expected a regular file. Save the data to one first.")


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder, with ~ expanded, and return it. Raises `FileError`."""
    folder = given_path(path, "folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"cannot write to {folder}: {reason}. Expected a writable folder. Give another.") from error
    return folder


def save_whole(path: str | os.PathLike[str], content: bytes, what: str) -> Path:
    """Write a file atomically. what: name of the content for messages. Raises `FileError`."""
    with saving(path, what) as file:
        file.write(content)
    return given_path(path, "path")


def loaded_state(path: Any, restore: Callable[[Any], Restored], what: str) -> Restored:
    """Object that `restore` makes from the content of a .json file. what: its name in messages. Raises `FileError`."""
    path = given_path(path, "path")
    try:
        return restore(json.loads(read_regular(path)))
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"cannot read the {what} {path}: {reason}. Expected a .json file. Check the path.") from error
    except DAMAGE as error:
        raise _damaged(path, what, error) from error


def _damaged(path: Path, what: str, error: Exception) -> FileError:
    """Error for a file that `error` shows to be damaged. A remedy is added if `error` has none."""
    remedy = "" if ". Expected " in str(error) else ". Expected a saved file. Save it again."
    return FileError(f"{path} is no {what}, or a damaged one: {str(error).rstrip('.')}{remedy}")


@contextlib.contextmanager
def saving(path: str | os.PathLike[str], what: str) -> Iterator[BinaryIO]:
    """Write a file in parts, atomically: yields an open file. Raises `FileError`."""
    path = given_path(path, "path")
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError(2, "No such file or directory")
        with _replacing_again(path) as partial, partial.open("wb") as file:
            yield file
    except FileError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"cannot write {what} {path}: {reason}. Expected a writable path. Give another.") from error


def csv_cell(value: Any) -> Any:
    """Prefix a string with an apostrophe if a spreadsheet would read it as a formula; return other values unchanged.

    >>> csv_cell("=1+2"), csv_cell("chair"), csv_cell(-1.5)
    ("'=1+2", 'chair', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def save_arrays(path: Any, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any], what: str) -> Path:
    """Write arrays and a JSON header to a .safetensors file atomically. Raises `FileError`."""
    from safetensors.numpy import save

    path = _safetensors_path(path, what)
    metadata = {"format": f"openshape_ood {what} 1", "header": json.dumps(header, default=_plain)}
    content = save({k: np.asarray(v, order="C") for k, v in arrays.items()}, metadata)
    return save_whole(path, _ordered(content), f"the {what}")


def _plain(value: Any) -> Any:
    """Convert a numpy number or array to a value for JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no value of JSON")


def _ordered(content: bytes) -> bytes:
    """Sort the metadata of a .safetensors file. The package writes it in random order, so equal files would differ."""
    end = 8 + int.from_bytes(content[:8], "little")
    table = json.loads(content[8:end])
    table["__metadata__"] = dict(sorted(table["__metadata__"].items()))
    head = json.dumps(table, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + content[end:]


@contextlib.contextmanager
def loaded_arrays(path: Any, what: str) -> Iterator[tuple[Any, dict[str, np.ndarray]]]:
    """Header and arrays of a file that `save_arrays` wrote. No code in the file is executed.

    Raises `FileError` for any other file. Errors of damaged data in the caller's `with` block also become `FileError`.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load_file

    path = _safetensors_path(path, what)
    try:
        check_regular(path)
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != f"openshape_ood {what} 1":
            raise ValueError(f"its header is not 'openshape_ood {what} 1'")
        yield json.loads(metadata["header"]), load_file(path)
    except FileError:
        raise
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"cannot read the {what} {path}: {reason}. Expected a saved file. Check the path.") from error
    except DAMAGE as error:
        raise _damaged(path, what, error) from error


def keep_training(
    path: Path, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any, progress: Any, what: str
) -> None:
    """Save the state of a training for `resumed_training`, atomically.

    settings: all settings that the training depends on. progress: its position. Both must be JSON-serializable.
    """
    save_arrays(path, _training_arrays(network, optimizers), {"settings": settings, "progress": progress}, what)


def resumed_training(
    path: Path | None, network: nn.Module, optimizers: Sequence[Optimizer], settings: Any, what: str
) -> Any:
    """Restore network and optimizers from a saved training. Returns its progress, or None if there is no file.

    Raises `InputError` for a training with other settings, and `FileError` for a file that is no training.
    """
    if path is None or not path.is_file():
        return None
    with loaded_arrays(path, what) as (header, arrays):
        before, progress = header["settings"], header["progress"]
        if before == json.loads(json.dumps(settings, default=_plain)):
            _restore_training(arrays, network, optimizers)
            return progress
    raise InputError(
        f"{path} is from a training with other settings or data. Expected the same settings and data. Give another "
        "folder, or delete the file."
    )


def _training_arrays(network: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, np.ndarray]:
    """Network and optimizers as arrays, see `_restore_training`."""
    import torch

    tensors = {f"network.{name}": one for name, one in network.state_dict().items()}
    for place, optimizer in enumerate(optimizers):
        for i, of in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{i}.{name}": one for name, one in of.items() if torch.is_tensor(one)}
    return {name: one.cpu().numpy() for name, one in tensors.items()}


def _restore_training(arrays: Mapping[str, np.ndarray], network: nn.Module, optimizers: Sequence[Optimizer]) -> None:
    """Restore network and optimizers from `_training_arrays`. Raises `ValueError` for another network."""
    import torch

    tensors = {name: torch.from_numpy(one) for name, one in arrays.items()}
    try:
        network.load_state_dict({key.removeprefix("network."): one for key, one in tensors.items() if key[0] == "n"})
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    states: list[dict[int, dict[str, Any]]] = [{} for _ in optimizers]
    held = [[one for group in optimizer.param_groups for one in group["params"]] for optimizer in optimizers]
    for key in (key for key in tensors if key[0] == "o"):
        _, place, i, name = key.split(".")
        of, one = held[int(place)][int(i)], tensors[key]
        # with the memory layout of the parameter, because the layout affects rounding in a training step
        restored = torch.empty_like(of, device="cpu", dtype=one.dtype).copy_(one) if one.shape == of.shape else one
        states[int(place)].setdefault(int(i), {})[name] = restored
    for optimizer, state in zip(optimizers, states, strict=True):
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _safetensors_path(path: str | os.PathLike[str], what: str) -> Path:
    given = given_path(path, "path")
    if given.suffix != ".safetensors":
        raise FileError(f"the path of the {what} is {given}. Expected a .safetensors file. Change the name.")
    return given
