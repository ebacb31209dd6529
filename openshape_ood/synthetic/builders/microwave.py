"""Microwave and toaster ovens, free and built in."""

from __future__ import annotations

from openshape_ood.synthetic.builders._bodies import pot
from openshape_ood.synthetic.builders._copies import at_corners, both, placed
from openshape_ood.synthetic.builders._fittings import bar_handle, dial, hung, window
from openshape_ood.synthetic.builders._shapes import open_front
from openshape_ood.synthetic.catalog import Random, category, chance, count
from openshape_ood.synthetic.mesh import Mesh, box, cushion, cylinder, join


def oven_size(rng: Random) -> tuple[float, float, float]:
    return rng.uniform(0.42, 0.6), rng.uniform(0.24, 0.34), rng.uniform(0.3, 0.46)


def panel_width(rng: Random, width: float) -> float:
    return width * rng.uniform(0.2, 0.28)


def keypad(rng: Random, width: float, height: float) -> Mesh:
    """Buttons in rows below a small display, around the origin."""
    rows, columns = count(rng, 4, 6), 3
    key = box(0.7 * width / columns, 0.4 * height / rows, 0.008)
    spots = [
        ((c - 1) * 0.85 * width / columns, (r / rows - 0.45) * 0.7 * height, 0)
        for r in range(rows)
        for c in range(columns)
    ]
    return join(placed(key, spots), box(0.8 * width, 0.13 * height, 0.006).moved(y=0.36 * height))


def microwave_body(rng: Random, controls: Mesh, size: tuple[float, float, float], panel: float) -> Mesh:
    w, h, d = size
    door = window(w - panel, h, rng.uniform(0.04, 0.07), 0.03).moved(-panel / 2, h / 2, d / 2 + 0.012)
    feet = at_corners(cylinder(0.015, 0.015, segments=8).moved(y=-0.007), w / 2 - 0.05, d / 2 - 0.05)
    front = box(panel, h, 0.025).moved((w - panel) / 2, h / 2, d / 2 + 0.01)
    parts = [box(w, h, d).moved(y=h / 2), door, feet, front, controls.moved((w - panel) / 2, h / 2, d / 2 + 0.025)]
    if chance(rng, 0.6):
        parts += [bar_handle(0.7 * h, 0.035, 0.008).moved(w / 2 - panel - 0.03, h / 2, d / 2 + 0.03)]
    return join(*parts)


def button_microwave(rng: Random) -> Mesh:
    size = oven_size(rng)
    panel = panel_width(rng, size[0])
    return microwave_body(rng, keypad(rng, panel, size[1]), size, panel)


def dial_microwave(rng: Random) -> Mesh:
    size = oven_size(rng)
    panel = panel_width(rng, size[0])
    knob = dial(0.3 * panel, 0.025)
    return microwave_body(rng, join(knob.moved(y=0.22 * size[1]), knob.moved(y=-0.2 * size[1])), size, panel)


def open_microwave(rng: Random) -> Mesh:
    """The door ajar, turntable inside."""
    w, h, d = oven_size(rng)
    panel = panel_width(rng, w)
    cavity = open_front(w - panel, h, d, 0.02).moved(-panel / 2)
    column = box(panel, h, d).moved((w - panel) / 2, h / 2)
    keys = keypad(rng, panel, h).moved((w - panel) / 2, h / 2, d / 2 + 0.003)
    plate = pot([(0.25 * d, 0.025), (0.4 * d, 0.03), (0.42 * d, 0.04)], 0.005).moved(-panel / 2)
    door = window(w - panel, h, 0.05, 0.03).moved((w - panel) / 2, h / 2)
    return join(cavity, column, keys, plate, hung(door, -w / 2, d / 2 + 0.01, rng.uniform(30, 120)))


def built_in_microwave(rng: Random) -> Mesh:
    """A drop-down door over the full width, controls in a strip above it."""
    w, h, d = rng.uniform(0.55, 0.62), rng.uniform(0.36, 0.46), rng.uniform(0.32, 0.55)
    strip = 0.2 * h
    door = window(w, h - strip, 0.06, 0.03).moved(y=(h - strip) / 2, z=d / 2 + 0.01)
    bar = bar_handle(0.75 * w, 0.04, 0.01).turned("z", 90).moved(y=h - strip - 0.04, z=d / 2 + 0.02)
    controls = join(box(0.2 * w, 0.5 * strip, 0.01), both(dial(0.3 * strip, 0.02).moved(0.3 * w)))
    return join(
        box(w - 0.03, h - 0.02, d).moved(y=h / 2),
        door,
        bar,
        controls.moved(y=h - strip / 2, z=d / 2 + 0.01),
        box(w, strip, 0.025).moved(y=h - strip / 2, z=d / 2),
    )


def retro_microwave(rng: Random) -> Mesh:
    w, h, d = oven_size(rng)
    body = cushion(w, h, d, 0.25).moved(y=h / 2 + 0.03)
    door = cushion(0.65 * w, 0.75 * h, 0.05, 0.3).moved(-0.13 * w, h / 2 + 0.03, d / 2)
    knobs = placed(dial(0.035, 0.03), [(0.34 * w, h * y + 0.03, d / 2 - 0.005) for y in (0.32, 0.68)])
    handle = bar_handle(0.5 * h, 0.03, 0.009).moved(0.15 * w, h / 2 + 0.03, d / 2 + 0.02)
    return join(body, door, knobs, handle, at_corners(cylinder(0.02, 0.04).moved(y=0.02), 0.35 * w, 0.3 * d))


category(
    "microwave",
    buttons=button_microwave,
    dials=dial_microwave,
    door_open=open_microwave,
    built_in=built_in_microwave,
    retro=retro_microwave,
)
