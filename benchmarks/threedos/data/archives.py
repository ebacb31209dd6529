"""The table of archives, `archives.toml`, and the addresses that may stand in one."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openshape_ood.errors import RegistryError

TABLE = Path(__file__).with_name("archives.toml")
FIELDS = {"address": str, "folder": str, "needed_by": str, "size": int}
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Archive:
    """A row of the table: NAME.tar at `address` holds the one folder `folder`; size in bytes, about, 0 if unknown."""

    name: str
    address: str
    folder: str
    needed_by: str
    size: int = 0


def read_archives(path: Path) -> tuple[Archive, ...]:
    """The rows of an archives.toml; raises `RegistryError` with the file, the row and what is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistryError(f"{path}: no table of archives can be read from it ({error})") from error
    return tuple(_row(path, name, fields) for name, fields in tables.items())


def _row(path: Path, name: str, fields: Any) -> Archive:
    if not isinstance(fields, dict) or fields.keys() | {"size"} != FIELDS.keys():
        raise RegistryError(f"{path}: {name!r} must have the fields address, folder, needed_by, and may have size")
    for key, value in fields.items():
        if type(value) is not FIELDS[key]:
            raise RegistryError(f"{path}: {key} of {name!r} is {value!r}, expected {FIELDS[key].__name__}")
    for word in (name, fields["folder"]):
        if not re.fullmatch(r"\w[\w.-]*", word, re.ASCII):
            raise RegistryError(f"{path}: {word!r} cannot name an archive or a folder; use letters, digits, _ . -")
    if not is_allowed(fields["address"]):
        raise RegistryError(f"{path}: {name!r} is at {fields['address']!r}; expected https, or http on this machine")
    return Archive(name, **fields)


def is_allowed(address: str) -> bool:
    """Whether an address may be asked: https, or http to this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return (parts.scheme == "https" and bool(parts.hostname)) or is_local(address)


def is_local(address: str) -> bool:
    """Whether it is http to this machine; raises `ValueError` of what is no address."""
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in LOCAL_HOSTS
