"""Comparison of printed text that holds computed numbers."""

from __future__ import annotations

import re

NUMBER = re.compile(r"(?:(?<![\w)\]])-)?\d+(?:\.\d+)?")  # with its sign, which is no hyphen


def alike(ours: str, theirs: str) -> bool:
    """Same words, and numbers that differ by at most two in the last place, as processors round differently.

    Whole numbers below ten are equal: they count classes, groups and axes.
    """

    def close(one: str, other: str) -> bool:
        decimals = len(one.partition(".")[2])
        if not decimals and abs(float(one)) < 10:
            return one == other
        return len(other.partition(".")[2]) == decimals and abs(float(one) - float(other)) <= 2.01 * 10**-decimals

    plain = [re.sub(r"\s+", " ", NUMBER.sub("#", text)).strip() for text in (ours, theirs)]
    return plain[0] == plain[1] and all(map(close, NUMBER.findall(ours), NUMBER.findall(theirs)))
