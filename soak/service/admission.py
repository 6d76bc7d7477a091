"""Who may come in: the latest good web config, and passwords checked beside the loop, a few at a time.

bcrypt is slow on purpose. A credential that was right once is known by a keyed digest, so whoever belongs here waits
for nobody; what is new waits in a queue of one thread, and an address has few places in it.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import ssl
from collections import Counter, OrderedDict
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any

import bcrypt

from soak.errors import ConfigError
from soak.service import web_config
from soak.service.web_config import WebConfig

_REMEMBERED = 256
_PLACES = 16
"""Passwords of one address that may wait to be checked."""


class AdmissionAnswer(Enum):
    """To someone who asks to come in."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    BUSY = "busy"
    """Too many passwords from this address are waiting to be checked."""


class Admission:
    """Keeps the latest good web config, and says who may come in."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be used.
        """
        self.path = path
        self._config, self._context = web_config.load(path)
        self._stamp = self._look()
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        """Digests of credentials that were asked about lately, and whether they were right; the right ones stay."""
        self._secret = secrets.token_bytes(32)
        self._pool = ThreadPoolExecutor(1, "password")
        self._waiting: Counter[str] = Counter()
        self.turned_away = 0
        """Attempts that failed or found no place, since the start."""
        self.problem = ""
        """Why the file as it is now is not in use; empty where it is."""

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted; fixed when the service starts."""
        return self._context is not None

    @property
    def asks(self) -> bool:
        """Whether it asks who someone is, by password or certificate."""
        tls = self._config.tls
        return bool(self._config.users) or (tls is not None and tls.client_auth_type == "RequireAndVerifyClientCert")

    @property
    def config(self) -> WebConfig:
        """What is in use."""
        return self._config

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        assert self._context is not None
        return self._context

    async def refresh(self) -> None:
        """Read the file, and the certificates it names, again if any of them changed. One that is wrong is not used."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            fresh, context = await asyncio.to_thread(web_config.load, self.path)
            self._unprotected(fresh)
        except ConfigError as error:
            self.problem = str(error)
            return
        self._config, self._context, self.problem = fresh, context, ""
        self._known.clear()

    def _unprotected(self, fresh: WebConfig) -> None:
        """A file that is half written must let nobody in: protection is taken away by a restart only."""
        for key, before, after in (
            ("tls_server_config", self._config.tls, fresh.tls),
            ("basic_auth_users", self._config.users, fresh.users),
        ):
            if bool(before) != bool(after):
                raise ConfigError(self.path, key, "…", "needs a restart to turn on or off")

    def _look(self) -> tuple[Any, ...]:
        return tuple(map(_stamp, self._config.files(self.path)))

    async def admits(self, authorization: str, address: str = "") -> AdmissionAnswer:
        """Whether the header of that value, from that address, lets a request in."""
        users = self._config.users
        if not users:
            return AdmissionAnswer.ADMITTED
        user, password = _credentials(authorization)
        if not user:
            return AdmissionAnswer.REFUSED  # nobody was named: nothing is told by answering at once
        hashed = users.get(user)
        key = hmac.digest(self._secret, f"{user}\0{hashed}\0{password}".encode(errors="surrogatepass"), "sha256")
        known = self._known.get(key)
        if known is None:
            if self._waiting[address] >= _PLACES:
                self.turned_away += 1
                return AdmissionAnswer.BUSY
            known = await self._check(address, password, hashed or self._dummy()) and hashed is not None
            self._remember(key, known)
        if known:
            self._known.move_to_end(key)
            return AdmissionAnswer.ADMITTED
        self.turned_away += 1
        return AdmissionAnswer.REFUSED

    async def _check(self, address: str, password: str, hashed: str) -> bool:
        self._waiting[address] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _matches, password, hashed)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _remember(self, key: bytes, right: bool) -> None:
        self._known[key] = right
        if not right:
            self._known.move_to_end(key, last=False)  # the first to be forgotten
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _dummy(self) -> str:
        """For a user who is unknown, so that the answer takes as long as for one who is known."""
        return next(iter(self._config.users.values()))

    def close(self) -> None:
        """No more passwords are checked."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _matches(password: str, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode(errors="surrogatepass")[:72], hashed.encode())
    except ValueError:
        return False  # a password that bcrypt does not take, such as one with a NUL in it


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return (0,)
    return seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_mode


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # neither base64 nor UTF-8
        return "", ""
    return user, password


class Renewing(ssl.SSLContext):
    """A context that asks for the present one at every connection."""

    admission: Admission

    def wrap_bio(self, *args: Any, **keys: Any) -> ssl.SSLObject:
        """As the present context would."""
        return self.admission.context().wrap_bio(*args, **keys)


def renewing(admission: Admission) -> Renewing:
    """For a server: new certificates are used without a restart."""
    context = Renewing(ssl.PROTOCOL_TLS_SERVER)
    context.admission = admission
    return context
