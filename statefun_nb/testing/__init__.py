"""Tests of what a notebook does: recorded invocations, exercises that are graded, saved outputs."""

from .recorded import Recorded, recorded, write_recorded

__all__ = ["Recorded", "recorded", "write_recorded"]
