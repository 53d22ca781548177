"""``statefun-nb``: what can be done without a notebook."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from .. import __version__
from ..cells.progress import ProgressLine
from ..cluster import artifacts, detached
from ..cluster.docker import KAFKA_IMAGE
from ..demos.flights import flight_functions, flight_messages, load_flights
from ..demos.greeter import greeter_functions, greetings
from ..endpoint.server import LOOPBACK
from ..errors import StatefunError
from ..sdk.registry import StatefulFunctions
from ..sessions.default import start
from ..sessions.options import OnErrorName, Options
from ..sessions.session import Session
from ..tables import text_table
from .doctor import examine
from .run_notebook import export_notebook
from .serving import ended_by_signal, follow, load_functions, served

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="statefun-nb", description="Stateful functions without a notebook."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser("demo", help="run the greeter and a year of flights")
    demo.add_argument(
        "--flights", type=int, default=None, metavar="N", help="only the first N flights"
    )
    demo.set_defaults(run=_demo)
    doctor = commands.add_parser("doctor", help="what is there, and what each lacking part is for")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    doctor.set_defaults(run=_doctor)
    lab = commands.add_parser("lab", help="open the tour in JupyterLab")
    lab.add_argument("folder", nargs="?", type=Path, default=Path(), help="of the notebooks (here)")
    lab.set_defaults(run=_lab)
    serve = commands.add_parser("serve", help="serve the functions of a module, for a cluster")
    serve.add_argument("module", help="module, or module:NAME of a StatefulFunctions in it")
    port = Options.port
    serve.add_argument("--port", type=int, default=port, help=f"0 is any ({port})")
    serve.add_argument(
        "--host", default=LOOPBACK, help=f"0.0.0.0 to be reached from elsewhere ({LOOPBACK})"
    )
    serve.add_argument(
        "--token",
        default=os.environ.get("STATEFUN_NB_TOKEN", ""),
        help="part of the path for other hosts than this ($STATEFUN_NB_TOKEN, or a random one)",
    )
    serve.set_defaults(run=_serve)
    run = commands.add_parser(
        "run", help="run a module.yaml on the embedded engine: no Java, no Docker"
    )
    run.add_argument("module", type=Path, help="endpoints, and the playground's ingress and egress")
    run.add_argument("--functions", metavar="MODULE", help="functions to be served by itself")
    run.add_argument("--port", type=int, default=port, help=f"of their endpoint; 0 is any ({port})")
    run.add_argument("--durable", metavar="FILE", help="keep everything in this file")
    run.add_argument("--on-error", choices=get_args(OnErrorName), default="retry")
    run.set_defaults(run=_run_module)
    export = commands.add_parser(
        "export", help="run a notebook, and write its functions, module.yaml and tests to a folder"
    )
    export.add_argument("notebook", type=Path)
    export.add_argument("folder", type=Path)
    export.add_argument("--overwrite", action="store_true", help="what an export wrote before")
    export.set_defaults(run=_export)
    _add_cluster(commands.add_parser("cluster", help="real StateFun: in Docker, to stay"))
    return parser


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="action")
    fetch = commands.add_parser("fetch", help="fetch what the real StateFun needs, for offline use")
    fetch.set_defaults(run=_cluster_fetch)
    up = commands.add_parser("up", help="start Kafka and StateFun with a module.yaml")
    up.add_argument("module", type=Path, help="module.yaml; {kafka} in it is the broker's address")
    tasks = Options.parallelism
    up.add_argument(
        "--parallelism", type=int, default=tasks, metavar="N", help=f"TaskManagers ({tasks})"
    )
    up.add_argument("--image", help="of StateFun and Flink; built on first use when left out")
    up.add_argument("--kafka-image", help=f"of Kafka ({KAFKA_IMAGE})")
    up.set_defaults(run=_cluster_up)
    commands.add_parser("status", help="where it is").set_defaults(run=_cluster_status)
    logs = commands.add_parser("logs", help="what its containers have written")
    logs.add_argument("service", nargs="?", help="only this one: jobmanager, kafka ...")
    logs.set_defaults(run=_cluster_logs)
    commands.add_parser("down", help="stop it").set_defaults(run=_cluster_down)


def _cluster_fetch(_: argparse.Namespace) -> None:
    progress = ProgressLine()
    artifacts.resolve(progress)
    progress("")
    print('all that engine="flink" needs is here')


def _cluster_up(options: argparse.Namespace) -> None:
    module = _readable(options.module).read_text(encoding="utf-8")
    progress = ProgressLine()
    detached.up(
        module,
        progress,
        parallelism=options.parallelism,
        image=options.image,
        kafka_image=options.kafka_image,
    )
    progress("")
    _cluster_status(options)


def _cluster_status(_: argparse.Namespace) -> None:
    cluster = detached.status()
    if cluster is None:
        print("no cluster is up")
        return
    print(f"StateFun {'runs' if cluster.running else 'does not run'}")
    print(f"  web interface      {cluster.rest_url}")
    print(f"  bootstrap servers  {cluster.bootstrap_servers}")
    print(
        f'  in a notebook      sf.start(engine="docker", rest_url="{cluster.rest_url}", '
        f'bootstrap_servers="{cluster.bootstrap_servers}")'
    )


def _cluster_logs(options: argparse.Namespace) -> None:
    for name, text in detached.logs().items():
        if options.service in (None, name):
            print(f"--- {name}\n{text}")


def _cluster_down(_: argparse.Namespace) -> None:
    print("the cluster is down" if detached.down() else "no cluster is up")


def _doctor(options: argparse.Namespace) -> None:
    findings = examine()
    if options.json:
        print(json.dumps([finding._asdict() for finding in findings], indent=1))
        return
    rows = [["ok" if f.ok else "--", f.part, f.found, f.needed_for, f.fix] for f in findings]
    print(text_table("", ["", "part", "found", "needed for", "what to do"], rows).lstrip("\n"))


def _serve(options: argparse.Namespace) -> None:
    functions = load_functions(options.module)
    with (
        ended_by_signal(),
        served(functions, host=options.host, port=options.port, token=options.token) as endpoint,
    ):
        print(f"{', '.join(functions)}\n  at {endpoint.url} (Ctrl-C ends it)", flush=True)
        while True:
            time.sleep(3600)


def _run_module(options: argparse.Namespace) -> None:
    functions = load_functions(options.functions) if options.functions else StatefulFunctions()
    with (
        ended_by_signal(),
        start(
            port=options.port,
            functions=functions,
            durable=options.durable,
            on_error=options.on_error,
        ) as session,
    ):
        session.load_module(_readable(options.module))
        print(session.module_yaml() + "--- is run (Ctrl-C ends it)", flush=True)
        follow(session.recorder, lambda line: print(line, file=sys.stderr, flush=True))


def _readable(path: Path) -> Path:
    try:
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StatefunError(f"cannot read {path}: {error}") from error
    return path


def _export(options: argparse.Namespace) -> None:
    done = export_notebook(options.notebook, options.folder, overwrite=options.overwrite)
    print(done.text)
    if done.problem:
        raise StatefunError(done.problem)


def _lab(options: argparse.Namespace) -> None:
    try:
        from jupyterlab.labapp import main as jupyter_lab
    except ImportError as error:
        raise StatefunError('JupyterLab is missing: pip install "statefun_nb[lab]"') from error
    if not options.folder.is_dir():
        raise StatefunError(f"{options.folder} is not a folder")
    tours = [options.folder / name for name in ("00_tour.ipynb", "notebooks/00_tour.ipynb")]
    found = [tour for tour in tours if tour.exists()]
    jupyter_lab([str(found[0] if found else options.folder)])


def _demo(options: argparse.Namespace) -> None:
    _demo_greeter()
    _demo_flights(options.flights)


def _run(messages: Iterable[tuple[str, str, Any]], session: Session) -> float:
    """Send, wait until all is done; the seconds it took."""
    begin = time.perf_counter()
    session.send_many(messages)
    session.wait_idle(timeout=600)
    return time.perf_counter() - begin


def _demo_greeter() -> None:
    with start(port=0, functions=greeter_functions()) as session:
        seconds = _run(greetings(20_000, 100), session)
        print("Greeter: 20,000 messages to 100 persons")
        _print_speed(session, seconds)
        print(f"  last greeting: {session.egress('example/out')[-1].value}")


def _demo_flights(limit: int | None) -> None:
    print("Flights: reading a year of departures from New York")
    flights = load_flights()
    if limit is not None:
        flights = flights.head(limit)
    messages = list(flight_messages(flights))
    with start(port=0, functions=flight_functions()) as session:
        seconds = _run(messages, session)
        print(f"Flights: {len(flights):,} records, each to its aircraft, carrier and airport")
        _print_speed(session, seconds)
        alerts = session.egress("flights/alerts")
        print(f"  {len(alerts):,} alerts of late arrivals that made the next departure late:")
        for alert in alerts[-3:]:
            print(f"    {alert.value}")
        counted = sum(s["flights"] for s in session.state("flights/carrier").values())
        if counted != len(flights):
            raise StatefunError(f"counted {counted} flights instead of {len(flights)}")


def _print_speed(session: Session, seconds: float) -> None:
    processed = session.status().processed
    print(f"  {processed:,} invocations in {seconds:.1f} s: {processed / seconds:,.0f} a second")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except StatefunError as error:
        print(f"statefun-nb: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # whoever pressed Ctrl-C knows why it ended
        return 128 + signal.SIGINT
    return 0
