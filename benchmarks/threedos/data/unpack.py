"""A .tar that nobody vouches for, unpacked: no checksums are published, so everything in it is checked.

It goes into a folder beside the wanted one, which is renamed when it is whole: a folder that is there is complete.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from openshape_ood.errors import FileError, MissingPackageError, ShapeFileError

MAX_MEMBERS = 500_000  # ModelNet40 as text has some 12,000
MAX_DEPTH = 16  # folders in each other
MAX_NAME = 255  # bytes, as most file systems have it
MAX_HEADER = 32 * 1024  # bytes of names and attributes before one member; a real one needs a few hundred
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\3\4": "zip"}
FILE, FOLDER = 0o644, 0o755  # modes


def unpack(tar: Path, folder: Path, *, progress: bool = True, max_members: int = MAX_MEMBERS) -> int:
    """Unpack a plain tar of the one folder `folder.name` to `folder`, whole or not at all; the number of its files.

    Only files (mode 644) and folders (755) below that folder come out, together no more bytes than the archive has.
    """
    if not hasattr(tarfile, "data_filter"):
        version = sys.version.split()[0]
        raise MissingPackageError(
            f"Python {version} cannot unpack an archive safely; use 3.11.4 or newer, or unpack {tar} by hand"
        )
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
    try:
        files = _extract(tar, temporary, folder.name, progress, max_members)
        for path, _, _ in os.walk(temporary):
            os.chmod(path, FOLDER)
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


def _extract(tar: Path, into: Path, top: str, progress: bool, max_members: int) -> int:
    from tqdm import tqdm

    held = tar.stat().st_size
    seen: dict[str, bool] = {}  # path as a file system without cases sees it: is it a folder?
    into.mkdir()
    hidden = None if progress else True
    with _Bounded(tar) as file, tqdm(desc=f"unpacking {tar.name}", unit="file", disable=hidden, leave=False) as bar:
        if problem := not_a_tar(file.read(tarfile.BLOCKSIZE)):
            raise ShapeFileError(f"this is {problem}, not a plain tar archive")
        file.seek(0)
        with tarfile.TarFile(fileobj=file, errors="surrogateescape", encoding="utf-8") as archive:
            for count, member in enumerate(_members(archive, file), 1):
                if count > max_members:
                    raise ShapeFileError(f"more than {max_members:,} members")
                parts = [part for part in member.name.split("/") if part not in ("", ".")]
                if wrong := _problem(member, parts, top, held):
                    raise ShapeFileError(f"member {member.name[:200]!r} {wrong}")
                # not the folder that the archive lies in, nor the files in which macOS keeps its attributes
                if parts and not parts[-1].startswith("._"):
                    _remember(parts, member, seen)
                    archive.extract(member.replace(mode=FILE), into, set_attrs=member.isreg(), filter=_filter)
                    bar.update()
    if not (into / top).is_dir():
        raise ShapeFileError(f"no folder {top!r} in it")
    return len(seen) - sum(seen.values())


class _Bounded(io.FileIO):
    """A .tar in which no header is longer than `left`: tarfile reads names and attributes into memory at the size that
    they claim, and follows chains of them."""

    left = MAX_HEADER

    def read(self, size: int | None = -1) -> bytes:
        self.left -= size or 0
        if self.left < 0 or size is None or size < 0:
            raise ShapeFileError(f"a header of more than {MAX_HEADER:,} bytes")
        return super().read(size)


def _members(archive: tarfile.TarFile, file: _Bounded) -> Iterator[tarfile.TarInfo]:
    """The members one after the other, forgotten when passed; raises unless the archive ends as a whole one does."""
    while member := archive.next():
        archive.members = []  # type: ignore[attr-defined]
        file.left = sys.maxsize  # for its content, whose size has been checked
        yield member
        file.left = MAX_HEADER
    # tarfile takes a cut or spoilt header for the end; the real one is zeros
    file.left = MAX_HEADER
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise ShapeFileError(f"truncated or damaged at byte {archive.offset:,}")


def _filter(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    """Python's own filter for data, without the owner, mode and time of the archive."""
    return tarfile.data_filter(member, path).replace(mode=FILE if member.isreg() else FOLDER, mtime=0, deep=False)


def _problem(member: tarfile.TarInfo, parts: list[str], top: str, held: int) -> str:
    """Why a member must not be unpacked, "" if it may be."""
    name = member.name
    reasons = {
        "is a link, a device or a sparse file; only files and folders are unpacked": (
            not (member.isreg() or member.isdir()) or member.issparse()
        ),
        # members follow each other, so that all of them together fit, too
        f"claims {member.size:,} bytes, past the end of the archive: truncated or hostile": (
            member.size < 0 or member.offset_data + member.size > held
        ),
        "has an absolute path": name.startswith("/"),
        "leads out of the folder": ".." in parts,
        f"has a name of more than {MAX_NAME} bytes": any(len(os.fsencode(part)) > MAX_NAME for part in parts),
        "has a path of Windows": "\\" in name or ":" in name,
        "has unprintable characters in its name": not name.isprintable(),  # also bytes that are no UTF-8
        f"lies more than {MAX_DEPTH} folders deep": len(parts) > MAX_DEPTH,
        f"lies outside the folder {top!r}": bool(parts) and parts[0] != top and not parts[-1].startswith("._"),
        "is a file, expected a folder": parts == [top] and not member.isdir(),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _remember(parts: list[str], member: tarfile.TarInfo, seen: dict[str, bool]) -> None:
    """Adds a member and the folders around it to `seen`; raises if one takes the place of another."""
    for depth in range(1, len(parts) + 1):
        key = unicodedata.normalize("NFC", "/".join(parts[:depth])).casefold()
        is_folder = member.isdir() or depth < len(parts)
        if key in seen and not (is_folder and seen[key]):
            raise ShapeFileError(f"member {member.name[:200]!r} is in it twice")
        seen[key] = is_folder


def not_a_tar(head: bytes) -> str:
    """What a file that begins with `head` is, in words, or "" if it may be a plain tar."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:200].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page"
    for magic, kind in COMPRESSED.items():
        if head.startswith(magic):
            return f"a {kind} file"
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return "an unknown kind of file"
    return ""
