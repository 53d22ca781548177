"""Which URLs of endpoints can be called at all."""

from __future__ import annotations

from ipaddress import IPv6Address
from urllib.parse import urlsplit

from ..tables import shorten
from .transport import is_of_socket

__all__ = ["check_url"]

_LONGEST_LABEL = 63  # of what stands between the dots of a host, by the rules of DNS


def check_url(url: str) -> None:
    """Raise for a URL that no request can ever go to.

    Raises
    ------
    ValueError
        It says why.

    Examples
    --------
    >>> check_url("http://{function.name}.shop.svc:8000/statefun")
    >>> check_url("http://x:80x/")
    Traceback (most recent call last):
    ValueError: 'http://x:80x/' can never be called: its port is no number from 1 to 65535
    """
    if is_of_socket(url):
        return
    if url.partition(":")[0].lower() not in ("http", "https"):
        raise ValueError(
            "StateFun calls http, https, and http+unix:// with the path of a socket that ends "
            f"with .sock, not {shorten(repr(url))}"
        )
    if why := _why_never(url.replace("{function.name}", "1")):  # it may be part of a host
        raise ValueError(f"{shorten(repr(url))} can never be called: {why}")


def _why_never(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if "[" in parts.netloc:  # urlsplit itself looks into it from Python 3.11 on
            IPv6Address(host)
    except ValueError as error:
        return f"its host is no address ({error})"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return "its port is no number from 1 to 65535"
    if not host:
        return "it names no host"
    labels = host.removesuffix(".").split(".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        return f"its host has a part that is empty, or longer than {_LONGEST_LABEL} letters"
    return ""
