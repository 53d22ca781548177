"""Build base images equal to the official ones where no image registry can be reached.

    python docker/base_images.py

Debian by debootstrap, Java from PyPI, the jars that the artifact cache holds: for offline
workshops and CI. Makes ``statefun-nb/flink`` and ``statefun-nb/kafka``, and StateFun's images on
the first. Needs root for debootstrap.

    sf.start(engine="docker", kafka_image="statefun-nb/kafka:3.9.1")
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from statefun_nb.cluster.artifacts import KAFKA_VERSION, bundled_java, resolve
from statefun_nb.cluster.docker import build_image, check_docker, has_image
from statefun_nb.cluster.release import RELEASES

DEBIAN = "statefun-nb/debian:bookworm"
KAFKA_IMAGE = f"statefun-nb/kafka:{KAFKA_VERSION}"

DOCKERFILE = """\
FROM {base}
COPY java /opt/java/openjdk
COPY libs {libs}
ENV PATH=/opt/java/openjdk/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
"""


def debian() -> None:
    """A minimal Debian as an image."""
    if has_image(DEBIAN):
        return
    print("installing a minimal Debian (debootstrap)")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", str(root)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with subprocess.Popen(
            ["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE
        ) as archive:
            subprocess.run(
                ["docker", "import", "-", DEBIAN],
                stdin=archive.stdout,
                check=True,
                stdout=subprocess.DEVNULL,
            )


def image(name: str, java: Path, jars: tuple[Path, ...], libs: str) -> None:
    """Debian with a Java runtime, and jars in ``libs``."""
    print(f"building {name}")
    with tempfile.TemporaryDirectory() as context:
        shutil.copytree(java, Path(context) / "java", symlinks=True)
        target = Path(context) / "libs"
        target.mkdir()
        for jar in jars:
            shutil.copy(jar, target)
        (Path(context) / "Dockerfile").write_text(DOCKERFILE.format(base=DEBIAN, libs=libs))
        subprocess.run(
            ["docker", "build", "--quiet", "--tag", name, context],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def main() -> None:
    """Build all of them."""
    check_docker()
    java = bundled_java(print)
    debian()
    for release in RELEASES.values():
        artifacts = resolve(release, print)
        base = f"statefun-nb/flink:{release.flink}"
        image(base, java, artifacts.flink, "/opt/flink/lib")
        print(f"built {build_image(release, print, base)}")
    image(KAFKA_IMAGE, java, artifacts.kafka, "/opt/kafka/libs")  # the same of each release


if __name__ == "__main__":
    main()
