"""TLS and basic auth: who is let in, what is refused, and that a changed file counts without a restart."""

from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import pytest

from soak.errors import ConfigError
from soak.service import web_config
from soak.service.web_config import Guard

HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
OTHER = bcrypt.hashpw(b"fresh", bcrypt.gensalt(4)).decode()


def write(folder: Path, text: str) -> Path:
    path = folder / "web.yml"
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))
    return path


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_only_who_is_listed_comes_in(tmp_path: Path) -> None:
    guard = Guard(write(tmp_path, f"basic_auth_users:\n  ann: {HASH}\n"))
    assert guard.admits(basic("ann", "secret"))
    assert guard.admits(basic("ann", "secret")), "as well when it is remembered"
    for wrong in ("", "Basic", "Basic !!!", "Bearer x", basic("ann", "wrong"), basic("bob", "secret"), basic("", "")):
        assert not guard.admits(wrong)


def test_without_users_everyone_does(tmp_path: Path) -> None:
    assert Guard(write(tmp_path, "")).admits("")


def test_a_changed_file_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    guard = Guard(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))
    assert guard.admits(basic("ann", "secret"))
    write(tmp_path, f"basic_auth_users: {{ann: {OTHER}}}")
    assert not guard.admits(basic("ann", "secret"))
    assert guard.admits(basic("ann", "fresh"))
    write(tmp_path, "basic_auth_users: {ann: plain}")
    assert guard.admits(basic("ann", "fresh")), "the last good one stays"
    assert "expected a bcrypt hash" in guard.problem


def test_a_half_written_file_opens_no_door(tmp_path: Path) -> None:
    guard = Guard(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))
    for text in ("", "basic_auth_users:\n", "basic_auth_users: {}"):
        write(tmp_path, text)
        assert not guard.admits("")
        assert guard.admits(basic("ann", "secret"))
        assert "is taken on or off with the next start only" in guard.problem


def test_many_at_once_are_told_right_from_wrong(tmp_path: Path) -> None:
    guard = Guard(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))
    asked = [basic("ann", "secret" if n % 3 == 0 else f"wrong{n}") for n in range(300)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(guard.admits, asked)) == [n % 3 == 0 for n in range(300)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2", "not valid YAML"),
        ("- a", "expected tls_server_config"),
        ("basic_auth: {}", "did you mean 'basic_auth_users'"),
        ("basic_auth_users: {ann: secret}", "expected a bcrypt hash"),
        ("tls_server_config: {cert_file: a.pem}", "tls_server_config.key_file: this key is required"),
        ("tls_server_config: {cert_file: a.pem, key_file: b.pem}", "cannot be used: [Errno 2]"),
        ("tls_server_config: {cert_file: a, key_file: b, min_version: TLS10}", "expected TLS12 or TLS13"),
        ("tls_server_config: {cert_file: a, key_file: b, client_auth_type: Maybe}", "expected 'NoClientCert' or"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        web_config.load(write(tmp_path, text))
    assert said in str(caught.value)
    assert "secret" not in str(caught.value), "a hash or a password is not repeated"
