"""Build the sdist and the wheel, and check what is in them.

    python -m tests.release [--out dist]

`make release` runs it. It ends with the contents by folder, and the exit code 1 if anything is wrong: a deprecation of
setuptools, a file that does not belong in, one that is missing, a size above 30 MB, a bill of materials that does not
agree, metadata that a package index would refuse.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 30_000_000  # of each archive
# beside Python modules
DATA = re.compile(
    r"openshape_ood/(py\.typed|(app|cli)/\w+\.css|encoders/text/templates\.toml|scoring/negative_words\.txt"
    r"|synthetic/categories\.toml|scenes/(sizes|proposals/traits)\.json|scene_changes/calibration\.json|registry/checkpoints\.toml"
    r"|registry/(tiny|small|completion)/(\w+\.safetensors|tokenizer\.json|MODEL_CARD\.md))"
)
MODULE = re.compile(r"openshape_ood/([a-z]\w*/)*\w+\.py")
TOP = re.compile(
    r"CHANGELOG\.md|CITATION\.cff|LICENSE|MANIFEST\.in|NOTICE|PKG-INFO|README\.md|SECURITY\.md|pyproject\.toml|setup\.(cfg|py)"
)
INFO = re.compile(
    r"openshape_ood-[^/]+\.dist-info/(METADATA|RECORD|WHEEL|entry_points\.txt|top_level\.txt|licenses/(LICENSE|NOTICE)"
    r"|sboms/openshape_ood\.cdx\.json)"
)
EGG = re.compile(r"openshape_ood\.egg-info/\w+(-\w+)?(\.txt)?")


def strangers(names: Iterable[str], kind: str) -> list[str]:
    """Files that belong in no archive of that kind, "wheel" or "sdist"."""
    allowed = (MODULE, DATA, INFO) if kind == "wheel" else (MODULE, DATA, TOP, EGG)
    return [name for name in names if not any(pattern.fullmatch(name) for pattern in allowed)]


def contents(archive: Path) -> dict[str, bytes]:
    """File -> content; of an sdist without its first folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(archive) as sdist:
        files = [member for member in sdist.getmembers() if not member.isdir()]
        if odd := [member.name for member in files if not member.isfile()]:
            raise ValueError(f"{archive.name} holds links: {', '.join(odd)}")
        return {one.name.partition("/")[2]: file.read() for one in files if (file := sdist.extractfile(one))}


def faults(archive: Path, expected: Iterable[str]) -> list[str]:
    """Sentences about what is wrong with an archive; expected: files of the package that it must hold."""
    kind = "wheel" if archive.suffix == ".whl" else "sdist"
    held = contents(archive)
    found = [f"{archive.name} holds {name}" for name in strangers(held, kind)]
    found += [f"{archive.name} lacks {name}" for name in sorted({*expected} - {*held})]
    if archive.stat().st_size > MOST_BYTES:
        found.append(f"{archive.name} has {archive.stat().st_size:,} bytes; expected at most {MOST_BYTES:,}")
    return found + (bill_faults(held) if kind == "wheel" else [])


def bill_faults(held: Mapping[str, bytes]) -> list[str]:
    """The same of the bill of materials among the files of a wheel."""
    bills = [content for name, content in held.items() if name.endswith(".dist-info/sboms/openshape_ood.cdx.json")]
    if len(bills) != 1:
        return ["the wheel has no bill of materials"]
    listed = {one["name"]: one for one in json.loads(bills[0])["components"]}
    found = [
        f"the bill of materials lacks {name}" for name in held if name.endswith(".safetensors") and name not in listed
    ]
    for name, one in listed.items():
        digest = hashlib.sha256(held.get(name, b"")).hexdigest()
        if {"alg": "SHA-256", "content": digest} not in one["hashes"]:
            found.append(f"the bill of materials has another sha256 for {name}")
        if not (one["licenses"] and one["description"]):
            found.append(f"the bill of materials has no licence or origin for {name}")
    return found


def tracked() -> list[str]:
    """Files of the package that git knows."""
    done = subprocess.run(["git", "ls-files", "openshape_ood"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def build(out: Path) -> tuple[list[Path], list[str]]:
    """The archives, the wheel made of the sdist, and lines of the build that say something is deprecated."""
    shutil.rmtree(out, ignore_errors=True)
    for left in ("build/lib", "openshape_ood.egg-info"):  # what a former build left would be packed
        shutil.rmtree(ROOT / left, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout)
    return sorted(out.iterdir()), deprecations(done.stdout)


def deprecations(log: str) -> list[str]:
    """Lines of a build's output that speak of deprecation; names of files do not."""
    lines = [
        line.strip() for line in log.splitlines() if not re.match(r"(adding|copying|creating|writing|reading) ", line)
    ]
    return [line for line in lines if "deprecat" in line.lower()]


def table(archive: Path) -> str:
    """Files and bytes by folder."""
    held = contents(archive)
    count, size = Counter[str](), Counter[str]()
    for name, content in held.items():
        folder = "/".join(name.split("/")[:-1][:2])
        count[folder] += 1
        size[folder] += len(content)
    rows = [f"{size[folder]:12,} {count[folder]:5}  {folder or '.'}" for folder in sorted(count)]
    return "\n".join([f"{archive.name}: {archive.stat().st_size:,} bytes, {len(held)} files", *rows])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.release", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR", help="emptied first (default: dist)")
    args = parser.parse_args(argv)
    archives, wrong = build(args.out)
    wrong += [fault for archive in archives for fault in faults(archive, tracked())]
    check = [sys.executable, "-m", "twine", "check", "--strict", *map(str, archives)]
    code = subprocess.run(check, check=False).returncode
    print("\n\n".join(map(table, archives)))
    for fault in wrong:
        print(fault, file=sys.stderr)
    print("sound" if not (code or wrong) else "not to be released")
    return int(bool(code or wrong))


if __name__ == "__main__":
    sys.exit(main())
