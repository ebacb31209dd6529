"""The one part of a build that setup.cfg cannot say: a bill of materials inside the wheel (PEP 770)."""

import json
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel

ROOT = Path(__file__).resolve().parent


class WheelWithMaterials(bdist_wheel):
    def write_wheelfile(self, wheelfile_base: str, *args: str) -> None:
        super().write_wheelfile(wheelfile_base, *args)
        sys.path.insert(0, str(ROOT))  # a build does not see the folder it builds
        from openshape_ood.registry.materials import FILE, bill_of_materials

        bill = Path(wheelfile_base, FILE)
        bill.parent.mkdir(exist_ok=True)
        content = bill_of_materials(ROOT, self.distribution.get_version())
        bill.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


setup(cmdclass={"bdist_wheel": WheelWithMaterials})
