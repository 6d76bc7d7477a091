"""Which addresses a client may talk to: this machine's own, unless the user says otherwise."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any


class AddressError(ValueError):
    """A host that has no address, or is another machine."""


def resolve(
    host: str, port: int, allow_remote: bool, lookup: Callable[..., list[Any]] = socket.getaddrinfo
) -> list[str]:
    """The addresses of a host, which are the only ones that a client then connects to: those of IPv4 first.

    Most servers listen on IPv4 alone, and what resolves `localhost` may name `::1` first.

    Raises:
        AddressError: there is none, or one is not a loopback address and `allow_remote` is off.
    """
    try:
        found = lookup(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise AddressError(f"the host {host!r} has no address: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    remote = [address for address in addresses if not is_loopback(address)]
    if remote and not allow_remote:
        raise AddressError(
            f"the host {host!r} is at {remote[0]}, which is not a loopback address of this machine: "
            "set allow_remote = true to send load to it"
        )
    return sorted(addresses, key=is_ipv6)


def is_ipv6(address: str) -> bool:
    """Whether it is an address of IPv6, with its zone or without."""
    return ":" in address


def is_loopback(address: str) -> bool:
    """Whether packets to that address stay on this machine."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped.is_loopback
    return parsed.is_loopback
