"""Sharing of known classes, comparators and encoders: one file and a model card, in a folder or on the Hub.

The file is the .safetensors file that `save` writes. No other file is read from a repository of the Hugging Face Hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from openshape_ood.checks import given_path
from openshape_ood.errors import InputError, WeightsError
from openshape_ood.registry import hub
from openshape_ood.registry.rows import Source
from openshape_ood.registry.sources import WeightsFile
from openshape_ood.storage import make_folder, save_whole

MOST_BYTES = 4 << 30  # largest file downloaded from the Hub
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
CARD = """# {title}

{facts}

```python
from {home} import {name}

loaded = {name}.from_pretrained("OWNER/NAME")
```

Made by openshape_ood {version}. The file holds numbers and JSON; loading it runs no code.
"""


@dataclass(frozen=True)
class SharedFile(WeightsFile):
    """A file of a Hub repository that the caller named."""

    table: ClassVar[str] = "the call"

    @property
    def what(self) -> str:
        return self.name

    @property
    def by_hand(self) -> str:
        how = f"`hf download {self.source.repo} {self.source.file} --revision {self.source.revision}`"
        return f"To get it by hand, on any machine with a network: {how}. Then give its folder to from_pretrained."


class Shared:
    """Base class of objects that can be saved to folders and Hub repositories."""

    shared_file: ClassVar[str]  # file name in the folder or repository

    def save(self, path: Any) -> Path:
        """Write one .safetensors file."""
        raise NotImplementedError

    def card_facts(self) -> Mapping[str, Any]:
        """Rows of the model card's table. "title" becomes its heading, "licence" goes into its metadata."""
        raise NotImplementedError

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write the file and a model card (README.md) to a folder, which is created if missing.

        Returns
        -------
        Path
            The folder, for `from_pretrained`.

        Raises
        ------
        FileError
            If the folder cannot be written.
        """
        made = make_folder(folder)
        self.save(made / self.shared_file)
        save_whole(made / "README.md", self.model_card().encode(), "the model card")
        return made

    def push_to_hub(self, repo: str, *, private: bool = False, message: str = "") -> str:
        """Upload the files of `save_pretrained` to a repository of the Hub, which is created if missing.

        Parameters
        ----------
        repo : str
            "owner/name".
        private : bool
            Make a new repository private.
        message : str
            Message of the commit.

        Returns
        -------
        str
            Address of the commit.

        Raises
        ------
        InputError
            For a name of another form.
        OfflineError, ServerError
            If the Hub cannot be reached, or refuses the upload. Log in with `hf auth login` or HF_TOKEN.
        """
        import tempfile

        if not isinstance(repo, str) or not REPOSITORY.fullmatch(repo):
            raise InputError(f"repo is {repo!r}. Expected owner/name, a repository of the Hub. Correct the name.")
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            files = [Path(folder, name) for name in (self.shared_file, "README.md")]
            return hub.upload(files, repo, private, message or f"{type(self).__name__} of openshape_ood")

    def model_card(self) -> str:
        """Text of README.md: facts about the object, and how to load it."""
        from openshape_ood import __all__, __version__

        name, package = type(self).__name__, type(self).__module__.rpartition(".")[0]
        home = "openshape_ood" if name in __all__ else package
        facts = dict(self.card_facts())
        title, licence = facts.pop("title"), facts.pop("licence", "")
        rows = ["| | |", "| --- | --- |", *(f"| {name} | {_cell(value)} |" for name, value in facts.items())]
        body = CARD.format(title=title, facts="\n".join(rows), home=home, name=name, version=__version__)
        head = ["---", "library_name: openshape-ood", "tags: [3d, point-cloud, novelty-detection, out-of-distribution]"]
        head += [f"license: {licence.lower()}"] if re.fullmatch(r"[\w.+-]+", licence) else []
        return "\n".join([*head, "---", body])


def shared_path(name: str | os.PathLike[str], file: str, revision: str = "main") -> Path:
    """Path of `file` in a folder, or in a repository of the Hub, from which it is downloaded.

    Raises
    ------
    InputError
        For a name that is neither a folder nor "owner/name".
    WeightsError
        For a folder without the file, or a file of the Hub above 4 GiB.
    OfflineError, ServerError, TransferError
        If the download fails.
    """
    folder = given_path(name, "name")
    if folder.is_dir():
        if not (folder / file).is_file():
            raise WeightsError(f"{folder} has no {file}. Expected a folder from save_pretrained. Give that folder.")
        return folder / file
    if not isinstance(name, str) or not REPOSITORY.fullmatch(name):
        raise InputError(
            f"name is {str(name)!r}, and there is no such folder. Expected a folder, or owner/name on the Hub. Correct "
            "the name."
        )
    wanted = SharedFile(name, "encoder", Source(repo=name, file=file, revision=revision))
    if (size := hub.size(wanted)) and size > MOST_BYTES:
        raise WeightsError(f"{wanted.place} has {size:,} bytes. Expected at most {MOST_BYTES:,}. Check the repository.")
    return hub.download(wanted, progress=False)


def is_shared(name: Any) -> bool:
    """True for a path, an existing folder, or a name of the form owner/name."""
    if isinstance(name, os.PathLike):
        return True
    return isinstance(name, str) and (REPOSITORY.fullmatch(name) is not None or Path(name).is_dir())


def _cell(value: Any) -> str:
    """Text of one cell of a Markdown table."""
    words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return re.sub(r"\s+", " ", words).replace("|", "\\|").replace("<", "&lt;")
