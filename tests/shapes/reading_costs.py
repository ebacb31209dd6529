"""What reading costs: `python reading_costs.py shape|scene FILE...` prints, for each file, seconds, memory and outcome.

Seconds of CPU and peak memory. Each file is read in a fork of this process, which has imported what readers need and
nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import sys

SECONDS, MEGABYTES = 10, 500


def cost(kind: str, path: str, most: int = 3 * SECONDS) -> dict[str, object]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
        os.write(write, outcome(kind, path).encode()[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status, usage = os.wait4(child, 0)
    return {
        "seconds": usage.ru_utime + usage.ru_stime,
        "megabytes": usage.ru_maxrss / 1024,
        "outcome": said or f"killed by signal {os.WTERMSIG(status)}",
    }


def outcome(kind: str, path: str) -> str:
    from openshape_ood.errors import ShapeFileError
    from openshape_ood.scenes import load_scene
    from openshape_ood.shapes.reading import file_up, load_shape

    said = []
    for read in (file_up, load_shape) if kind == "shape" else (lambda given: load_scene(given).points,):
        try:
            said.append(str(getattr(read(path), "shape", "y")))
        except ShapeFileError as error:
            said.append(str(error))
    return said[-1]


if __name__ == "__main__":
    import collada  # noqa: F401
    import laspy  # noqa: F401
    import PIL.Image
    import trimesh  # noqa: F401

    import openshape_ood.scenes
    import openshape_ood.shapes.reading  # noqa: F401

    PIL.Image.init()
    print(json.dumps({path: cost(sys.argv[1], path) for path in sys.argv[2:]}))
