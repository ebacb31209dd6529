"""The table of archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.threedos.data.download import TABLE, read_archives
from openshape_ood.errors import RegistryError


def test_table_names_the_four_archives_of_the_release() -> None:
    rows = read_archives(TABLE)
    assert {row.name: row.folder for row in rows} == {
        name: name
        for name in ("modelnet40_normal_resampled", "ScanObjectNN", "ModelNet40_corrupted", "sncore_fps_4096")
    }
    assert all(
        row.address == f"https://www.dropbox.com/s/{row.address.split('/')[4]}/{row.name}.tar?dl=1" for row in rows
    )


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("x = [", "cannot be read as a table"),
        ("[a]\naddress = 'https://x.org/a'", r"\[a\] lacks the field 'folder'"),
        (
            "[a]\naddress = 'https://x.org/a'\nfolder = 'a'\nneeded_by = ''\nmd5 = ''",
            r"\[a\] has an unknown field 'md5'",
        ),
        (
            "[a]\naddress = 'https://x.org/a'\nfolder = 'a'\nneeded_by = ''\nsize = '7 GB'",
            "7 GB.*Expected a whole number",
        ),
        ("[a]\naddress = 'https://x.org/a'\nfolder = '../a'\nneeded_by = ''", "cannot name"),
        ("['/a']\naddress = 'https://x.org/a'\nfolder = 'a'\nneeded_by = ''", "cannot name"),
        ("[a]\naddress = 'http://x.org/a'\nfolder = 'a'\nneeded_by = ''", "expected https"),
        ("[a]\naddress = 'file:///etc/passwd'\nfolder = 'a'\nneeded_by = ''", "expected https"),
        ("[a]\naddress = 'https://[x'\nfolder = 'a'\nneeded_by = ''", "expected https"),
    ],
)
def test_bad_tables_are_refused_with_their_path(text: str, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RegistryError, match=wanted) as caught:
        read_archives(path)
    assert str(path) in str(caught.value)
