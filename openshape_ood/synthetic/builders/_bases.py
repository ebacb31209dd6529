"""What case furniture stands on."""

from __future__ import annotations

from openshape_ood.synthetic.builders._blocks import blocks, slab
from openshape_ood.synthetic.builders._chance import Random, pick
from openshape_ood.synthetic.builders._copies import both
from openshape_ood.synthetic.builders._legs import legs
from openshape_ood.synthetic.builders._rows import four
from openshape_ood.synthetic.mesh import Mesh, cylinder, ellipsoid, join


def based(rng: Random, case: Mesh, width: float, depth: float, kind: str, height: float) -> Mesh:
    """A case lifted onto a base: none, plinth, panels (side boards), sled, castors, bun, or a kind of leg."""
    if kind == "none":
        return case
    lifted = case.moved(y=height)
    x, z = width / 2, depth / 2
    if kind == "plinth":
        return join(slab(width - rng.uniform(0, 0.04), height, depth * rng.uniform(0.85, 0.95)), lifted)
    if kind == "panels":
        return join(lifted, blocks([(-x, 0.02 - x, 0, height, -z, z), (x - 0.02, x, 0, height, -z, z)]))
    if kind == "sled":
        r = 0.012
        side = blocks([
            (x - 2 * r, x, 0, 2 * r, -z, z), (x - 2 * r, x, 0, height, z - 2 * r, z),
            (x - 2 * r, x, 0, height, -z, 2 * r - z),
        ])  # fmt: skip
        return join(lifted, both(side))
    if kind == "castors":
        wheel = join(
            cylinder(0.4 * height, 0.025, segments=10).turned("z", 90).moved(y=0.4 * height),
            cylinder(0.012, 0.4 * height, segments=6).moved(y=0.8 * height),
        )
        return join(lifted, four(wheel.moved(x - 0.05, 0, z - 0.05)))
    if kind == "bun":
        foot = ellipsoid(1.2 * height, height, 1.2 * height, segments=10).moved(y=height / 2)
        return join(lifted, four(foot.moved(x - 0.6 * height, 0, z - 0.6 * height)))
    return join(lifted, legs(kind, width, depth, height, rng.uniform(0.014, 0.03)))


def low_base(rng: Random) -> tuple[str, float]:
    """A kind of base and its height, as case furniture on the floor has it."""
    kind = pick(rng, ("none", "plinth", "plinth", "square", "tapered", "bun", "panels"))
    return kind, rng.uniform(0.03, 0.12)


def high_base(rng: Random) -> tuple[str, float]:
    kind = pick(rng, ("square", "tapered", "splayed", "turned", "round", "cabriole", "hairpin", "sled"))
    return kind, rng.uniform(0.12, 0.3)
