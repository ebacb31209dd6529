"""Screens: computer monitors and televisions, flat, curved and with a tube."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._bodies import Ring, slab
from openshape_ood.synthetic.builders._copies import both, placed
from openshape_ood.synthetic.builders._fittings import dial
from openshape_ood.synthetic.builders._shapes import frame, ribbon
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, join, rod


def flat_panel(rng: Random, width: float, height: float) -> Mesh:
    """A screen around the origin that faces +z: bezel, slightly sunk glass, often a bulge behind."""
    thick, border = rng.uniform(0.012, 0.06), rng.uniform(0.006, 0.04)
    side, edge = box(border, height, 0.008), box(width, border, 0.008)
    x, y, z = (width - border) / 2, (height - border) / 2, thick / 2
    bezel = join(side.moved(x, 0, z), side.moved(-x, 0, z), edge.moved(0, y, z), edge.moved(0, -y, z))
    parts = [box(width, height, thick), bezel]
    if chance(rng, 0.6):
        bulge = box(width * rng.uniform(0.4, 0.85), rng.uniform(0.02, 0.06), height * rng.uniform(0.4, 0.8))
        parts += [bulge.tapered(rng.uniform(0.6, 0.95)).turned("x", -90).moved(z=-thick / 2 - 0.02)]
    return join(*parts)


def screen_size(rng: Random, low: float, high: float) -> tuple[float, float]:
    width = rng.uniform(low, high)
    return width, width / rng.choice([1.25, 1.33, 1.6, 1.78, 1.78])


def stand_base(rng: Random, width: float) -> Mesh:
    """A monitor's foot on y = 0."""
    w, d, t = width * rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.26), rng.uniform(0.008, 0.03)
    kind = rng.randint(4)
    if kind == 0:
        return box(w, t, d).moved(y=t / 2)
    if kind == 1:
        return slab(Ring(0, w, d), t)
    if kind == 2:
        leg = box(0.03, 0.02, d * 1.1)
        return both(leg.turned("y", rng.uniform(20, 50)).moved(0.3 * w, 0.01, 0.03))
    return slab(Ring(0, w, d, 2.5, 0, 8), t)


def neck(rng: Random, height: float) -> Mesh:
    """Neck from the foot up to behind a panel at the given height."""
    z = -rng.uniform(0.02, 0.07)
    if chance(rng, 0.35):
        return rod((0, 0, z), (0, height, z), rng.uniform(0.015, 0.03))
    w, t = rng.uniform(0.04, 0.14), rng.uniform(0.012, 0.035)
    return box(w, height, t).tapered(rng.uniform(0.6, 1.0)).turned("x", rng.uniform(-12, 5)).moved(y=height / 2, z=z)


def on_stand(rng: Random, panel: Mesh, width: float, height: float) -> Mesh:
    lift = rng.uniform(0.05, 0.16)
    tilted = panel.turned("x", -rng.uniform(-2, 12)).moved(y=lift + height / 2)
    return join(tilted, neck(rng, lift + height * rng.uniform(0.3, 0.6)), stand_base(rng, width))


def flat_monitor(rng: Random) -> Mesh:
    width, height = screen_size(rng, 0.33, 0.75)
    return on_stand(rng, flat_panel(rng, width, height), width, height)


def tube_body(rng: Random, width: float, height: float) -> Mesh:
    """A cathode ray tube's case around the origin: bezel, bulging glass, tapered back."""
    front, deep = rng.uniform(0.06, 0.16), width * rng.uniform(0.5, 0.85)
    shell = box(width, front, height).turned("x", 90) if chance(rng) else cushion(width, height, front, 0.12)
    back = box(width * 0.96, deep, height * 0.94).tapered(rng.uniform(0.45, 0.8)).turned("x", -90)
    sag = rng.uniform(0.0, 0.08) * height
    glass = cushion(0.84 * width, 0.8 * height, rng.uniform(0.02, 0.06), 0.3).moved(y=0.03 * height, z=front / 2)
    parts = [shell, back.moved(y=sag, z=-front / 2 - deep / 2), glass]
    if chance(rng):
        parts += [box(0.9 * width, 0.02, 0.012).moved(y=-0.46 * height, z=front / 2 + 0.005)]
    return join(*parts)


def crt_monitor(rng: Random) -> Mesh:
    width = rng.uniform(0.33, 0.48)
    height = width * rng.uniform(0.8, 0.95)
    foot = join(cylinder(0.13, 0.02).moved(y=0.01), cylinder(0.07, 0.06, top=0.11).moved(y=0.045))
    body = tube_body(rng, width, height).turned("x", -rng.uniform(0, 8))
    return join(body.moved(y=height / 2 + 0.07, z=0.12), foot)


