"""The releases of StateFun that can be run: in one record each, all that differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .module_forms import FormOf2, FormOf3, ModuleForm

__all__ = ["OF_2", "OF_3", "RELEASES", "FlinkPackage", "Release"]


class FlinkPackage(NamedTuple):
    """Where pip gets Flink's jars (flink-dist is not in Maven).

    Attributes
    ----------
    name : str
        Of the package.
    megabytes : int
        How much is fetched.
    jars : tuple of str
        How the file names begin that are kept: the table API is most of it, and not needed.
    options : tuple of str
        Of pip.
    """

    name: str
    megabytes: int
    jars: tuple[str, ...]
    options: tuple[str, ...] = ()


class Release(NamedTuple):
    """A release of StateFun, and the Flink that it was made for.

    Attributes
    ----------
    statefun, flink, scala : str
        The versions.
    package : FlinkPackage
    megabytes : int
        How much is fetched of StateFun itself.
    settings : mapping
        Of Flink: what it calls the state backend on the heap, and the like.
    form : ModuleForm
        Of its module.yaml, and of its endpoints.
    too_large : int
        The status after which it asks again, and does not fail its job, for a request that the
        endpoint does not take.
    requests : int
        How many a TaskManager has under way at most, those that are held among them; 0: any number.
    """

    statefun: str
    flink: str
    scala: str
    package: FlinkPackage
    megabytes: int
    settings: Mapping[str, str]
    form: ModuleForm
    too_large: int = 413
    requests: int = 0

    def runs_on(self, flink: str) -> bool:
        """Is this version of Flink, such as 1.16.3, the one that it was made for?"""
        return flink.split(".")[:2] == self.flink.split(".")[:2]

    @property
    def image(self) -> str:
        """The image that is built of it."""
        return f"statefun-nb/statefun:{self.statefun}"

    @property
    def base_image(self) -> str:
        """The official image of its Flink."""
        return f"flink:{self.flink}-scala_{self.scala}-java11"


_JARS = ("flink-dist", "log4j-", "flink-shaded-zookeeper-", "flink-json-")

OF_3 = Release(
    statefun="3.3.0",
    flink="1.16.2",
    scala="2.12",
    package=FlinkPackage(
        "apache-flink-libraries", 237, (*_JARS, "flink-connector-files-", "flink-cep-")
    ),
    megabytes=107,
    settings={"state.backend": "hashmap", "pipeline.auto-generate-uids": "false"},
    form=FormOf3(),
)
# Each has a thread in 2.2.2. With 1,024, its default, and as many connections as its client keeps
# open, each of 20,000 messages to as many addresses takes half the processor time. But where all
# are under way, the task reads no further, and batches stay small: 50,000 messages to 1,000
# addresses went through at a tenth of the speed.
_REQUESTS = 4096
OF_2 = Release(
    statefun="2.2.2",
    flink="1.11.3",
    scala="2.11",
    # Of that time there are wheels alone, for Pythons of that time; the jars in them run anywhere.
    package=FlinkPackage(
        "apache-flink",
        205,
        _JARS,
        (
            "--only-binary=:all:",
            "--python-version=37",
            "--abi=cp37m",
            "--platform=manylinux1_x86_64",
        ),
    ),
    megabytes=47,
    # Its operators have no ids of their own.
    settings={"state.backend": "filesystem", "statefun.async.max-per-task": str(_REQUESTS)},
    form=FormOf2(),
    too_large=500,
    requests=_REQUESTS,
)

RELEASES = {release.statefun: release for release in (OF_3, OF_2)}
