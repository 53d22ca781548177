"""Which URLs of endpoints can be called at all."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..tables import shorten
from .transport import is_of_socket

__all__ = ["check_url"]


def check_url(url: str) -> None:
    """Raise for a URL that no request can ever go to.

    Raises
    ------
    ValueError
        It says why.

    Examples
    --------
    >>> check_url("http://{function.name}.shop.svc:8000/statefun")
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
        urlsplit(url)
    except ValueError as error:
        return f"its host is no address ({error})"
    return ""