def crt_television(rng: Random) -> Mesh:
    """A living-room set: speaker grille and knobs beside the tube or below it, aerials, legs."""
    width = rng.uniform(0.45, 0.85)
    height, deep = width * rng.uniform(0.65, 0.85), width * rng.uniform(0.45, 0.7)
    case = (
        cushion(width, height, deep, rng.choice([0.08, 0.2]))
        if chance(rng)
        else tube_body(rng, width, height).moved(z=0.2)
    )
    glass = cushion(0.68 * width, 0.8 * height, 0.06, 0.35).moved(-0.12 * width, z=deep / 2)
    knobs = placed(dial(0.03, 0.03), [(0.36 * width, y * height, deep / 2) for y in (0.28, 0.1)])
    parts = [case, glass, knobs]
    if chance(rng, 0.5):
        spread = rng.uniform(0.15, 0.4)
        parts += [both(rod((0.01, height / 2, 0), (spread, height / 2 + rng.uniform(0.25, 0.5), 0), 0.004))]
    if chance(rng, 0.4):
        leg = rod((0.36 * width, -height / 2, 0.3 * deep), (0.44 * width, -height / 2 - 0.3, 0.4 * deep), 0.02, 0.012)
        parts += [both(leg), both(leg.mirrored("z"))]
    return join(*parts)


def wall_monitor(rng: Random) -> Mesh:
    """A flat panel alone, or with its bracket."""
    width, height = screen_size(rng, 0.5, 1.6)
    panel = flat_panel(rng, width, height)
    if chance(rng, 0.4):
        return panel
    return join(panel, box(0.3 * width, 0.5 * height, 0.03).moved(z=-0.09), box(0.1, 0.1, 0.06).moved(z=-0.05))


def curved_monitor(rng: Random) -> Mesh:
    width, height = rng.uniform(0.75, 1.2), rng.uniform(0.32, 0.42)
    radius = rng.uniform(0.9, 1.8)
    a = np.linspace(-1, 1, 15) * width / 2 / radius
    path = np.stack([radius * np.sin(a), 0 * a, radius - radius * np.cos(a)], axis=1)
    panel = ribbon(path, (0, 1, 0), height, rng.uniform(0.015, 0.05))
    return on_stand(rng, panel, 0.6 * width, height)


def speaker_monitor(rng: Random) -> Mesh:
    """A monitor with speaker boxes fixed to its sides or standing beside it."""
    width, height = screen_size(rng, 0.4, 1.1)
    monitor_ = on_stand(rng, flat_panel(rng, width, height), width, height)
    w, d = rng.uniform(0.06, 0.12), rng.uniform(0.04, 0.13)
    fixed = chance(rng)
    h = height if fixed else rng.uniform(0.18, 0.35)
    y = float(monitor_.vertices[:, 1].max()) - h / 2 if fixed else h / 2
    cone = cylinder(0.4 * w, 0.012, top=0.3 * w).turned("x", 90).moved(z=d / 2)
    speaker = join(box(w, h, d), cone.moved(y=0.2 * h), cone.moved(y=-0.2 * h))
    return join(monitor_, both(speaker.moved(width / 2 + w / 2 + (0.003 if fixed else 0.05), y)))


def arm_monitor(rng: Random) -> Mesh:
    width, height = screen_size(rng, 0.45, 0.7)
    lift, reach = rng.uniform(0.3, 0.5), rng.uniform(0.15, 0.3)
    post = join(cylinder(0.018, lift).moved(y=lift / 2), box(0.1, 0.02, 0.1).moved(y=0.01)).moved(z=-reach - 0.05)
    elbow = (rng.uniform(-0.2, 0.2), lift - 0.05, -reach / 2 - 0.05)
    arm = join(rod((0, lift - 0.05, -reach - 0.05), elbow, 0.016), rod(elbow, (0, lift - 0.02, -0.03), 0.016))
    return join(flat_panel(rng, width, height).moved(y=lift), post, arm)


