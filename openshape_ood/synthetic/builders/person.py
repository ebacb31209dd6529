"""People, jointed at shoulders, elbows, hips and knees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from openshape_ood.synthetic.builders._copies import on_back
from openshape_ood.synthetic.catalog import Random, category, chance
from openshape_ood.synthetic.mesh import Mesh, box, cushion, ellipsoid, join, lathe, tube


class Pose(NamedTuple):
    """Angles of limbs in degrees, first the left and then the right limb. A limb at 0 hangs straight down."""

    arms: tuple[tuple[float, float, float], tuple[float, float, float]]
    legs: tuple[tuple[float, float, float], tuple[float, float, float]]


def hanging(out: float, forward: float) -> np.ndarray:
    """Unit vector of a limb that hangs down, swung out to +x and then forwards."""
    a, b = np.radians([out, forward])
    return np.array([np.sin(a), -np.cos(a) * np.cos(b), np.cos(a) * np.sin(b)])


def limb(
    start: np.ndarray, swing: tuple[float, float, float], upper: float, lower: float, radii: Sequence[float]
) -> tuple[Mesh, np.ndarray]:
    """Upper and lower part of a limb, and the point where it ends."""
    out, first, second = swing
    middle = start + upper * hanging(out, first)
    end = middle + lower * hanging(out * 0.8, second)
    return tube(np.stack([start, middle, end]), radii), end


def trunk(height: float, girth: float) -> Mesh:
    """Torso and neck of a standing figure, its axis through the origin."""
    h, g = height, height * girth
    profile = [
        (0, 0.46), (0.07, 0.47), (0.098, 0.52), (0.082, 0.61), (0.1, 0.73),
        (0.1, 0.79), (0.06, 0.825), (0.03, 0.835), (0.03, 0.88),
    ]  # fmt: skip
    return lathe([(r * g, y * h) for r, y in profile], 16).scaled(z=0.62)


def head(rng: Random, height: float) -> Mesh:
    face = ellipsoid(height * 0.088, height * 0.128, height * 0.105).moved(y=height * 0.93)
    hair = ellipsoid(height * 0.1, height * rng.uniform(0.08, 0.2), height * 0.11).moved(
        y=height * 0.945, z=-height * 0.014
    )
    return join(face, hair) if chance(rng, 0.6) else face


def right_leg(height: float, girth: float, pose: tuple[float, float, float]) -> Mesh:
    """The right leg (towards +x) with its foot."""
    hip = np.array([0.05 * height * girth, 0.5 * height, 0])
    g = height * girth
    leg, ankle = limb(hip, pose, 0.24 * height, 0.235 * height, [0.052 * g, 0.036 * g, 0.026 * g])
    foot = cushion(0.055 * height, 0.045 * height, 0.15 * height, 0.5, 10).moved(y=-0.005 * height, z=0.04 * height)
    return join(leg, foot.moved(*ankle))


def right_arm(height: float, girth: float, pose: tuple[float, float, float]) -> Mesh:
    """The right arm (towards +x) with its hand."""
    shoulder = np.array([0.1 * height * girth, 0.79 * height, 0])
    g = height * girth
    arm, wrist = limb(shoulder, pose, 0.17 * height, 0.16 * height, [0.031 * g, 0.025 * g, 0.018 * g])
    return join(arm, ellipsoid(0.035 * height, 0.07 * height, 0.045 * height, 8).moved(*wrist))


def figure(rng: Random, pose: Pose, height: float, *extras: Mesh) -> Mesh:
    girth = rng.uniform(0.85, 1.3)
    right, left = (0, 1) if chance(rng, 0.5) else (1, 0)
    limbs = [right_arm(height, girth, pose.arms[right]), right_arm(height, girth, pose.arms[left]).mirrored("x")]
    legs = [right_leg(height, girth, pose.legs[right]), right_leg(height, girth, pose.legs[left]).mirrored("x")]
    return join(trunk(height, girth), head(rng, height), *limbs, *legs, *extras)


def standing_pose(rng: Random) -> Pose:
    u = rng.uniform
    bend = u(0, 25)
    return Pose(((u(5, 18), 0, bend), (u(5, 18), 0, bend)), ((u(1, 7), 0, 0), (u(1, 7), 0, 0)))


def standing_person(rng: Random) -> Mesh:
    return figure(rng, standing_pose(rng), rng.uniform(1.5, 1.95))


def walking_person(rng: Random) -> Mesh:
    stride, swing = rng.uniform(12, 38), rng.uniform(10, 35)
    pose = Pose(
        ((6, swing, swing + 25), (6, -swing, 10 - swing)),
        ((2, -stride * 0.5, -stride * 1.3), (2, stride, stride * 0.6)),
    )
    return figure(rng, pose, rng.uniform(1.5, 1.95))


def t_pose_person(rng: Random) -> Mesh:
    out = rng.uniform(45, 95)
    return figure(rng, Pose(((out, 0, 0), (out, 0, 0)), ((5, 0, 0), (5, 0, 0))), rng.uniform(1.5, 1.95))


def sitting_person(rng: Random) -> Mesh:
    u = rng.uniform
    thigh, knee, reach = u(75, 95), u(-10, 30), u(20, 60)
    pose = Pose(
        ((8, reach * 0.5, reach + 40), (8, reach * 0.5, reach + 30)), ((u(3, 14), thigh, knee), (u(3, 14), thigh, knee))
    )
    height = u(1.5, 1.9)
    seat = box(height * 0.27, height * 0.46, height * 0.25).moved(y=height * 0.21)
    return figure(rng, pose, height, seat) if chance(rng, 0.3) else figure(rng, pose, height)


def dressed_person(rng: Random) -> Mesh:
    u = rng.uniform
    height, hem, wide = u(1.5, 1.8), u(0.03, 0.32), u(0.11, 0.22)
    skirt = lathe([(0.095 * height, 0.62 * height), (0.11 * height, 0.52 * height), (wide * height, hem * height)], 18)
    return figure(rng, standing_pose(rng), height, skirt.scaled(z=u(0.65, 1)))


def cheering_person(rng: Random) -> Mesh:
    u = rng.uniform
    one = (u(5, 15), 0, u(0, 20)) if chance(rng, 0.5) else (u(20, 40), 180, 180)
    return figure(rng, Pose(((u(10, 40), 180, u(150, 190)), one), ((6, 0, 0), (6, 0, 0))), u(1.5, 1.95))


def child(rng: Random) -> Mesh:
    height = rng.uniform(0.7, 1.25)
    big = ellipsoid(height * 0.16, height * 0.19, height * 0.17).moved(y=height * 0.94)
    return figure(rng, standing_pose(rng), height, big)


category(
    "person",
    standing=standing_person,
    walking=walking_person,
    t_pose=t_pose_person,
    sitting=sitting_person,
    dressed=dressed_person,
    arms_raised=cheering_person,
    child=child,
    lying=lambda rng: on_back(standing_person(rng)),
)
