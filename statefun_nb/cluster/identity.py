"""Who may talk to Flink's REST interface: whoever has the key that is made for it at each start.

Without it, every user of this machine, and every page in a browser, could cancel the job. One key
with a certificate of its own is server and client at once, and each trusts that one alone.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import ipaddress
import os
import secrets
import ssl
from pathlib import Path
from typing import NamedTuple

from ..errors import EngineError, install_command

__all__ = ["PEM", "Identity", "check_library", "client_context", "make_identity"]

_HOST = "127.0.0.1"
PEM = "rest.pem"


class Identity(NamedTuple):
    """The key and its certificate: for Java (``store``, with ``password``), and for Python."""

    store: Path
    password: str
    pem: Path

    def settings(self) -> dict[str, object]:
        """What flink-conf.yaml says of it."""
        own = {"keystore": self.store, "truststore": self.store}
        return {
            "security.ssl.rest.enabled": "true",
            "security.ssl.rest.authentication-enabled": "true",
            **{f"security.ssl.rest.{name}": path for name, path in own.items()},
            **{f"security.ssl.rest.{name}-password": self.password for name in (*own, "key")},
        }

    def context(self) -> ssl.SSLContext:
        """See ``client_context``."""
        return client_context(self.pem)


def client_context(pem: Path) -> ssl.SSLContext:
    """For a client that shows the key in this file, and takes no server without it."""
    context = ssl.create_default_context(cafile=str(pem))
    context.load_cert_chain(pem)
    return context


def check_library() -> None:
    """Raise EngineError when ``cryptography`` is not installed."""
    if importlib.util.find_spec("cryptography") is None:
        raise EngineError(f"the real StateFun needs cryptography: {install_command('flink')}")


def make_identity(folder: Path) -> Identity:
    """Make one, in files that the user alone can read.

    Raises
    ------
    EngineError
        When ``cryptography`` is not installed.
    """
    check_library()
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import pkcs12

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "statefun_nb")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(_HOST))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    password = secrets.token_hex(16)
    # The encryption that every Java 11 reads; what keeps it secret is whose file it is.
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(2048)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303
        .build(password.encode())
    )
    store = pkcs12.serialize_key_and_certificates(b"rest", key, certificate, None, encryption)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)
    made = Identity(folder / "rest.p12", password, folder / PEM)
    for path, content in ((made.store, store), (made.pem, pem)):
        path.touch(0o600)
        path.write_bytes(content)
        os.chmod(path, 0o600)  # noqa: PTH101
    return made