def flat_television(rng: Random) -> Mesh:
    """A wide set on two feet near its ends or one plate."""
    width = rng.uniform(0.7, 1.7)
    height, lift = width / 1.75, rng.uniform(0.04, 0.1)
    panel = flat_panel(rng, width, height).moved(y=lift + height / 2)
    spread, d = rng.uniform(0.25, 0.45) * width, rng.uniform(0.1, 0.17)
    leg = join(rod((0, lift + 0.02, 0), (0, 0.01, d), 0.01), rod((0, lift + 0.02, 0), (0, 0.01, -d), 0.01))
    if chance(rng, 0.7):
        return join(panel, both(leg.moved(spread)))
    return join(
        panel, box(0.1, lift + 0.1, 0.03).moved(y=lift / 2 + 0.05, z=-0.03), slab(Ring(0, 0.5 * width, 0.26, 4), 0.02)
    )


def dual_monitor(rng: Random) -> Mesh:
    """Two panels side by side on one stand, or each on its own."""
    width, height = screen_size(rng, 0.42, 0.6)
    angle, gap = rng.uniform(0, 25), width / 2 + 0.01
    if chance(rng):
        single = on_stand(rng, flat_panel(rng, width, height), width, height)
        return join(single.turned("y", angle).moved(-gap), single.turned("y", -angle).moved(gap))
    panel, lift = flat_panel(rng, width, height), rng.uniform(0.3, 0.4)
    post = join(cylinder(0.02, lift).moved(y=lift / 2), box(0.35, 0.02, 0.22).moved(y=0.01)).moved(z=-0.1)
    bar = box(1.2 * width, 0.04, 0.03).moved(y=lift, z=-0.09)
    return join(panel.turned("y", angle).moved(-gap, lift), panel.turned("y", -angle).moved(gap, lift), post, bar)


def all_in_one(rng: Random) -> Mesh:
    """A chin below the screen, a bent sheet as foot; sometimes the keyboard in front."""
    width, height = screen_size(rng, 0.45, 0.7)
    chin, lift = rng.uniform(0.04, 0.09), rng.uniform(0.06, 0.12)
    panel = join(flat_panel(rng, width, height), box(width, chin, 0.03).moved(y=-height / 2 - chin / 2))
    path = np.array([[0, 0.01, 0.1], [0, 0.01, -0.1], [0, 0.03, -0.11], [0, lift + chin + 0.1, -0.03]])
    parts = [panel.moved(y=lift + chin + height / 2), ribbon(path, (1, 0, 0), 0.3 * width, 0.012)]
    if chance(rng, 0.4):
        parts += [box(0.42, 0.018, 0.14).turned("x", 4).moved(y=0.012, z=0.27)]
    return join(*parts)


def portrait_monitor(rng: Random) -> Mesh:
    height, width = screen_size(rng, 0.45, 0.62)
    return on_stand(rng, flat_panel(rng, width, height), 1.6 * width, height)


def wall_panel(rng: Random) -> Mesh:
    """A thin wide set without a stand: a narrow bezel, a shallower box or a bracket at its back."""
    width = rng.uniform(0.7, 2.0)
    height, thick, rim = width / rng.uniform(1.5, 1.9), rng.uniform(0.015, 0.05), rng.uniform(0.008, 0.025)
    sunk = box(width - 2 * rim, height - 2 * rim, thick).moved(z=-rng.uniform(0.002, 0.006))
    parts = [sunk, frame(width, height, rim, thick)]
    deep, w, h = rng.uniform(0.015, 0.05), width * rng.uniform(0.25, 0.8), height * rng.uniform(0.25, 0.7)
    low = -rng.uniform(0, 0.9) * (height - h) / 2
    back = box(w, deep, h).tapered(rng.uniform(0.8, 1)).turned("x", -90).moved(y=low, z=-(thick + deep) / 2)
    if chance(rng, 0.75):
        parts.append(back)
    if chance(rng, 0.4):
        arms = both(box(0.03, 0.6 * height, 0.02).moved(0.12 * width, 0, -thick / 2 - deep - 0.01))
        parts.append(join(arms, box(0.34 * width, 0.08, 0.015).moved(z=-thick / 2 - deep - 0.028)))
    if chance(rng, 0.25):
        parts.append(box(0.6 * width, 0.03, thick).moved(y=-height / 2 - 0.015))
    return join(*parts).turned("x", rng.uniform(0, 8))


category(
    "monitor",
    flat_stand=flat_monitor,
    crt_monitor=crt_monitor,
    crt_television=crt_television,
    wall_mounted=wall_monitor,
    curved=curved_monitor,
    speakers=speaker_monitor,
    arm=arm_monitor,
    television=flat_television,
    dual=dual_monitor,
    all_in_one=all_in_one,
    portrait=portrait_monitor,
    wall_panel=wall_panel,
)
