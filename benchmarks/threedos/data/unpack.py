"""A .tar that nobody vouches for, unpacked: no checksums are published, so everything in it is checked.

It goes into a folder beside the wanted one, which is renamed when it is whole: a folder that is there is complete.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from benchmarks.threedos.data.disk import writing
from benchmarks.threedos.data.progress import byte_bar
from openshape_ood.errors import FileError, ShapeFileError

if TYPE_CHECKING:
    from tqdm import tqdm

CHUNK = 1 << 20  # bytes
MAX_MEMBERS = 500_000  # ModelNet40 as text has some 12,000
MAX_DEPTH = 16  # folders in each other
MAX_NAME = 255  # bytes, as most file systems have it
MAX_HEADER = 32 * 1024  # bytes of names and attributes before one member; a real one needs a few hundred
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\3\4": "zip"}


def unpack(tar: Path, folder: Path, *, progress: bool = True, max_members: int = MAX_MEMBERS) -> int:
    """Unpacks a plain tar that holds the one folder `folder.name` to `folder`; returns the number of files.

    Only files (mode 644) and folders (755) below that folder come out, and together no more bytes than the archive
    has. Raises `ShapeFileError` for anything else in it, or a truncated archive, and `FileError` if the disk
    refuses; `folder` appears when all of it is there, or not at all.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
    try:
        with writing(temporary):
            temporary.mkdir()
        files = _unpack_into(tar, temporary, folder.name, progress, max_members)
        with writing(folder):
            os.rename(temporary / folder.name, folder)
        return files
    except (ShapeFileError, tarfile.TarError, RecursionError, ValueError, OverflowError) as error:
        raise ShapeFileError(
            f"{tar}: {error or type(error).__name__}; nothing was unpacked. Delete the file and run the command again "
            "to download it afresh"
        ) from error
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{tar}: cannot be read ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_into(tar: Path, into: Path, top: str, progress: bool, max_members: int) -> int:
    held = tar.stat().st_size
    seen: dict[str, bool] = {}  # name as a file system without cases sees it: is it a folder?
    with tar.open("rb") as file, byte_bar(f"unpacking {tar.name}", held, 0, progress) as bar:
        if problem := not_a_tar(file.read(tarfile.BLOCKSIZE)):
            raise ShapeFileError(f"this is {problem}, not a plain tar archive")
        file.seek(0)
        for count, member in enumerate(_members(file), 1):
            if count > max_members:
                raise ShapeFileError(f"more than {max_members:,} members")
            parts = _checked_parts(member, top, held, seen)
            if parts:
                with writing(into):
                    _write(file, member, into.joinpath(*parts), bar)
    if not (into / top).is_dir():
        raise ShapeFileError(f"no folder {top!r} in it")
    for path, _, _ in os.walk(into / top):
        os.chmod(path, 0o755)  # noqa: S103 - the data are for everybody on this machine
    return len(seen) - sum(seen.values())


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


# --- members ---


@dataclass
class _Reader:
    """The .tar as `tarfile` may read it: so far and no further between two members, whatever a header claims.

    tarfile reads long names and attributes into memory at the size that they claim, and follows chains of them.
    """

    file: BinaryIO
    left: int = MAX_HEADER

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0 or size < 0:
            raise ShapeFileError(f"a header of more than {MAX_HEADER:,} bytes")
        return self.file.read(size)

    def seek(self, position: int) -> int:
        return self.file.seek(position)

    def tell(self) -> int:
        return self.file.tell()


def _members(file: BinaryIO) -> Iterator[tarfile.TarInfo]:
    """The members one after the other, forgotten when passed; raises unless the archive ends as a whole one does."""
    reader = _Reader(file)
    with tarfile.TarFile(fileobj=reader, errors="surrogateescape", encoding="utf-8") as archive:  # type: ignore[arg-type]
        while member := archive.next():
            archive.members = []  # type: ignore[attr-defined]
            yield member
            reader.left = MAX_HEADER
        # tarfile takes a cut or spoilt header for the end; the real one is zeros
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise ShapeFileError(f"truncated or damaged at byte {archive.offset:,}")


def _checked_parts(member: tarfile.TarInfo, top: str, held: int, seen: dict[str, bool]) -> list[str]:
    """The member's path, in parts, once nothing speaks against it; [] where nothing is to be written:
    the folder that the archive lies in, and the "._" files in which macOS keeps its attributes."""
    shown = f"member {member.name[:200]!r}"
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise ShapeFileError(f"{shown} is {_kind(member)}; only files and folders are unpacked")
    # members follow each other, so that all of them together fit, too
    if member.size < 0 or member.offset_data + member.size > held:
        raise ShapeFileError(f"{shown} claims {member.size:,} bytes, past the end of the archive: truncated or hostile")
    parts = _safe_parts(member.name, shown)
    if not parts or parts[-1].startswith("._"):
        return []
    if parts[0] != top:
        raise ShapeFileError(f"{shown} lies outside the folder {top!r}")
    if parts == [top] and not member.isdir():
        raise ShapeFileError(f"{shown} is a file, expected a folder")
    _remember(parts, member.isdir(), seen, shown)
    return parts


def _remember(parts: list[str], folder: bool, seen: dict[str, bool], shown: str) -> None:
    """Adds a member and the folders around it to `seen`; raises if one takes the place of another."""
    for depth in range(1, len(parts) + 1):
        key = unicodedata.normalize("NFC", "/".join(parts[:depth])).casefold()
        is_folder = folder or depth < len(parts)
        if key in seen and not (is_folder and seen[key]):
            raise ShapeFileError(f"{shown} is in it twice")
        seen[key] = is_folder


def _kind(member: tarfile.TarInfo) -> str:
    kinds = {
        "a symbolic link": member.issym(),
        "a hard link": member.islnk(),
        "a device": member.isdev(),
        "a sparse file": member.issparse(),
    }
    return next((kind for kind, holds in kinds.items() if holds), f"of type {member.type!r}")


def _safe_parts(name: str, shown: str) -> list[str]:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/"):
        raise ShapeFileError(f"{shown} has an absolute path")
    if ".." in parts:
        raise ShapeFileError(f"{shown} leads out of the folder")
    if any(len(part.encode("utf-8", "surrogateescape")) > MAX_NAME for part in parts):
        raise ShapeFileError(f"{shown} has a name of more than {MAX_NAME} bytes")
    if "\\" in name or ":" in name:
        raise ShapeFileError(f"{shown} has a path of Windows")
    if not name.isprintable():  # control characters, bytes that are no UTF-8
        raise ShapeFileError(f"{shown} has unprintable characters in its name")
    if len(parts) > MAX_DEPTH:
        raise ShapeFileError(f"{shown} lies more than {MAX_DEPTH} folders deep")
    return parts


def _write(file: BinaryIO, member: tarfile.TarInfo, path: Path, bar: tqdm) -> None:
    """Writes a member; owner, mode and times of the archive are not taken over."""
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file.seek(member.offset_data)
    left = member.size
    with path.open("xb") as target:
        while left:
            chunk = file.read(min(left, CHUNK))
            if not chunk:
                raise ShapeFileError(f"truncated in member {member.name!r}")
            target.write(chunk)
            left -= len(chunk)
            bar.update(len(chunk))
    path.chmod(0o644)
