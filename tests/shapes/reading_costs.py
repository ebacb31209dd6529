"""What reading costs: `python reading_costs.py FILE...` prints, for each file, seconds of CPU, peak memory and outcome.

Each file is read in a fork of this process, which has imported what readers need and nothing else.
"""

from __future__ import annotations

import json
import os
import resource
import sys

SECONDS, MEGABYTES = 10, 500


def cost(path: str, most: int = 3 * SECONDS) -> dict[str, object]:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
        os.write(write, outcome(path).encode()[:4000])
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


def outcome(path: str) -> str:
    from openshape_ood.errors import ShapeFileError
    from openshape_ood.shapes.reading import file_up, load_shape

    said = []
    for read in (file_up, load_shape):
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

    import openshape_ood.shapes.reading  # noqa: F401

    PIL.Image.init()
    print(json.dumps({path: cost(path) for path in sys.argv[1:]}))
