"""Addresses of host names, looked up beside the loop: ``getaddrinfo`` may hang for a minute."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

KNOWN_SECONDS = 30.0
"""After so long a name is looked up again; until that is done the old addresses are used."""

FAULT_SECONDS = 1.0
"""A name that could not be resolved is asked for no sooner than after so long."""

Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""Family, and what ``connect`` takes."""

Name = tuple[str, int]
"""Host and port."""


@dataclass(slots=True)
class _Known:
    addresses: list[Address]
    """Those that were out of reach last come last."""
    fault: str
    until: float


class Resolver:
    """For one thread. ``fileno`` is readable when a lookup has ended; then ``collect``.

    Addresses that were found once are used again where a later lookup fails: a certificate says
    who answers at them.
    """

    def __init__(self) -> None:
        self._known: dict[Name, _Known] = {}
        self._looked_up: set[Name] = set()
        self._found: SimpleQueue[tuple[Name, list[Address], str]] = SimpleQueue()
        self._awake, self._wake = socket.socketpair()
        self._awake.setblocking(False)
        self._wake.setblocking(False)

    def fileno(self) -> int:
        return self._awake.fileno()

    def find(self, name: Name, now: float) -> tuple[list[Address], str] | None:
        """Addresses, or none and why; None while they are being looked up."""
        known = self._known.get(name)
        if (known is None or known.until <= now) and name not in self._looked_up:
            self._looked_up.add(name)
            Thread(target=self._look_up, args=(name,), name="resolver", daemon=True).start()
        if known is None or (not known.addresses and known.until <= now):
            return None
        return list(known.addresses), known.fault

    def collect(self, now: float) -> list[Name]:
        """Take what has been found. Returns the names that may be asked for again."""
        with suppress(BlockingIOError):
            self._awake.recv(4096)
        names = []
        with suppress(Empty):
            while True:
                name, addresses, fault = self._found.get_nowait()
                self._looked_up.discard(name)
                self._learn(name, addresses, fault, now)
                names.append(name)
        return names

    def put_last(self, name: Name, address: Address) -> None:
        """It is out of reach: others are tried before it from now on."""
        known = self._known.get(name)
        if known is not None and address in known.addresses:
            known.addresses.remove(address)
            known.addresses.append(address)

    def close(self) -> None:
        self._awake.close()
        self._wake.close()

    def _learn(self, name: Name, addresses: list[Address], fault: str, now: float) -> None:
        known = self._known.get(name)
        if known is not None and known.addresses:
            # Keep their order, which knows what is out of reach; and keep them if none are new.
            kept = [one for one in known.addresses if one in addresses]
            addresses = kept + [one for one in addresses if one not in kept] or known.addresses
            fault = ""
        until = now + (FAULT_SECONDS if fault else KNOWN_SECONDS)
        self._known[name] = _Known(addresses, fault, until)

    def _look_up(self, name: Name) -> None:
        addresses: list[Address] = []
        fault = ""
        try:
            for family, _, _, _, address in socket.getaddrinfo(*name, type=socket.SOCK_STREAM):
                addresses.append((family, address))
        except (OSError, UnicodeError) as error:
            fault = getattr(error, "strerror", None) or str(error)
        self._found.put((name, addresses, fault))
        with suppress(OSError):  # full: it is awake already; closed: nobody waits any more
            self._wake.send(b"\0")
