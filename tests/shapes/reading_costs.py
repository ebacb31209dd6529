"""What reading costs: `python reading_costs.py KIND FILE...` prints, for each file, seconds, memory and outcome.

KIND is shape, scene, view, picture, tile, masks or affinities.

Seconds of CPU and peak memory. Each file is read in a fork of this process, which has imported what readers need and
nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any

SECONDS, MEGABYTES, SPACE = 10, 500, 6 * 2**30


def cost(kind: str, path: str, most: int = 3 * SECONDS, above: bool = False) -> dict[str, object]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
        resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
        idle = resident() if above else 0
        os.write(write, f"{idle} {outcome(kind, path)}".encode()[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status, usage = os.wait4(child, 0)
    idle, _, said = said.partition(" ")
    return {
        "seconds": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss / 1024 - float(idle or 0),
        "outcome": said or f"killed by signal {os.WTERMSIG(status)}",
    }


def resident() -> float:
    """Megabytes of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def outcome(kind: str, path: str) -> str:
    from openshape_ood.errors import FileError

    said = []
    for read in readers(kind):
        try:
            said.append(str(getattr(read(path), "shape", "y")))
        except FileError as error:
            said.append(str(error))
    return said[-1]


def readers(kind: str) -> Sequence[Callable[[str], Any]]:
    if kind == "shape":
        from openshape_ood.shapes.reading import file_up, load_shape

        return file_up, load_shape
    if kind == "scene":
        from openshape_ood.scenes import load_scene

        return (lambda path: load_scene(path).points,)
    from openshape_ood.shapes.pictures import load_picture
    from openshape_ood.surfaces.images import image_tile
    from openshape_ood.views.affinities import Affinities
    from openshape_ood.views.files import load_view

    found: dict[str, Callable[[str], Any]] = {
        "view": lambda path: load_view(path, depth_scale=1000).scene().points,
        "picture": load_picture,
        "tile": lambda path: image_tile(path)[0],
        "masks": lambda path: Affinities.load_masks(path).novelty().novelty,
        "affinities": lambda path: Affinities.load(path).novelty().novelty,
    }
    return (found[kind],)


if __name__ == "__main__":
    import collada  # noqa: F401
    import laspy  # noqa: F401
    import PIL.Image
    import trimesh  # noqa: F401

    import openshape_ood.scenes
    import openshape_ood.shapes.reading  # noqa: F401

    PIL.Image.init()
    above = sys.argv[1] not in ("shape", "scene")  # torch, which these import, is the idle process's
    if above:
        readers(sys.argv[1])
    print(json.dumps({path: cost(sys.argv[1], path, above=above) for path in sys.argv[2:]}))
