"""Cameras: hand-held, on a tripod, and security cameras."""

from __future__ import annotations

import numpy as np

from openshape_ood.synthetic.builders._copies import stamped
from openshape_ood.synthetic.builders._shapes import barrel, bars, frame, from_side, panel, rods
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, ellipsoid, join, lathe, rod, sheet


def camera_lens(rng: Random, radius: float, length: float) -> Mesh:
    """Stepped barrel from z = 0 forwards, hollow in front."""
    flare = rng.uniform(0.85, 1.15)
    outside = [(0, 0), (radius, 0), (radius, length * 0.4), (radius * flare, length * 0.45), (radius * flare, length)]
    return lathe([*outside, (radius * 0.8, length), (radius * 0.7, length * 0.85), (0, length * 0.82)], 18).turned(
        "x", 90
    )


def slr_camera(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.11, 0.16), u(0.075, 0.1), u(0.04, 0.06)
    body = cushion(width, height, depth, 0.2)
    prism = box(width * 0.35, height * 0.35, depth).tapered(0.5).moved(y=height * 0.6)
    grip = cushion(width * 0.22, height * 0.95, depth * 1.3, 0.4).moved(x=-width * 0.42, z=depth * 0.25)
    dials = stamped(cylinder(0.01, 0.012, segments=10), [(x * width, height / 2, 0) for x in (-0.35, 0.32)])
    return join(body, prism, grip, dials, camera_lens(rng, height * u(0.3, 0.42), u(0.03, 0.16)).moved(z=depth * 0.45))


