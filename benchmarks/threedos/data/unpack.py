"""Unpacking of an untrusted .tar. No checksums are published, so each member is checked.

Unpacking is atomic, so an existing folder is complete.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from openshape_ood.errors import FileError, ShapeFileError

MAX_MEMBERS = 500_000  # ModelNet40 as text files has about 12,000
MAX_DEPTH = 16  # most nested folders
MAX_HEADER = 32 * 1024  # most bytes of names and attributes before a member; usual are a few hundred


def unpack(tar: Path, folder: Path, *, progress: bool = True) -> int:
    """Unpack a tar whose only folder is `folder.name`, atomically; returns the number of files.

    Only plain files and folders inside that folder are written, and at most as many bytes as the archive has.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed run
    try:
        files = _extract(tar, temporary, folder.name, progress)
        os.rename(temporary / folder.name, folder)
        return files
    except (ShapeFileError, tarfile.TarError, RecursionError, ValueError, OverflowError) as error:
        raise ShapeFileError(
            f"{tar}: {error or type(error).__name__}; nothing was unpacked. Delete the file and run the command again "
            "to download it afresh"
        ) from error
    except OSError as error:
        raise FileError(f"{tar}: cannot be unpacked to {folder} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(tar: Path, into: Path, top: str, progress: bool) -> int:
    from tqdm import tqdm

    held, files, hidden = tar.stat().st_size, 0, None if progress else True
    (into / top).mkdir(parents=True)
    with (
        _Bounded(tar) as file,
        tarfile.TarFile(fileobj=file, errors="surrogateescape", encoding="utf-8") as archive,
        tqdm(desc=f"unpacking {tar.name}", unit="file", disable=hidden, leave=False) as bar,
    ):
        for count, member in enumerate(_members(archive, file), 1):
            if count > MAX_MEMBERS:
                raise ShapeFileError(f"more than {MAX_MEMBERS:,} members")
            parts = [part for part in member.name.split("/") if part not in ("", ".")]
            if wrong := _problem(member, parts, top, held):
                raise ShapeFileError(f"member {member.name[:200]!r} {wrong}")
            # skip "." and macOS's "._" files
            if parts and not parts[-1].startswith("._"):
                files += _write(archive, member, into.joinpath(*parts))
                bar.update()
    if not files:
        raise ShapeFileError(f"it has no file in a folder {top!r}")
    return files


class _Bounded(io.FileIO):
    """A .tar file of which at most `left` further bytes are read.

    Without this limit, tarfile reads names and attributes of any claimed size into memory.
    """

    left = MAX_HEADER

    def read(self, size: int | None = -1) -> bytes:
        self.left -= size or 0
        if self.left < 0 or size is None or size < 0:
            raise ShapeFileError(f"a header of more than {MAX_HEADER:,} bytes")
        return super().read(size)


def _members(archive: tarfile.TarFile, file: _Bounded) -> Iterator[tarfile.TarInfo]:
    """Yield the members in bounded memory; raises `ShapeFileError` if the end of the archive is missing."""
    while member := archive.next():
        archive.members = []  # type: ignore[attr-defined]
        file.left = sys.maxsize  # no limit for the content of a member, whose size `_problem` checks
        yield member
        file.left = MAX_HEADER
    # tarfile takes a damaged header for the end of the archive; the true end is a block of zeros
    file.left = MAX_HEADER
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise ShapeFileError(f"truncated or damaged at byte {archive.offset:,}")


def _problem(member: tarfile.TarInfo, parts: list[str], top: str, held: int) -> str:
    """Reason to refuse a member; "" for a valid one."""
    name = member.name
    if not (member.isreg() or member.isdir()) or member.issparse():
        return "is a link, a device or a sparse file; only files and folders are unpacked"
    if member.size < 0 or member.offset_data + member.size > held:  # members do not overlap
        return f"claims {member.size:,} bytes, past the end of the archive: truncated or hostile"
    if name.startswith("/") or ".." in parts or (parts and parts[0] != top and not parts[-1].startswith("._")):
        return f"lies outside the folder {top!r}"
    if not name.isprintable() or set(name) & set("\\:") or len(parts) > MAX_DEPTH:
        return f"has a name with unprintable or Windows characters, or more than {MAX_DEPTH} nested folders"
    return ""


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> int:
    """Write one member; returns 1 for a file, 0 for a folder. Raises `ShapeFileError` if its path exists."""
    try:
        content = archive.extractfile(member)
        if content is None:  # a folder
            path.mkdir(parents=True, exist_ok=True)
            return 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            shutil.copyfileobj(content, out)
        return 1
    except (FileExistsError, NotADirectoryError) as error:
        raise ShapeFileError(f"member {member.name[:200]!r} occurs twice") from error
