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
    names = ("jgo", "confluent_kafka")
    lacking = [name for name in names if importlib.util.find_spec(name) is None]
    required = "flink" in os.environ.get("STATEFUN_NB_REQUIRE", "")
    if find_java() is None and not required:  # it would be fetched; not by a mere `make test`
        lacking.append("Java 11 or 17")
    if not lacking:
        return
    reason = f"the real StateFun needs {', '.join(lacking)}"
    if required:
        pytest.fail(reason)
    pytest.skip(reason)
