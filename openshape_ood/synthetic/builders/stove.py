"""Stoves: ranges, cooktops, wall ovens and wood stoves."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import SHARP, Ring, solid
from openshape_ood.synthetic.builders._copies import at_corners, placed
from openshape_ood.synthetic.builders._fittings import bar_handle, dial, window
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cylinder, join, torus


def gas_burner(radius: float) -> Mesh:
    """Burner cap under a pot support, on y = 0."""
    bars = join(*[box(2.2 * radius, 0.012, 0.012).turned("y", a).moved(y=0.035) for a in (0, 90)])
    return join(
        cylinder(0.5 * radius, 0.02, segments=10).moved(y=0.01), torus(radius, 0.007, segments=12).moved(y=0.035), bars
    )


def hotplates(rng: Random, width: float, depth: float, columns: int = 2) -> Mesh:
    """Burners or plates in two rows on y = 0."""
    r = rng.uniform(0.07, 0.1)
    one = gas_burner(r) if chance(rng, 0.6) else cylinder(r, 0.015).moved(y=0.008)
    xs = (np.arange(columns) - (columns - 1) / 2) * width / columns
    return placed(one, [(x, 0, s * depth / 4) for x in xs for s in (-1, 1)])


def oven_front(width: float, height: float) -> Mesh:
    """An oven door with pane and bar, from y = 0, in front of z = 0."""
    bar = bar_handle(0.8 * width, 0.05, 0.012).turned("z", 90).moved(y=0.92 * height, z=0.03)
    return join(window(width, height, 0.16 * height, 0.035).moved(y=height / 2, z=0.017), bar)


def knob_row(rng: Random, width: float, n: int) -> Mesh:
    return placed(dial(rng.uniform(0.018, 0.03), 0.03), [(x * width, 0, 0) for x in np.linspace(-0.4, 0.4, n)])


def range_cooker(rng: Random, width: float, ovens: int) -> Mesh:
    h, d, splash = rng.uniform(0.82, 0.95), rng.uniform(0.55, 0.68), rng.uniform(0.0, 0.25)
    drawer, strip = rng.uniform(0.1, 0.2), rng.uniform(0.08, 0.13)
    parts = [box(width, h, d).moved(y=h / 2), hotplates(rng, width, d, ovens + 1).moved(y=h)]
    door = oven_front(width / ovens - 0.02, h - drawer - strip - 0.03).moved(y=drawer + 0.01)
    parts += [placed(door, [((i - (ovens - 1) / 2) * width / ovens, 0, d / 2) for i in range(ovens)])]
    parts += [
        box(width - 0.02, drawer - 0.02, 0.03).moved(y=drawer / 2, z=d / 2),
        knob_row(rng, width, 4 + ovens).moved(y=h - strip / 2, z=d / 2),
    ]
    if splash > 0.06:
        parts += [box(width, splash, 0.06).moved(y=h + splash / 2, z=-d / 2 + 0.03)]
    return join(*parts)


def hooded_stove(rng: Random) -> Mesh:
    """A range under its extractor: a pyramid or a box with a duct."""
    w, y, flare = rng.uniform(0.55, 0.8), rng.uniform(1.5, 1.7), rng.uniform(0.08, 0.3)
    hood = solid(
        [Ring(y, w, 0.5, SHARP), Ring(y + 0.05, w, 0.5, SHARP), Ring(y + 0.05 + flare, 0.28, 0.26, SHARP, -0.1)]
    )
    duct = box(0.26, 0.5, 0.24).moved(y=y + flare + 0.3, z=-0.1)
    return join(range_cooker(rng, w, 1), hood, duct)


def cooktop(rng: Random) -> Mesh:
    """A hob alone: built-in plate or camping cooker."""
    columns = count(rng, 1, 3)
    w, d = 0.3 * columns * rng.uniform(0.9, 1.1), rng.uniform(0.42, 0.55)
    lift = rng.uniform(0.01, 0.1)
    knobs = knob_row(rng, 0.7 * w, 2 * columns).turned("x", -90).moved(y=lift, z=d / 2 - 0.02)
    return join(box(w, lift, d + 0.06).moved(y=lift / 2), hotplates(rng, w, 0.9 * d, columns).moved(y=lift), knobs)


def wood_stove(rng: Random) -> Mesh:
    """A cast-iron box or drum on legs with a fire door and a flue."""
    w, h, d, foot = rng.uniform(0.4, 0.75), rng.uniform(0.45, 0.8), rng.uniform(0.35, 0.5), rng.uniform(0.1, 0.25)
    body = cylinder(d / 2, h) if chance(rng, 0.3) else box(w, h, d)
    wide = float(body.size()[0])
    door = window(0.6 * wide, 0.55 * h, 0.06, 0.03).moved(y=foot + 0.45 * h, z=d / 2 + 0.01)
    leg = cylinder(0.02, foot, top=0.035).moved(y=foot / 2)
    pipe = cylinder(rng.uniform(0.05, 0.08), rng.uniform(0.4, 1.4))
    flue = pipe.moved(y=foot + h + pipe.size()[1] / 2, z=-0.15 * d)
    top = box(wide + 0.06, 0.03, d + 0.06).moved(y=foot + h + 0.015)
    return join(body.moved(y=foot + h / 2), door, at_corners(leg, 0.35 * wide, 0.3 * d), flue, top)


def wall_oven(rng: Random) -> Mesh:
    """One built-in oven, or two above each other."""
    w, h, d, n = 0.6, rng.uniform(0.55, 0.65), 0.55, count(rng, 1, 2)
    one = join(
        box(w, h, d).moved(y=h / 2),
        oven_front(w - 0.02, 0.8 * h).moved(z=d / 2),
        knob_row(rng, w, 3).moved(y=0.9 * h, z=d / 2),
    )
    return placed(one, [(0, i * (h + 0.01), 0) for i in range(n)])


category(
    "stove",
    range=lambda rng: range_cooker(rng, rng.uniform(0.5, 0.8), 1),
    double_range=lambda rng: range_cooker(rng, rng.uniform(0.9, 1.3), 2),
    with_hood=hooded_stove,
    cooktop=cooktop,
    wood_stove=wood_stove,
    wall_oven=wall_oven,
)
