"""TLS and basic auth from a web-config file, in the form that Prometheus exporters use; read again when it changes.

Reference: github.com/prometheus/exporter-toolkit, docs/web-configuration.md.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import re
import ssl
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal

import bcrypt
import yaml

from soak.errors import ConfigError
from soak.tables import convert, known_keys

_CLIENT = Literal["NoClientCert", "RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven",
                  "RequireAndVerifyClientCert"]  # fmt: skip
_VERSION = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_HASH = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
_REMEMBERED = 64
_DUMMY = bcrypt.hashpw(b"nobody", bcrypt.gensalt(10))
"""Checked where the user is unknown, so that an answer takes as long as for one who is known."""


@dataclasses.dataclass(frozen=True)
class TlsTable:
    """`tls_server_config`; relative files start at the web-config's folder."""

    cert_file: str
    key_file: str
    client_auth_type: _CLIENT = "NoClientCert"
    client_ca_file: str = ""
    min_version: _VERSION = "TLS12"
    max_version: _VERSION = "TLS13"
    cipher_suites: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class WebConfig:
    """A whole file."""

    tls: TlsTable | None
    users: dict[str, str]
    """bcrypt hashes by user."""


def load(path: Path) -> WebConfig:
    """Read and check a web-config file.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(path, "", "", f"cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(path, "", "", f"not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise ConfigError(path, "", "", "expected tls_server_config and basic_auth_users")
    known_keys(path, "", raw, ("tls_server_config", "basic_auth_users"))
    table = raw.get("tls_server_config")
    tls = convert(path, "tls_server_config", table, TlsTable) if table else None
    users = raw.get("basic_auth_users") or {}
    if not isinstance(users, dict):
        raise ConfigError(path, "basic_auth_users", users, "expected users and their bcrypt hashes")
    for user, hashed in users.items():
        if not isinstance(hashed, str) or not _HASH.fullmatch(hashed):
            raise ConfigError(path, f"basic_auth_users.{user}", "…", "expected a bcrypt hash (htpasswd -nBC 10 '')")
    loaded = WebConfig(tls, {str(user): hashed for user, hashed in users.items()})
    if tls is not None:
        context_of(path, tls)
    return loaded


def context_of(path: Path, tls: TlsTable) -> ssl.SSLContext:
    """A server's context.

    Raises:
        ConfigError: a file or a setting cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for key in ("min_version", "max_version"):
        version = getattr(tls, key)
        if version not in _VERSIONS:
            raise ConfigError(path, f"tls_server_config.{key}", version, "expected TLS12 or TLS13")
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    try:
        context.load_cert_chain(path.parent / tls.cert_file, path.parent / tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(path, "tls_server_config.cert_file", tls.cert_file, f"cannot be used: {error}") from error
    if tls.cipher_suites:
        try:
            context.set_ciphers(":".join(tls.cipher_suites))
        except ssl.SSLError as error:
            expected = "expected cipher suites by their OpenSSL names"
            raise ConfigError(path, "tls_server_config.cipher_suites", tls.cipher_suites, expected) from error
    _ask_clients(path, tls, context)
    return context


def _ask_clients(path: Path, tls: TlsTable, context: ssl.SSLContext) -> None:
    if tls.client_auth_type == "NoClientCert":
        return
    if tls.client_auth_type in ("RequestClientCert", "RequireAnyClientCert"):
        expected = "a certificate that is not verified proves nothing: expected RequireAndVerifyClientCert"
        raise ConfigError(path, "tls_server_config.client_auth_type", tls.client_auth_type, expected)
    try:
        context.load_verify_locations(path.parent / tls.client_ca_file)
    except (OSError, ssl.SSLError) as error:
        key = "tls_server_config.client_ca_file"
        raise ConfigError(path, key, tls.client_ca_file, f"cannot be used: {error}") from error
    required = tls.client_auth_type == "RequireAndVerifyClientCert"
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL


class Guard:
    """Keeps the latest good web config, and says who may come in."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            ConfigError: it cannot be used.
        """
        self._path = path
        self._stamp = self._look()
        self._config = load(path)
        self._context = context_of(path, self._config.tls) if self._config.tls else None
        self._passed: OrderedDict[bytes, None] = OrderedDict()
        """Digests of credentials that were right: bcrypt is slow, and asked from several threads."""
        self._lock = threading.Lock()
        self.problem = ""
        """Why the file as it is now is not in use; empty where it is."""

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted; fixed when the service starts."""
        return self._context is not None

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        self.refresh()
        assert self._context is not None
        return self._context

    def refresh(self) -> None:
        """Read the file, and the certificates it names, again if any of them changed. One that is wrong is not used."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            fresh = load(self._path)
            self._unprotected(fresh)
            if fresh.tls and self._config.tls:
                self._context = context_of(self._path, fresh.tls)
        except ConfigError as error:
            self.problem = str(error)
            return
        self._config, self.problem = fresh, ""
        with self._lock:
            self._passed.clear()

    def _unprotected(self, fresh: WebConfig) -> None:
        """A file that is half written must not open the door: protection is taken away by a restart only."""
        for key, before, after in (
            ("tls_server_config", self._config.tls, fresh.tls),
            ("basic_auth_users", self._config.users, fresh.users),
        ):
            if bool(before) != bool(after):
                raise ConfigError(self._path, key, after or {}, "is taken on or off with the next start only")

    def _look(self) -> tuple[Any, ...]:
        named = self._config.tls if hasattr(self, "_config") else None
        files = [named.cert_file, named.key_file, named.client_ca_file] if named else []
        return tuple(_stamp(path) for path in (self._path, *(self._path.parent / name for name in files if name)))

    def admits(self, authorization: str) -> bool:
        """Whether the header of that value lets a request in; takes a tenth of a second for one never seen."""
        self.refresh()
        if not self._config.users:
            return True
        user, password = _credentials(authorization)
        hashed = self._config.users.get(user)
        key = hashlib.sha256(f"{user}\0{hashed}\0{password}".encode()).digest()
        with self._lock:
            if key in self._passed:
                return True
        right = bcrypt.checkpw(password.encode()[:72], hashed.encode() if hashed else _DUMMY) and hashed is not None
        if right:
            with self._lock:
                self._passed[key] = None
                while len(self._passed) > _REMEMBERED:
                    self._passed.popitem(last=False)
        return right


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


class Renewing(ssl.SSLContext):
    """A context that asks its guard for the present one at every connection."""

    guard: Guard

    def wrap_bio(self, *args: Any, **keys: Any) -> ssl.SSLObject:
        """As the present context would."""
        return self.guard.context().wrap_bio(*args, **keys)


def renewing(guard: Guard) -> Renewing:
    """For a server: new certificates are used without a restart."""
    context = Renewing(ssl.PROTOCOL_TLS_SERVER)
    context.guard = guard
    return context
