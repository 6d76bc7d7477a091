"""The service as an operator meets it: schedules that run, metrics, crashes, reloads, TLS, rough requests."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from soak.service.timetable import FILE
from tests.installed import need
from tests.integration.serving import CLEAN, LEAK, Served, free_port
from tests.patience import PATIENCE, wait_for

pytestmark = pytest.mark.framework
NEVER = '[[schedule]]\nname = "never"\nconfig = "clean.toml"\nat = 2099-01-01T00:00:00Z\n'


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    service = Served(tmp_path)
    service.run_config("clean", CLEAN)
    service.run_config("leaky", LEAK)
    yield service
    if service.process is not None:
        service.stop()


def overdue(state: Path, name: str) -> None:
    """As if the service had been down when that schedule was due, an hour ago."""
    path = state / FILE
    entries = json.loads(path.read_text())
    entries[name]["next"] = time.time() - 3600
    path.write_text(json.dumps(entries))


def test_a_run_from_due_to_report_and_a_clean_stop(served: Served) -> None:
    served.config(
        '[[schedule]]\nname = "again"\nconfig = "leaky.toml"\nback_to_back = true\npause = "1 s"\nduration = "12 s"\n',
        service=f'textfile = "{served.folder}/soak.prom"',
    )
    served.start()
    running = wait_for(lambda: [r for r in served.json("/api/v1/status")["running"] if r["running"]])
    assert running[0]["schedule"] == "again"
    wait_for(lambda: 'layer="host_heap"' in served.get("/metrics"))
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=served.get("/metrics"), text=True, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr
    run = wait_for(served.runs)[-1]
    assert run["verdict"] in ("leak", "inconclusive")
    (page,) = wait_for(lambda: [r["reports"] for r in served.runs() if r["id"] == run["id"] and r["reports"]])
    assert f"/reports/{run['id']}/report.html" in page
    assert "soak report · again" in served.get(f"/reports/{run['id']}/")
    assert served.json(f"/api/v1/runs/{run['id']}/report")["run"]["id"] == run["id"]
    said = subprocess.run(
        [sys.executable, "-P", "-m", "soak", "status", "--url", f"http://127.0.0.1:{served.port}"],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert "again" in said.stdout
    assert "back to back" in said.stdout
    wait_for(lambda: [r for r in served.json("/api/v1/status")["running"] if r["running"]])
    assert served.stop() == 0
    folders = sorted((served.state / "runs").iterdir())
    assert len(folders) >= 2
    with sqlite3.connect(folders[-1] / "record.sqlite") as db:
        (verdict,) = db.execute("SELECT value FROM meta WHERE key = 'verdict'").fetchone()
    assert verdict in ('"inconclusive"', '"leak"'), "it is closed, and judged by what it saw until then"
    assert "interrupted" in served.log()
    assert "soak_up 1.0" in (served.folder / "soak.prom").read_text()


def test_a_real_node_exporter_takes_the_textfile(served: Served, tmp_path: Path) -> None:
    exporter = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if exporter is None:
        pytest.skip("node_exporter is not installed: apt-get install prometheus-node-exporter")
    (tmp_path / "textfiles").mkdir()
    served.config(NEVER, service=f'textfile = "{tmp_path}/textfiles/soak.prom"')
    served.start()
    wait_for((tmp_path / "textfiles" / "soak.prom").exists)
    port = free_port()
    process = subprocess.Popen(
        [exporter, "--collector.disable-defaults", "--collector.textfile", f"--web.listen-address=127.0.0.1:{port}",
         f"--collector.textfile.directory={tmp_path}/textfiles"], stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def scraped() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
                body: bytes = answer.read()
        except urllib.error.URLError:
            return ""
        return body.decode()

    try:
        text = wait_for(scraped)
    finally:
        process.kill()
        process.wait()
    assert "soak_up 1" in text
    assert "node_textfile_scrape_error 0" in text
    assert text.count("# TYPE process_resident_memory_bytes") == 1


def test_after_a_crash_the_record_is_closed_and_the_schedule_goes_on(served: Served) -> None:
    served.run_config("clean", CLEAN, seconds=3600)
    served.config('[[schedule]]\nname = "once"\nconfig = "clean.toml"\nat = 2020-01-01T00:00:00Z\n' + NEVER)
    served.start()
    wait_for(lambda: 'layer="anonymous"' in served.get("/metrics"))
    (cut,) = (run["id"] for run in served.runs(verdict=False))
    served.kill()
    # What was due while the service is down runs once, late.
    overdue(served.state, "never")
    served.start()
    (run,) = wait_for(lambda: [run for run in served.runs() if run["id"] == cut and run["reports"]])
    assert run["verdict"] == "inconclusive"
    wait_for(lambda: any(r["schedule"] == "never" for r in served.json("/api/v1/status")["running"]))
    names = [run["id"].rpartition("-")[0] for run in served.runs(verdict=False)]
    assert names.count("once") == 1, "it was due once"


def test_a_schedule_too_late_is_missed_and_one_that_overlaps_skipped(served: Served) -> None:
    served.run_config("clean", CLEAN, seconds=3600)
    served.config(
        NEVER + 'max_lateness = "1 min"\n[[schedule]]\nname = "often"\nconfig = "clean.toml"\nevery = "3 s"\n'
    )
    served.start()
    served.stop()
    overdue(served.state, "never")
    served.start()
    wait_for(lambda: 'soak_schedule_missed_runs_total{schedule="never"} 1.0' in served.get("/metrics"))
    wait_for(lambda: re.search(r'missed_runs_total{schedule="often"} [1-9]', served.get("/metrics")))
    assert len(served.json("/api/v1/status")["running"]) == 1, "no two runs on one device"


def test_a_reload_takes_what_is_right_and_refuses_what_is_wrong(served: Served) -> None:
    path = served.config(NEVER)
    served.start()
    good = path.read_text()
    path.write_text(good + 'colour = "red"\n')
    served.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    wait_for(lambda: "soak_config_last_reload_success 0.0" in served.get("/metrics"))
    assert "schedule[0].colour = 'red': unknown key" in served.json("/api/v1/status")["problem"]
    path.write_text(good + '[[schedule]]\nname = "other"\nconfig = "leaky.toml"\ncron = "0 3 1 1 *"\n')
    served.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    wait_for(lambda: "soak_config_last_reload_success 1.0" in served.get("/metrics"))
    assert [s["name"] for s in served.json("/api/v1/schedules")] == ["never", "other"]
    assert all(s["next_run"] for s in served.json("/api/v1/schedules"))


def test_what_cannot_work_is_said_in_one_line(served: Served) -> None:
    served.config(NEVER)
    served.start()
    before = len(served.log())
    second = subprocess.run(
        [sys.executable, "-P", "-m", "soak", "serve", "--config", str(served.folder / "soak.toml")],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert second.returncode == 4
    assert second.stderr == f"soak: {served.state}: another soak service uses this state folder\n"
    served.state = served.folder / "state2"
    served.config(NEVER)
    third = subprocess.run(
        [sys.executable, "-P", "-m", "soak", "serve", "--config", str(served.folder / "soak.toml")],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert third.returncode == 2
    assert f"127.0.0.1:{served.port}: cannot listen there" in third.stderr
    assert len(served.log()) == before


def certificate(folder: Path, name: str, ca: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
                ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:  # fmt: skip
    """A certificate for loopback, signed by `ca` or by itself, as NAME.pem and NAME.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(ca[0].subject if ca else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca is None, path_length=None), critical=True)
        .sign(ca[1] if ca else key, hashes.SHA256())
    )  # fmt: skip
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key


