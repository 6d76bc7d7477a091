"""TLS and basic auth: who is let in, what is refused, and that a changed file counts without a restart."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from soak.errors import ConfigError
from soak.service import web_config
from soak.service.admission import Admission, AdmissionAnswer

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


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def lets_in(admission: Admission, authorization: str, address: str = "192.0.2.1") -> bool:
    return await admission.admits(authorization, address) is AdmissionAnswer.ADMITTED


def test_only_who_is_listed_comes_in(tmp_path: Path) -> None:
    admission = Admission(write(tmp_path, f"basic_auth_users:\n  ann: {HASH}\n"))

    async def work() -> None:
        assert await lets_in(admission, basic("ann", "secret"))
        assert await lets_in(admission, basic("ann", "secret")), "as well when it is remembered"
        for wrong in (
            "", "Basic", "Basic !!!", "Bearer x", basic("ann", "wrong"), basic("bob", "secret"), basic("", ""),
            basic("ann", "secret\0"), basic("ann", "x" * 5000), "Basic \xff",
        ):  # fmt: skip
            assert await admission.admits(wrong) is AdmissionAnswer.REFUSED
            assert await admission.admits(wrong) is AdmissionAnswer.REFUSED, "as well when it is remembered"

    run(work())


def test_without_users_everyone_does(tmp_path: Path) -> None:
    admission = Admission(write(tmp_path, ""))
    assert not admission.asks

    async def work() -> None:
        assert await lets_in(admission, "")

    run(work())


def test_a_changed_file_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    admission = Admission(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))

    async def work() -> None:
        assert await lets_in(admission, basic("ann", "secret"))
        write(tmp_path, f"basic_auth_users: {{ann: {OTHER}}}")
        await admission.refresh()
        assert not await lets_in(admission, basic("ann", "secret"))
        assert await lets_in(admission, basic("ann", "fresh"))
        write(tmp_path, "basic_auth_users: {ann: plain}")
        await admission.refresh()
        assert await lets_in(admission, basic("ann", "fresh")), "the last good one stays"
        assert "expected a bcrypt hash" in admission.problem
        (tmp_path / "web.yml").unlink()
        await admission.refresh()
        assert await lets_in(admission, basic("ann", "fresh"))
        assert "No such file" in admission.problem
        write(tmp_path, f"basic_auth_users: {{ann: {OTHER}}}")
        await admission.refresh()
        assert admission.problem == ""

    run(work())


def test_a_half_written_file_opens_no_door(tmp_path: Path) -> None:
    admission = Admission(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))

    async def work() -> None:
        for text in ("", "basic_auth_users:\n", "basic_auth_users: {}"):
            write(tmp_path, text)
            await admission.refresh()
            assert not await lets_in(admission, "")
            assert await lets_in(admission, basic("ann", "secret"))
            assert "needs a restart to turn on or off" in admission.problem

    run(work())


def test_many_at_once_are_told_right_from_wrong(tmp_path: Path) -> None:
    admission = Admission(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))
    asked = [basic("ann", "secret" if n % 3 == 0 else f"wrong{n}") for n in range(300)]

    async def work() -> None:
        answers = await asyncio.gather(*(admission.admits(each, str(n)) for n, each in enumerate(asked)))
        right = [answer is AdmissionAnswer.ADMITTED for answer in answers]
        assert right == [n % 3 == 0 for n in range(300)]

    run(work())


def test_who_is_known_waits_for_nobody_who_guesses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    admission = Admission(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))

    async def work() -> None:
        assert await lets_in(admission, basic("ann", "secret"))
        never = asyncio.Event()

        async def hangs(*_: object) -> bool:
            await never.wait()
            return False

        monkeypatch.setattr(admission, "_check", hangs)
        guessing = [asyncio.create_task(admission.admits(basic("ann", f"{n}"), "192.0.2.1")) for n in range(100)]
        await asyncio.sleep(0)
        assert await lets_in(admission, basic("ann", "secret"))
        never.set()
        await asyncio.gather(*guessing)
        assert await lets_in(admission, basic("ann", "secret")), "guesses push nobody out of what is remembered"

    run(work())


def test_an_address_has_few_places_and_takes_none_from_others(tmp_path: Path) -> None:
    admission = Admission(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))

    async def work() -> None:
        guesses = [admission.admits(basic("ann", f"{n}"), "192.0.2.1") for n in range(100)]
        *answers, other = await asyncio.gather(*guesses, admission.admits(basic("ann", "secret"), "192.0.2.2"))
        assert answers.count(AdmissionAnswer.BUSY) == 84
        assert answers.count(AdmissionAnswer.REFUSED) == 16
        assert other is AdmissionAnswer.ADMITTED
        assert admission.turned_away == 100

    run(work())


def test_who_is_unknown_is_checked_against_a_hash_of_the_same_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = Admission(write(tmp_path, f"basic_auth_users: {{ann: {HASH}}}"))
    asked: list[bytes] = []
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, hashed: bool(asked.append(hashed)) or True)

    async def work() -> None:
        assert not await lets_in(admission, basic("bob", "x")), "though the check itself said yes"

    run(work())
    assert asked == [HASH.encode()]


BOMB = "a: &a [x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(30))


@pytest.mark.parametrize(
    "text",
    [
        b"yes: x\n", b"1: {2: 3}\n", b"- a\n", b"5\n", b"2001-99-99: 1\n", b"!!python/object:os.system x\n",
        b"? [a, b]\n: c\n", b"? {a: b}\n: c\n", b"\x00\x01\x02", b"\xff\xfe\xfd", BOMB.encode(),
        b"[" * 20000, b"{a: " * 20000, b"a: " + b"1" * 6000 + b"\n", b"x" * 70_000, b"tls_server_config: 5\n",
        b"tls_server_config: [1]\n", b"tls_server_config: {cert_file: [a], key_file: 1}\n",
        b"tls_server_config: {cert_file: /dev/zero, key_file: /dev/zero}\n",
        b"tls_server_config: {cert_file: ., key_file: .}\n", b'tls_server_config: {cert_file: "a\\0b", key_file: x}\n',
        b"basic_auth_users: [1]\n", b"basic_auth_users: {1: 2}\n", b"basic_auth_users: {yes: no}\n",
        b'basic_auth_users: {"\\ud800": x}\n', b"basic_auth_users: {ann: {bob: 1}}\n",
        b"basic_auth_users: {ann: $2y$31$" + b"a" * 53 + b"}\n", b"<<: 1\n", b"\t\n", b"%YAML 9\n---\n", b"a: b: c",
    ],
)  # fmt: skip
def test_whatever_the_file_holds_is_one_clear_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "web.yml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        web_config.load(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert len(said) < 700
    assert said.isprintable()


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none", Path("/dev/zero")):
        with pytest.raises(ConfigError, match=r"cannot be read|cannot be used"):
            web_config.load(path)


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
