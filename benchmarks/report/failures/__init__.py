"""Where a run fails: novel shapes taken as known and known ones called novel, as a sheet and as a page."""

from __future__ import annotations

from benchmarks.report.failures.choice import Failure, missed, worst
from benchmarks.report.failures.page import write_failure_page
from benchmarks.report.failures.sheet import draw_failures

__all__ = ["Failure", "draw_failures", "missed", "worst", "write_failure_page"]