def test_tls_client_certificates_and_passwords_renewed_without_a_restart(served: Served) -> None:
    folder = served.folder
    ca = certificate(folder, "ca")
    certificate(folder, "server", ca)
    certificate(folder, "client", ca)
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (folder / "web.yml").write_text(
        "tls_server_config: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, "
        f"client_auth_type: RequireAndVerifyClientCert}}\nbasic_auth_users: {{ann: {hashed}}}\n"
    )
    served.config(NEVER, service='web_config = "web.yml"')
    served.start(wait=False)
    url = f"https://localhost:{served.port}"
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "client.pem", folder / "client.key")

    def asked(context: ssl.SSLContext, password: str) -> int:
        manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        manager.add_password(None, url, "ann", password)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), urllib.request.HTTPBasicAuthHandler(manager)
        )
        try:
            with opener.open(f"{url}/metrics", timeout=PATIENCE) as answer:
                status: int = answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0
        return status

    def serial() -> int:
        with (
            socket.create_connection(("127.0.0.1", served.port)) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            der = secure.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).serial_number

    wait_for(lambda: asked(context, "secret") == 200)
    assert asked(context, "wrong") == 401
    assert asked(ssl.create_default_context(cafile=folder / "ca.pem"), "secret") == 0, "no certificate, no connection"
    before = serial()
    certificate(folder, "server", ca)
    wait_for(lambda: serial() != before)
    assert asked(context, "secret") == 200


def test_rough_requests_harm_nobody(served: Served) -> None:
    served.config(NEVER)
    served.start()
    rough = [
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"b" * 200_000 + b"\r\n\r\n",
        b"\x00\xff\xfe nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" + b"c" * 100_000,
        b"GET /reports/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /reports/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ]
    for request in rough:
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as raw:
            raw.settimeout(PATIENCE)
            answer = b""
            try:
                raw.sendall(request)
                raw.shutdown(socket.SHUT_WR)
                while chunk := raw.recv(65536):
                    answer += chunk
            except OSError:
                pass
        assert b"root:" not in answer
        assert not answer or re.match(rb"HTTP/1.1 4\d\d", answer), answer[:200]
    assert "soak_up 1.0" in served.get("/metrics")


def test_a_storm_of_scrapes_is_answered_and_holds_no_round_up(served: Served) -> None:
    """What it costs is measured by `benchmarks/service.py --storm`."""
    served.run_config("clean", CLEAN, seconds=3600)
    served.config('[[schedule]]\nname = "once"\nconfig = "clean.toml"\nat = 2020-01-01T00:00:00Z\n')
    served.start()
    wait_for(lambda: 'layer="anonymous"' in served.get("/metrics"))
    (record,) = (served.state / "runs").glob("*/record.sqlite")
    before = rounds(record)
    with ThreadPoolExecutor(8) as pool:

        def sampled_while_it_storms() -> bool:
            answers = list(pool.map(lambda _: served.get("/metrics"), range(200)))
            assert all("soak_up 1.0" in answer for answer in answers)
            return rounds(record) > before

        wait_for(sampled_while_it_storms)


def rounds(record: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{record}?mode=ro", uri=True)) as db:
        count: int = db.execute("SELECT count(*) FROM round").fetchone()[0]
    return count


def test_the_api_keeps_its_word_whatever_is_asked(served: Served) -> None:
    served.config(NEVER)
    served.start()
    url = f"http://127.0.0.1:{served.port}"
    need("schemathesis")
    tool = [sys.executable, "-P", "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    ran = subprocess.run(
        [*tool, "run", f"{url}/api/v1/openapi.json", "--url", url, "--max-examples", "25", "--checks", "all",
         "--mode", "all", "--seed", "1"],
        cwd=served.folder, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:]
