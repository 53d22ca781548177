"""What some tests need beside Python: skipped with the reason, or, where it must be there, failed."""

from __future__ import annotations

import importlib.util
import os

import pytest

from statefun_nb.cluster.artifacts import find_java

__all__ = ["need_flink"]


def need_flink():
    """Java, and the packages of the extra [flink].

    ``STATEFUN_NB_REQUIRE=flink`` makes their lack a failure: ``make test-all`` and CI set it.
    """
    lacking = [
        name for name in ("jgo", "confluent_kafka") if importlib.util.find_spec(name) is None
    ]
    if find_java() is None and importlib.util.find_spec("jgo") is None:
        lacking.append("Java 11 or 17")
    if not lacking:
        return
    reason = f"the real StateFun needs {', '.join(lacking)}"
    if "flink" in os.environ.get("STATEFUN_NB_REQUIRE", ""):
        pytest.fail(reason)
    pytest.skip(reason)
