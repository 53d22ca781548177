"""``statefun-nb cluster``: the real StateFun in Docker, beside any session."""

from __future__ import annotations

import argparse
import json

import shtab

from ..cells.arguments import whole_number
from ..cells.progress import ProgressLine
from ..cluster import artifacts, detached
from ..cluster.docker import KAFKA_IMAGE
from ..cluster.release import RELEASES
from ..errors import EngineError
from ..sessions.options import Options
from .arguments import a_path, readable
from .terminal import tell

__all__ = ["add_cluster"]


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add the commands below ``cluster`` to its parser."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="action")
    fetch = commands.add_parser("fetch", help="fetch what the real StateFun needs, for offline use")
    fetch.set_defaults(run=_fetch)
    up = commands.add_parser("up", help="start Kafka and StateFun with a module.yaml")
    module = up.add_argument(
        "module", type=a_path, help="module.yaml; {kafka} in it is the broker's address"
    )
    module.complete = shtab.FILE  # type: ignore[attr-defined]
    tasks = Options.parallelism
    up.add_argument(
        "--parallelism",
        type=whole_number(1),
        default=tasks,
        metavar="N",
        help=f"TaskManagers ({tasks})",
    )
    up.add_argument("--image", help="of StateFun and Flink; built on first use when left out")
    up.add_argument("--kafka-image", help=f"of Kafka ({KAFKA_IMAGE})")
    up.set_defaults(run=_up)
    for each in (fetch, up):
        each.add_argument(
            "--statefun",
            choices=RELEASES,
            default=Options.statefun,
            help=f"the version ({Options.statefun})",
        )
    status = commands.add_parser("status", help="where it is; exit status 1 when it does not run")
    status.set_defaults(run=_status)
    for each in (up, status):
        each.add_argument("--json", action="store_true", help="as JSON")
    logs = commands.add_parser("logs", help="what its containers have written")
    logs.add_argument("service", nargs="?", help="only this one: jobmanager, kafka ...")
    logs.set_defaults(run=_logs)
    commands.add_parser("down", help="stop it").set_defaults(run=_down)


def _fetch(options: argparse.Namespace) -> None:
    progress = ProgressLine()
    artifacts.resolve(RELEASES[options.statefun], progress)
    progress("")
    tell('all that engine="flink" needs is here')


def _up(options: argparse.Namespace) -> int:
    progress = ProgressLine()
    cluster = detached.up(
        readable(options.module),
        progress,
        release=RELEASES[options.statefun],
        parallelism=options.parallelism,
        image=options.image,
        kafka_image=options.kafka_image,
    )
    progress("")
    return _tell(cluster, as_json=options.json)


def _status(options: argparse.Namespace) -> int:
    return _tell(detached.status(), as_json=options.json)


def _tell(cluster: detached.DetachedCluster | None, *, as_json: bool) -> int:
    """Print where it is; the exit status: does it run?"""
    if as_json:
        print(json.dumps(None if cluster is None else cluster._asdict()))
    elif cluster is None:
        tell("no cluster is up")
    else:
        tell(f"StateFun {cluster.statefun} {'runs' if cluster.running else 'does not run'}")
        tell(f"  REST interface     {cluster.rest_url}")
        tell(f"  bootstrap servers  {cluster.bootstrap_servers}")
        asked = f'statefun="{cluster.statefun}", ' if cluster.statefun != Options.statefun else ""
        tell(
            f'  in a notebook      sf.start(engine="docker", {asked}rest_url="{cluster.rest_url}", '
            f'bootstrap_servers="{cluster.bootstrap_servers}")'
        )
    return 0 if cluster is not None and cluster.running else 1


def _logs(options: argparse.Namespace) -> None:
    logs = detached.logs()
    if options.service is not None and options.service not in logs:
        raise EngineError(f"no service {options.service!r} is up: {', '.join(logs) or 'none is'}")
    for name, text in logs.items():
        if options.service in (None, name):
            tell(f"--- {name}\n{text}")


def _down(_: argparse.Namespace) -> None:
    tell("the cluster is down" if detached.down() else "no cluster is up")
