"""User modules that register encoders, scores and methods.

A module is imported at once, and its name is stored in an environment variable. Child processes import it too, when
they first read a registry or look up a method.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from openshape_ood.errors import InputError

VARIABLE = "OPENSHAPE_OOD_IMPORT"  # names, separated as in PATH
_imported: set[str] = set()


def use_module(name: str) -> None:
    """Import a module here and in child processes.

    Parameters
    ----------
    name : str
        A module on Python's path or in the working folder, such as "my_module", or a file, such as "tools/mine.py".

    Raises
    ------
    InputError
        For a module that cannot be found, or that raises on import.
    """
    file = Path(name).expanduser()
    name = str(file.resolve()) if file.suffix == ".py" else name
    _import(name)
    named = _named()
    os.environ[VARIABLE] = os.pathsep.join([*named, *([] if name in named else [name])])


def use_named() -> None:
    """Import each module in the environment variable once."""
    for name in _named():
        _import(name)


def _named() -> list[str]:
    return [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]


def _import(name: str) -> None:
    if name in _imported:
        return
    _imported.add(name)  # before the import: the module may look up a method itself
    file = Path(name)
    folder, module = (str(file.parent), file.stem) if file.suffix == ".py" else (os.getcwd(), name)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # `python -m` adds the working folder, an installed command does not
    try:
        importlib.import_module(module)
    except Exception as error:
        _imported.discard(name)
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            where = f"a module on Python's path or in {Path.cwd()}, or a file that ends in .py"
            raise InputError(f"there is no module {name!r}. Expected {where}. Check the name.") from error
        raise InputError(
            f"{name} cannot be imported: {type(error).__name__}: {error}. Expected a module without errors. Correct it."
        ) from error
