"""Bill of materials of the package: file, sha256, licence and origin of each packaged weight (CycloneDX 1.6).

A build makes it from NOTICE and the registry, and writes it into `.dist-info/sboms/` of the wheel (PEP 770).
`checkpoints verify` reads it. This module needs the standard library only, because a build has no other packages.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from openshape_ood.errors import HashError, RegistryError
from openshape_ood.registry.rows import PACKAGE, packaged_rows

FILE = "sboms/openshape_ood.cdx.json"  # below .dist-info
SUFFIXES = {".safetensors", ".json", ".txt", ".toml"}  # suffixes of packaged data
REGISTRY = "openshape_ood/registry/checkpoints.toml"  # the only data file that is not listed
LINE = re.compile(r"^ {4}(openshape_ood/\S+) {2,}(\S+) {2,}(\S.*)$", re.MULTILINE)  # in NOTICE: file, licence, origin
HOST = "https://"


def bill_of_materials(root: Path, version: str) -> dict[str, Any]:
    """Bill of the checkout or source archive at `root`, with the same bytes in every build.

    Raises
    ------
    RegistryError
        NOTICE lists a missing file, or omits a packaged file.
    HashError
        A packaged file has another sha256 than the registry.
    """
    listed = {path: (licence, origin) for path, licence, origin in LINE.findall((root / "NOTICE").read_text("utf-8"))}
    packaged = {
        path.relative_to(root).as_posix() for path in (root / "openshape_ood").rglob("*") if path.suffix in SUFFIXES
    }
    if different := sorted(packaged.difference([REGISTRY]).symmetric_difference(listed)):
        raise RegistryError(
            f"NOTICE and the package differ in {', '.join(different)}. Expected one line in NOTICE, with licence and "
            "origin, for every packaged data file. Add or remove the line."
        )
    product = {"name": "openshape-ood", "version": version, "bom-ref": f"pkg:pypi/openshape-ood@{version}"}
    product |= {"type": "library", "purl": product["bom-ref"]}
    components = [_component(root, path, *listed[path]) for path in sorted(listed)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**product, "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": components,
        "dependencies": [{"ref": product["bom-ref"], "dependsOn": [one["bom-ref"] for one in components]}],
    }


def _component(root: Path, path: str, licence: str, origin: str) -> dict[str, Any]:
    digest = hashlib.sha256((root / path).read_bytes()).hexdigest()
    users = _registered().get(path, {})
    wrong = sorted(name for name, expected in users.items() if expected not in ("", digest))
    if wrong:
        raise HashError(
            f"{path} has the sha256 {digest}. The registry has another one for {', '.join(wrong)}. Restore the file, "
            "or correct sha256 in checkpoints.toml."
        )
    component: dict[str, Any] = {
        "type": "machine-learning-model" if path.endswith(".safetensors") else "data",
        "bom-ref": path,
        "name": path,
        "description": origin,
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "licenses": [{"license": {"id": licence}}],
    }
    if origin.startswith(HOST):
        component["externalReferences"] = [{"type": "source-distribution", "url": origin}]
    if users:
        component["properties"] = [{"name": "openshape-ood:checkpoint", "value": name} for name in sorted(users)]
    return component


def _registered() -> dict[str, dict[str, str]]:
    """Packaged file -> checkpoint that uses it -> registered sha256, "" for none."""
    users: dict[str, dict[str, str]] = {}
    for row in packaged_rows().values():
        texts = [(row.text.model, row.text.sha256)] if row.text.kind in ("static", "table") else []
        for file, digest in [(row.source.package, row.source.sha256), *texts]:
            if file:
                users.setdefault(f"openshape_ood/registry/{file}", {})[row.name] = digest
    return users


def installed_materials() -> dict[Path, str]:
    """Packaged file -> sha256, from the bill of the installed wheel. Empty in a checkout."""
    try:
        installed = metadata.distribution("openshape-ood")
    except metadata.PackageNotFoundError:
        return {}
    root = PACKAGE.parents[1]
    if Path(str(installed.locate_file(""))).resolve() != root.resolve():  # an editable installation
        return {}
    bill = json.loads(installed.read_text(FILE) or "{}")
    return {root / one["name"]: one["hashes"][0]["content"] for one in bill.get("components", [])}
