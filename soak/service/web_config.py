"""TLS and basic auth from a web-config file, in the form that Prometheus exporters use.

Whatever the file holds, the outcome is a config or one error of one line. Scalars are read as text (a key `yes` is no
truth), anchors and aliases are refused (a few lines of them can stand for gigabytes), and what is no plain file of a
sensible size is not opened at all. Reference: github.com/prometheus/exporter-toolkit, docs/web-configuration.md.
"""

from __future__ import annotations

import dataclasses
import os
import re
import ssl
import stat
from pathlib import Path
from typing import Any, Literal

import yaml

from monitors.text import one_line
from soak.errors import ConfigError, missing_key
from soak.plan.tables import convert, known_keys

_CLIENT = Literal["NoClientCert", "RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven",
                  "RequireAndVerifyClientCert"]  # fmt: skip
_VERSION = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_HASH = re.compile(r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")
_COSTS = range(4, 17)
"""Each more doubles the time of a check; 16 takes seconds."""
LARGEST = 64 * 1024
"""Bytes of a web-config file: some 600 users, and seconds of YAML at worst."""
LARGEST_NAMED = 1024 * 1024
"""Bytes of a certificate, a key or a bundle of authorities."""


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

    def files(self, path: Path) -> list[Path]:
        """The file itself, and those that it names."""
        names = [self.tls.cert_file, self.tls.key_file, self.tls.client_ca_file] if self.tls else []
        return [path, *(path.parent / name for name in names if name)]


def load(path: Path) -> tuple[WebConfig, ssl.SSLContext | None]:
    """Read and check a web-config file, and the files that it names.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        loaded = _checked(path, _parsed(path))
        return loaded, context_of(path, loaded.tls) if loaded.tls else None
    except ConfigError as error:
        raise missing_key(one_line(path), "", one_line(error).removeprefix(f"{one_line(path)}: ")) from None
    except Exception as error:  # noqa: BLE001  (a file may hold anything; whatever comes of it is an error of the file)
        said = one_line(error) or "cannot be read"
        raise missing_key(one_line(path), "", f"cannot be used: {type(error).__name__}: {said}") from None


class _Loader(yaml.BaseLoader):  # type: ignore[misc]
    """Text, lists and tables of text."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As usual, but for aliases."""
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("anchors and aliases are not supported here")
        return super().compose_node(parent, index)


def _parsed(path: Path) -> Any:
    try:
        return yaml.load(_text(path), _Loader) or {}  # noqa: S506  (makes nothing but text, lists and tables)
    except OSError as error:
        raise missing_key(path, "", f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise missing_key(path, "", "not valid YAML: not UTF-8 text") from error
    except RecursionError as error:
        raise missing_key(path, "", "not valid YAML: nested too deeply") from error
    except yaml.YAMLError as error:
        raise missing_key(path, "", f"not valid YAML: {one_line(error)}") from error


def _text(path: Path) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        _plain(os.fstat(fd), LARGEST)
        return file.read(LARGEST + 1).decode()


def _plain(seen: os.stat_result, most: int = LARGEST_NAMED) -> None:
    """Refuse what would block, or fill the memory.

    Raises:
        OSError: it does.
    """
    if not stat.S_ISREG(seen.st_mode):
        raise OSError("not a plain file")
    if seen.st_size > most:
        raise OSError(f"larger than {most // 1024} KiB")


def _checked(path: Path, raw: Any) -> WebConfig:
    if not isinstance(raw, dict):
        raise missing_key(path, "", "expected tls_server_config and basic_auth_users")
    known_keys(path, "", raw, ("tls_server_config", "basic_auth_users"))
    table = raw.get("tls_server_config")
    tls = convert(path, "tls_server_config", table, TlsTable) if table else None
    users = raw.get("basic_auth_users") or {}
    if not isinstance(users, dict):
        raise ConfigError(path, "basic_auth_users", users, "expected user names with bcrypt hashes")
    for user, hashed in users.items():
        matched = _HASH.fullmatch(hashed) if isinstance(hashed, str) else None
        if matched is None:
            raise ConfigError(path, f"basic_auth_users.{user}", "…", "expected a bcrypt hash (htpasswd -nBC 10 '')")
        if int(matched["cost"]) not in _COSTS:
            expected = f"expected a bcrypt cost of {_COSTS[0]} to {_COSTS[-1]}"
            raise ConfigError(path, f"basic_auth_users.{user}", "…", expected)
    return WebConfig(tls, dict(users))


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
        certificate, key_file = path.parent / tls.cert_file, path.parent / tls.key_file
        for file in (certificate, key_file):
            _plain(file.stat())
        # A key that asks for a password would ask the terminal of the service.
        context.load_cert_chain(certificate, key_file, password=lambda: b"-")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError(path, "tls_server_config.cert_file", tls.cert_file, f"cannot be used: {error}") from error
    if tls.cipher_suites:
        try:
            context.set_ciphers(":".join(tls.cipher_suites))
        except (ssl.SSLError, ValueError) as error:
            expected = "expected cipher suites by their OpenSSL names"
            raise ConfigError(path, "tls_server_config.cipher_suites", tls.cipher_suites, expected) from error
    _ask_clients(path, tls, context)
    return context


def _ask_clients(path: Path, tls: TlsTable, context: ssl.SSLContext) -> None:
    if tls.client_auth_type == "NoClientCert":
        return
    if tls.client_auth_type in ("RequestClientCert", "RequireAnyClientCert"):
        expected = "an unverified certificate gives no protection: expected RequireAndVerifyClientCert"
        raise ConfigError(path, "tls_server_config.client_auth_type", tls.client_auth_type, expected)
    try:
        _plain((path.parent / tls.client_ca_file).stat())
        context.load_verify_locations(path.parent / tls.client_ca_file)
    except (OSError, ssl.SSLError, ValueError) as error:
        key = "tls_server_config.client_ca_file"
        raise ConfigError(path, key, tls.client_ca_file, f"cannot be used: {error}") from error
    required = tls.client_auth_type == "RequireAndVerifyClientCert"
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
