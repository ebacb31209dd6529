"""Install the wheel into fresh environments and run the quick start in each.

    python -m tests.release && python -m tests.matrix [--python 3.11 3.12 3.13] [--lowest 3.11] [--out FILE.json]

`make matrix` runs it. An environment takes 7 GB and is removed before the next. Each one runs README's Python, which
must print what README shows, `openshape-ood demo`, and `checkpoints verify` against the bill of materials.
It prints a row an environment; the exit code is 1 if one failed. --lowest installs the lowest versions of setup.cfg.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from tests.printed import alike

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = re.compile(r"```python\n(.*?)```(?:\s*```\n(.*?)```)?", re.DOTALL)
SHOWN = ("torch", "numpy", "open-clip-torch", "huggingface-hub", "matplotlib")
MOST_SECONDS = 1800  # of an installation


def run(command: Sequence[str | Path], **settings: Any) -> str:
    """Standard output. Raises `CalledProcessError` with both streams."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = {"UV_SYSTEM_CERTS": "1", "NO_COLOR": "1", **clean}
    done = subprocess.run(
        [*map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=True,
        **settings,
    )
    return done.stdout


def requirements(wheel: Path, extras: str, python: str) -> list[str]:
    """What a wheel needs with some extras on a version of Python; the wheel's own name stands for its extras."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = re.findall(r"^Requires-Dist: (.*)$", archive.read(name).decode(), re.MULTILINE)
    found, wanted, done = [], ["", *extras.split(",")], set[str]()
    while wanted:
        done.add(extra := wanted.pop())
        version = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python}
        for one in map(Requirement, lines):
            if not (one.marker.evaluate({"extra": extra, **version}) if one.marker else not extra):
                continue
            if one.name == "openshape-ood":
                wanted += one.extras - done
            else:
                found.append(f"{one.name}{one.specifier}")
    return found


def try_environment(python: str, lowest: bool, wheel: Path, extras: str, folder: Path) -> dict[str, Any]:
    """Install, run the quick start, and remove the environment. Its record says what failed, if anything did."""
    record: dict[str, Any] = {"python": python, "versions": "lowest" if lowest else "newest", "extras": extras}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    binaries, begun = folder / "venv" / "bin", time.perf_counter()
    try:
        run(["uv", "venv", "--python", python, folder / "venv"])
        inside = ["--python", binaries / "python"]
        if lowest:
            needed = requirements(wheel, extras, run([binaries / "python", "-V"]).split()[1])
            run(["uv", "pip", "install", *inside, "--resolution", "lowest-direct", *needed])
        run(["uv", "pip", "install", *inside, f"openshape-ood[{extras}] @ {wheel.resolve().as_uri()}"])
        installed = {
            one["name"]: one["version"] for one in json.loads(run(["uv", "pip", "list", *inside, "--format", "json"]))
        }
        record["installed"] = {name: installed[name] for name in SHOWN if name in installed}
        record["install seconds"] = round(time.perf_counter() - begun)
        quick_start(binaries, folder)
        record["passed"] = True
    except (subprocess.SubprocessError, AssertionError) as error:
        streams = [getattr(error, name, "") or "" for name in ("stdout", "stderr")]
        record |= {"passed": False, "error": "\n".join([str(error), *streams])[-4000:]}
    shutil.rmtree(folder)
    return record


def quick_start(binaries: Path, folder: Path) -> None:
    """README's Python, the demo and the packaged weights. Raises `AssertionError` if one says something else."""
    examples = EXAMPLE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    shown = "".join(output for _, output in examples)
    printed = run([binaries / "python", "-c", "\n".join(code for code, _ in examples)], cwd=folder)
    assert alike(printed.strip(), shown.strip()), f"README's Python prints\n{printed}"
    run([binaries / "openshape-ood", "demo", "--folder", "."], cwd=folder)
    assert (folder / "demo.png").stat().st_size > 10_000
    files = json.loads(run([binaries / "openshape-ood", "checkpoints", "verify", "--json"], cwd=folder))["files"]
    packaged = [one for one in files if one["source"] == "package"]
    assert len(packaged) > 15 and {one["status"] for one in packaged} == {"sound"}, packaged


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", nargs="*", default=["3.11", "3.12", "3.13"], metavar="VERSION|PATH")
    parser.add_argument(
        "--lowest", nargs="*", default=["3.11"], metavar="VERSION|PATH", help="with the lowest versions"
    )
    parser.add_argument("--wheel", type=Path, help="default: the one in dist")
    parser.add_argument("--extras", default="plots", help="of setup.cfg, separated by commas (default: plots)")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "matrix", help="for an environment (default: build/matrix)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    args = parser.parse_args(argv)
    wheels = [args.wheel] if args.wheel else sorted((ROOT / "dist").glob("*.whl"))
    if len(wheels) != 1:
        parser.error("there is no wheel in dist; run python -m tests.release first, or give --wheel")
    records = []
    for python, lowest in [*((one, False) for one in args.python), *((one, True) for one in args.lowest)]:
        records.append(record := try_environment(python, lowest, wheels[0], args.extras, args.folder))
        how = " ".join(f"{name} {version}" for name, version in record.get("installed", {}).items())
        print(f"{'passed' if record['passed'] else 'FAILED'}  {record['versions']:7} {python}  {how}", flush=True)
        print(record.get("error", ""), end="")
        if args.out:
            args.out.write_text(json.dumps({"wheel": wheels[0].name, "environments": records}, indent=1) + "\n")
    return int(not all(record["passed"] for record in records))


if __name__ == "__main__":
    sys.exit(main())