def compact_camera(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, depth = u(0.08, 0.14), u(0.05, 0.085), u(0.02, 0.045)
    x = width * u(-0.05, 0.2)
    flash = box(width * 0.15, height * 0.15, 0.004).moved(-width * 0.3, height * 0.32, depth / 2)
    finder = box(width * 0.18, height * 0.12, depth * 0.5).moved(width * 0.3, height * 0.53)
    shutter = cylinder(0.007, 0.008, segments=10).moved(-width * 0.35, height / 2)
    return join(
        panel(width, height, depth, 0.01),
        flash,
        finder,
        shutter,
        camera_lens(rng, height * 0.36, u(0.01, 0.05)).moved(x, 0, depth / 2),
    )


def bracket(rng: Random, back: float, y: float) -> Mesh:
    """Wall plate at z = back and an arm from it to the origin, or a ceiling mount."""
    plate = barrel(rng.uniform(0.025, 0.05), 0.015).moved(y=y, z=back)
    joint = ellipsoid(0.04, 0.04, 0.04, 10).moved(y=y, z=back * 0.6)
    return join(plate, rod((0, y, back), (0, y, back * 0.6), 0.012), rod((0, y, back * 0.6), (0, 0, 0), 0.014), joint)


def bullet_camera(rng: Random) -> Mesh:
    u = rng.uniform
    radius, length = u(0.03, 0.05), u(0.12, 0.25)
    body = join(barrel(radius, length), camera_lens(rng, radius * 0.8, 0.02).moved(z=length / 2))
    hood = sheet(
        lambda a, b: np.stack(
            [radius * 1.15 * np.cos(np.pi * a), radius * 1.15 * np.sin(np.pi * a), length * (b - 0.4) * 1.15], axis=-1
        ),
        9,
        2,
    )
    return join(body, hood, bracket(rng, -length * u(0.6, 0.9), -u(0, 0.12))).turned("x", u(0, 15))


def boxed_camera(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, length = u(0.06, 0.11), u(0.06, 0.1), u(0.15, 0.32)
    case = box(width, height, length)
    roof = box(width * 1.2, 0.006, length * 1.15).moved(y=height / 2 + 0.005, z=length * 0.05)
    front = join(frame(width, height, 0.01, 0.02), barrel(height * 0.3, 0.03)).moved(z=length / 2)
    down = u(0.08, 0.2)
    arm = [((0, -height / 2, 0), (0, -down, -length * 0.3)), ((0, -down, -length * 0.3), (0, -down, -length * 0.7))]
    plate = box(0.08, 0.12, 0.015).moved(y=-down, z=-length * 0.7)
    return join(join(case, roof, front).turned("x", u(0, 20)), bars(arm, 0.015), plate)


def dome_camera(rng: Random) -> Mesh:
    u = rng.uniform
    radius = u(0.05, 0.09)
    a = np.linspace(0, np.pi / 2, 6)
    dome = lathe([(radius * 0.8 * np.cos(t), -radius * 0.8 * np.sin(t)) for t in a], 18)
    rim = cylinder(radius * 0.9, radius * u(0.3, 0.7), radius).moved(y=radius * 0.2)
    eye = camera_lens(rng, radius * 0.25, radius * 0.3).turned("x", u(20, 60)).moved(y=-radius * 0.45, z=radius * 0.45)
    hanger = rod((0, 0, 0), (0, u(0.06, 0.15), 0), 0.02) if chance(rng, 0.4) else rim
    camera = join(dome, rim, eye, hanger)
    return camera.turned("x", -90) if chance(rng, 0.25) else camera


def turret_camera(rng: Random) -> Mesh:
    u = rng.uniform
    size = u(0.05, 0.09)
    head = join(ellipsoid(size, size, size), camera_lens(rng, size * 0.3, size * 0.15).moved(z=size * 0.42)).turned(
        "x", u(-15, 20)
    )
    cup = lathe(
        [(0, -size * 0.9), (size * 0.6, -size * 0.9), (size * u(0.4, 0.6), -size * 0.2), (size * 0.3, -size * 0.3)], 16
    )
    return join(head, cup)


def webcam(rng: Random) -> Mesh:
    u = rng.uniform
    width, height = u(0.05, 0.1), u(0.025, 0.04)
    head = join(cushion(width, height, 0.03, 0.4), barrel(height * 0.35, 0.01).moved(z=0.017))
    clip = join(
        box(width * 0.5, 0.006, 0.05), box(width * 0.5, 0.05, 0.006).turned("x", u(0, 30)).moved(y=-0.02, z=-0.025)
    )
    return join(head.moved(y=height * 0.7), clip, rod((0, 0, 0), (0, height * 0.5, 0), 0.008))


def camcorder(rng: Random) -> Mesh:
    u = rng.uniform
    width, height, length = u(0.05, 0.08), u(0.06, 0.09), u(0.11, 0.2)
    body = cushion(width, height, length, 0.3)
    lens = camera_lens(rng, height * 0.42, u(0.03, 0.06)).moved(y=height * 0.05, z=length * 0.48)
    screen = box(0.008, height * 0.75, length * 0.55).turned("y", u(0, 80)).moved(x=width * 0.75)
    handle = from_side([(-0.4, 0.9), (0.4, 0.9), (0.4, 1.1), (-0.4, 1.1)], 0.02).scaled(1, height, length)
    posts = stamped(box(0.02, height * 0.5, 0.015), [(0, height * 0.7, z * length) for z in (-0.35, 0.35)])
    eye = barrel(height * 0.2, 0.04).moved(y=height * 0.4, z=-length * 0.55)
    return join(body, lens, screen, eye, handle, posts) if chance(rng, 0.5) else join(body, lens, screen, eye)


def tripod_camera(rng: Random) -> Mesh:
    u = rng.uniform
    camera = slr_camera(rng) if chance(rng, 0.6) else camcorder(rng)
    height, spread = u(0.5, 1.4), u(0.25, 0.5)
    hub = np.array([0.0, height * 0.85, 0.0])
    angles = np.radians([30, 150, 270])
    feet = np.stack([spread * np.cos(angles), np.zeros(3), spread * np.sin(angles)], axis=1)
    legs = rods(np.repeat(hub[None], 3, axis=0), feet, u(0.01, 0.018), sides=7)
    return join(
        camera.scaled(1.3, 1.3, 1.3).moved(y=height + 0.06), legs, rod((0, height * 0.85, 0), (0, height, 0), 0.02)
    )


category(
    "camera",
    slr=slr_camera,
    compact=compact_camera,
    security_bullet=bullet_camera,
    security_box=boxed_camera,
    security_dome=dome_camera,
    turret=turret_camera,
    webcam=webcam,
    camcorder=camcorder,
    tripod=tripod_camera,
)
