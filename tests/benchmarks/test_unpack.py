"""Archives that are hostile, broken, or just as they come."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from archive_server import FILES, TOP, file, folders, member, tar_of, unpacked, whole_tar

from benchmarks.threedos.data import unpack as unpacking
from benchmarks.threedos.data.unpack import unpack
from openshape_ood.errors import ShapeFileError


def try_unpack(content: bytes, root: Path) -> int:
    tar = root / "archive.tar"
    tar.write_bytes(content)
    return unpack(tar, root / TOP, progress=False)


def test_modes_follow_the_umask_and_the_owner_is_us(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert try_unpack(whole_tar(), tmp_path) == 2
    finally:
        os.umask(before)
    for path in [tmp_path / TOP, *(tmp_path / TOP).rglob("*")]:
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == (0o755 if path.is_dir() else 0o644)
        assert status.st_uid == os.getuid()


def test_what_real_tars_have(tmp_path: Path) -> None:
    """Names with ./, no folders of their own, folders twice, long names, those of macOS, pax headers."""
    long = f"{TOP}/{'long' * 40}.h5"
    members = [
        member("./", type=tarfile.DIRTYPE),
        file(f"./._{TOP}"),
        file(f"./{TOP}/a/b.txt", b"b"),
        file(f"{TOP}/a/._b.txt"),
        member(f"{TOP}/a", type=tarfile.DIRTYPE),
        member(f"{TOP}/a", type=tarfile.DIRTYPE),
        file(long, b"long"),
    ]
    info, data = file(f"{TOP}/pax é.txt", b"pax")
    info.pax_headers = {"mtime": "1.5", "SCHILY.xattr.user.note": "x"}
    assert try_unpack(tar_of([*members, (info, data), file(f"{TOP}/empty", b"")]), tmp_path) == 4
    found = {f"{TOP}/{name}": data for name, data in unpacked(tmp_path / TOP).items()}
    assert found == {f"{TOP}/a/b.txt": b"b", long: b"long", f"{TOP}/pax é.txt": b"pax", f"{TOP}/empty": b""}


def link(kind: bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(f"{TOP}/link", type=kind, linkname=target)


def pax(**headers: str) -> tuple[tarfile.TarInfo, bytes]:
    info, data = file(f"{TOP}/pax.txt", b"x" * 512)
    info.pax_headers = {key.replace("_", "."): value for key, value in headers.items()}
    return info, data


def long_name(claimed: int, data: bytes = b"") -> tuple[tarfile.TarInfo, bytes]:
    return member("././@LongLink", data, type=tarfile.GNUTYPE_LONGNAME, size=claimed)


HOSTILE = {
    "escape": ([file(f"{TOP}/../../evil")], "outside the folder"),
    "escape at the start": ([file("../evil")], "outside the folder"),
    "escape by a pax path": ([pax(path=f"{TOP}/../../evil")], "outside the folder"),
    "escape by a long name": ([long_name(20, b"../../evil\0"), file(f"{TOP}/x")], "outside the folder"),
    "absolute": ([file("/evil")], "outside the folder"),
    "absolute through the top": ([file(f"/{TOP}/evil")], "outside the folder"),
    "outside": ([file("Elsewhere/evil")], "outside the folder"),
    "outside by its beginning": ([file(f"{TOP}x/evil")], "outside the folder"),
    "the top is a file": ([file(TOP)], "twice"),
    "symbolic link": ([link(tarfile.SYMTYPE, "/etc/passwd")], "only files and folders"),
    "symbolic link inside": ([link(tarfile.SYMTYPE, "h5_files")], "only files and folders"),
    "hard link": ([link(tarfile.LNKTYPE, f"{TOP}/h5_files")], "only files and folders"),
    "fifo": ([member(f"{TOP}/fifo", type=tarfile.FIFOTYPE)], "only files and folders"),
    "character device": (
        [member(f"{TOP}/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
        "only files and folders",
    ),
    "block device": ([member(f"{TOP}/sda", type=tarfile.BLKTYPE, devmajor=8)], "only files and folders"),
    "unknown type": ([member(f"{TOP}/x", type=b"Z")], "only files and folders"),
    "old sparse": ([member(f"{TOP}/sparse", type=tarfile.GNUTYPE_SPARSE)], "only files and folders"),
    "pax sparse 0.1": ([pax(GNU_sparse_map="0,1", GNU_sparse_size="8000000000000")], "only files and folders"),
    "pax sparse 1.0 without a map": ([pax(GNU_sparse_major="1", GNU_sparse_minor="0")], "nothing was unpacked"),
    "size of a bomb": ([member(f"{TOP}/bomb", size=8 << 40)], "claims 8,796,093,022,208 bytes"),
    "size of a bomb by pax": ([pax(size="8000000000000")], "claims 8,000,000,000,000 bytes"),
    "negative size": ([pax(size="-1024")], "claims -1,024 bytes"),
    "negative size of a skipped one": ([(pax(size="-1024", path=f"{TOP}/._x"))], "claims -1,024 bytes"),
    "name as long as the archive": ([long_name(1 << 30)], "a header of more than"),
    "chain of long names": ([long_name(4, b"abc\0")] * 500, "a header of more than"),
    "twice": ([file(f"{TOP}/a"), file(f"{TOP}/a")], "twice"),
    "file in a file": ([file(f"{TOP}/a"), file(f"{TOP}/a/b")], "twice"),
    "file for a folder": ([file(f"{TOP}/a/b"), file(f"{TOP}/a")], "twice"),
    "backslash": ([file(f"{TOP}\\..\\evil")], "outside the folder"),
    "drive": ([file(f"C:{TOP}/evil")], "outside the folder"),
    "backslash inside": ([file(f"{TOP}/a\\..\\evil")], "a name with"),
    "control characters": ([file(f"{TOP}/a\nb")], "a name with"),
    "no UTF-8": ([file(f"{TOP}/a\udcff")], "a name with"),
    "deep": ([file(f"{TOP}/" + "a/" * 20 + "b")], "a name with"),
    "nothing": ([member("./", type=tarfile.DIRTYPE)], "no file in a folder"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_leave_nothing(case: str, tmp_path: Path) -> None:
    root = tmp_path / "a" / "root"
    root.mkdir(parents=True)
    members, message = HOSTILE[case]
    with pytest.raises(ShapeFileError, match=message) as caught:
        try_unpack(
            tar_of([*([] if case == "nothing" else [file(f"{TOP}/first")] * (case != "the top is a file")), *members]),
            root,
        )
    assert str(caught.value).startswith(f"{root / 'archive.tar'}: ")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [root / "archive.tar"]
    assert [path.name for path in root.iterdir()] == ["archive.tar"]


def test_members_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 10)
    content = tar_of([file(f"{TOP}/{number}") for number in range(11)])
    with pytest.raises(ShapeFileError, match="more than 10 members"):
        try_unpack(content, tmp_path)
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 11)
    assert try_unpack(content, tmp_path) == 11


@pytest.mark.parametrize("share", [0.001, 0.3, 0.5, 0.9, 1.0])
def test_truncated_archives(share: float, tmp_path: Path) -> None:
    """Cut in a header, in a file, and between two members, where only the end of the archive is missing."""
    content = tar_of([*folders(), *(file(f"{TOP}/{n}", b"x" * 1000) for n in range(20))], end=False)
    with pytest.raises(ShapeFileError, match=r"truncated|unexpected end"):
        try_unpack(content[: int(share * len(content))], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["archive.tar"]


def test_spoilt_header_is_not_the_end(tmp_path: Path) -> None:
    content = bytearray(tar_of([*folders(), file(f"{TOP}/a"), file(f"{TOP}/b")]))
    content[4 * 512 + 3] ^= 1  # in the name of the last member: its checksum is wrong
    with pytest.raises(ShapeFileError, match="damaged at byte 2,048"):
        try_unpack(bytes(content), tmp_path)


def test_compressed_archives_are_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(*((info, io.BytesIO(data)) for info, data in [file(f"{TOP}/a")]).__next__())
    with pytest.raises(ShapeFileError, match="truncated"):
        try_unpack(packed.getvalue(), tmp_path)


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / f".{TOP}.unpacking" / TOP / "stale").mkdir(parents=True)
    assert try_unpack(whole_tar(), tmp_path) == 2
    assert unpacked(tmp_path / TOP).keys() == {name.removeprefix(f"{TOP}/") for name in FILES}
    assert not (tmp_path / f".{TOP}.unpacking").exists()
