"""Marks measured: small draws of the simulation, and what a stricter threshold costs."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from benchmarks.questions import guarantees_marks as marks
from openshape_ood.encoders.protocols import Identity, Provenance
from openshape_ood.novelty_map import Elements, NoveltyMap


@pytest.fixture
def small(monkeypatch):
    for name, value in {"POOL": 400, "OBJECTS": 130, "TESTED": 50}.items():
        monkeypatch.setattr(marks, name, value)


def test_the_simulation_keeps_its_rates_and_refuses_what_is_too_little(small):
    rng = np.random.default_rng(0)
    points = list(marks._points(10, rng))
    assert "99 or more can" in points[0]["refused"] and points[0]["n"] == 20
    assert all(row["mean"] <= row["rate"] + 3 * row["error"] for row in points[1:])
    for row in marks._regions(10, rng):
        assert row["mean"] <= row["rate"] + 3 * row["error"] and row["p_values"] == pytest.approx(row["mean"])
    four, ten = marks._groups(5, rng)
    assert "4 calibration shapes" in four["refused"] and four["without_groups"] > 2 * four["rate"]
    assert ten["mean"] <= ten["rate"]


def test_a_stricter_threshold_costs_parts():
    rng, side = np.random.default_rng(0), 20
    places = np.argwhere(np.ones((side, side))).astype(float)
    elements = Elements("points", np.hstack([places, np.zeros((side * side, 1))]))
    truth = (places < 6).all(axis=1)

    def found(height: float) -> NoveltyMap:
        novelty = rng.random(side * side) + height * truth
        return NoveltyMap(
            elements, novelty, None, np.array(["x"]), 0.0, None, Provenance(Identity("x", "y", "0" * 64), "z")
        )

    held, known = [found(0) for _ in range(210)], [found(0) for _ in range(20)]
    case = marks.Case("plates", 0.9, 5, held, known, [(found(h), truth) for h in (0.5, 2.0, 2.0)])
    rows = {row["rule"]: row for row in marks.cost(case)}
    assert "refused" in rows["points, n = 20"]
    today, strict = rows["today"], rows["points, n = 200"]
    assert strict["false points"] < 0.02 < today["false points"] and strict["marks on the part"] > 0.8
    assert strict["part marked"] < today["part marked"] and strict["found"] >= 2 / 3
    report = {"simulation": list(marks._groups(2, rng))[:1], "cost": list(rows.values())}
    simulated, costs = marks.tables(report)
    assert "refused" in simulated and "points, n = 200" in costs


def test_the_part_is_measured_with_the_others(monkeypatch, small):
    monkeypatch.setattr(marks, "cases", lambda seed: iter(()))
    report = marks.measure(argparse.Namespace(draws=2, seed=0))
    assert len(report["simulation"]) == 9 and report["cost"] == []
