"""Runs the notebooks and writes their outputs into them: `python -m notebooks.execute [01_quickstart …]`.

In the checkout, with the extra `[notebooks]`. Prints the seconds that each took.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).resolve().parent
NOTEBOOKS = tuple(sorted(path.stem for path in FOLDER.glob("[0-9]*.ipynb")))
SECONDS = 300  # for one cell
ALIKE = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class ThisPython(KernelSpecManager):
    """Knows one kernel, the interpreter that runs this, whatever else is installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, language="python", display_name="Python 3")


def execute(name: str) -> NotebookNode:
    """The notebook run from its first cell to its last in a fresh kernel, which works in the notebooks' folder.

    Jupyter's own files go to a folder that is removed. Raises nbclient's `CellExecutionError` where a cell fails.
    """
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    with tempfile.TemporaryDirectory() as own:
        asyncio.run(_execute(notebook, own))
    return tidy(notebook)


async def _execute(notebook: NotebookNode, own: str) -> None:
    # sockets in a folder of our own: no port that others could listen on
    manager = AsyncKernelManager(
        kernel_spec_manager=ThisPython(), connection_file=f"{own}/kernel.json", transport="ipc", ip=f"{own}/kernel"
    )
    resources = {"metadata": {"path": str(FOLDER)}}
    client = NotebookClient(notebook, km=manager, timeout=SECONDS, record_timing=False, resources=resources)
    client.coalesce_streams = True  # however the kernel happens to flush
    try:
        await client.async_execute(env=_environment(own))
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
        await manager.shutdown_kernel(now=True)


def _environment(own: str) -> dict[str, str]:
    """This checkout's library before an installed one; one thread unless OMP_NUM_THREADS says otherwise."""
    paths = [str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "IPYTHONDIR": own, **ALIKE}


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Without what differs from one computer to the next, no versions, no times; with small pictures."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = small_png(output.data["image/png"])
    return notebook


def small_png(picture: str) -> str:
    """A PNG in base64 with 256 colors, which shows the same in a third of the bytes."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return base64.b64encode(written.getvalue()).decode("ascii")


def write(name: str, notebook: NotebookNode) -> Path:
    path = FOLDER / f"{name}.ipynb"
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    nbformat.write(notebook, partial)
    os.replace(partial, path)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m notebooks.execute", description="Runs the notebooks in place.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NOTEBOOKS)} (default: all)")
    names = parser.parse_args(argv).names or NOTEBOOKS
    if unknown := sorted(set(names) - set(NOTEBOOKS)):
        parser.error(f"there is no notebook {', '.join(unknown)}; expected some of {', '.join(NOTEBOOKS)}")
    print(f"{'notebook':44}  seconds  kB")
    total = 0.0
    for name in names:
        started = time.perf_counter()
        try:
            path = write(name, execute(name))
        except CellExecutionError as error:
            print(f"{name}: a cell failed; the file is as it was\n{error}", file=sys.stderr)
            return 1
        seconds = time.perf_counter() - started
        total += seconds
        print(f"{name:44}  {seconds:7.1f}  {path.stat().st_size // 1000:2}", flush=True)
    print(f"{'together':44}  {total:7.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
