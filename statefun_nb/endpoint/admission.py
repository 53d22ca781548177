"""Who is let in: no page of another site, on every port that is opened here; and tokens.

A page may send a browser to any port of this machine, and a name of its own may lead there (DNS
rebinding). What the browser says of such a request gives it away: a ``Host`` that is none of ours,
an ``Origin`` of elsewhere, or, where an image or a script is asked for and no Origin is sent,
``Sec-Fetch-Site``.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

__all__ = ["LOOPBACK_NAMES", "Names", "foreign", "is_token", "new_token", "own_names"]

# What this machine calls itself, and is reached by from nowhere else.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# How Docker's containers reach it: no name server outside knows that name.
_FROM_CONTAINERS = "host.docker.internal"
_ONE_LABEL = re.compile(r"[\w-]+", re.ASCII)
# What a path takes as it is (RFC 3986), and no client cuts short as it does ``..``.
_TOKEN = re.compile(r"[\w-][\w.~-]*", re.ASCII)

Names = frozenset[str]


def new_token() -> str:
    """A part of a path that nobody can guess: 128 bits of chance."""
    return secrets.token_urlsafe(16)


def is_token(text: str) -> bool:
    """Can it stand in a path as it is?

    Examples
    --------
    >>> is_token(new_token()), is_token("a/b"), is_token("..")
    (True, False, False)
    """
    return _TOKEN.fullmatch(text) is not None


def own_names(more: Iterable[str] = ()) -> Names:
    """The names that a request may be for: of this machine, ``more``, and $STATEFUN_NB_HOSTS."""
    given = os.environ.get("STATEFUN_NB_HOSTS", "").split(",")
    names = {each.strip().lower() for each in (*more, *given)} - {""}
    return LOOPBACK_NAMES | {_FROM_CONTAINERS} | names


def foreign(host: str | None, origin: str | None, site: str | None, names: Names) -> str:
    """Why a request is one of another site's page; "" when it is not.

    Parameters
    ----------
    host, origin, site : str or None
        The headers Host, Origin and Sec-Fetch-Site.
    names : frozenset of str
        See ``own_names``.

    Examples
    --------
    >>> foreign("127.0.0.1:8000", None, None, own_names())
    ''
    >>> foreign("evil.example", None, None, own_names())
    "this is not 'evil.example' ($STATEFUN_NB_HOSTS takes further names)"
    """
    if host is not None and not _leads_here(host, names):
        return f"this is not {host[:100]!r} ($STATEFUN_NB_HOSTS takes further names)"
    if origin is not None:
        if _name_of(f"//{origin.partition('//')[2]}") not in names:
            return f"requests from the web page {origin[:100]!r} are refused"
    elif site == "cross-site":
        return "requests from a web page of another site are refused"
    return ""


def _leads_here(host: str, names: Names) -> bool:
    """Is it a name that no page can have lead here, or one of ours?

    An address leads where it says. A name without a dot is of this network, as a container's is:
    in the DNS it would be a top-level domain.
    """
    name = _name_of(f"//{host}")
    try:
        return (
            name in names
            or _ONE_LABEL.fullmatch(name) is not None
            or bool(ipaddress.ip_address(name))
        )
    except ValueError:
        return False


def _name_of(place: str) -> str:
    try:
        return (urlsplit(place).hostname or "").rstrip(".")
    except ValueError:
        return ""
