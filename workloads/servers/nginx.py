"""nginx in front of other servers, over which it spreads the requests by turns."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from workloads.options import OptionError, between, one_of
from workloads.serving import child
from workloads.serving.options import NAME, arguments
from workloads.serving.start import command as started

PROGRAMS = {"nginx": "nginx-light"}
READY = "port"
"""It serves once its port is open."""
_MODULE = "workloads.servers.nginx"
_CONFIG = """
{user}
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_max_body_size 64m; client_body_buffer_size 1m;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 120s;
  proxy_next_upstream error timeout http_404 http_503 non_idempotent;
  upstream every {{ {servers} keepalive 8; }}
  upstream first {{ {first} }}
  server {{
    listen 127.0.0.1:{port};
    {locations}
  }}
}}
"""
_PLAIN = "location / { proxy_pass http://every; }"
_TORCHSERVE = """
    location = /v2/health/ready {{ proxy_pass http://every/ping; }}
    location = /v2/models/{name}/ready {{ proxy_pass http://every/models/{name}; }}
    location = /v2/models/{name}/infer {{ proxy_pass http://every/predictions/{name}; }}
    location /v2/repository/models/ {{
      proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Content-Type "";
      location = /v2/repository/models/{name}/unload {{
        proxy_method DELETE; proxy_pass http://first/models/{name};
      }}
      location = /v2/repository/models/{name}/load {{
        proxy_pass http://first/models?url={name}.mar&initial_workers=1&synchronous=true;
      }}
    }}
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What it stands in front of."""

    upstreams: tuple[str, ...] = ("127.0.0.1:8080",)
    """HOST:PORT of each server; "127.0.0.1:{NAME.port}" of the member NAME."""
    paths: str = "same"
    """same, or torchserve: paths of the Open Inference Protocol become those of TorchServe; its model is loaded and
    unloaded in the first server alone, while requests that it refuses go to the next."""
    workers: int = 1
    """Processes of nginx that serve."""

    def __post_init__(self) -> None:
        one_of(self, "paths", "same", "torchserve")
        between(self, "workers", 1, 64)
        # They become words of its configuration.
        if not self.upstreams or any(set(each) & set(" ;#'\"\\\n\t") or ":" not in each for each in self.upstreams):
            raise OptionError("upstreams", list(self.upstreams), "expected HOST:PORT of one server or more")


def command(options: Options) -> list[str]:
    """The arguments that start it; `{port}` stands for the port of 127.0.0.1 that it listens on."""
    return started(_MODULE, "--port", "{port}", "--options", json.dumps(asdict(options)))


def configuration(options: Options, folder: str, port: int) -> str:
    """The text of nginx.conf."""
    servers = [f"server {each} max_fails=0;" for each in options.upstreams]
    return _CONFIG.format(
        # Its workers write into a folder that is this user's.
        user="user root;" if os.geteuid() == 0 else "", workers=options.workers, folder=folder, port=port,
        servers=" ".join(servers), first=servers[0],
        locations=_TORCHSERVE.format(name=NAME) if options.paths == "torchserve" else _PLAIN,
    )  # fmt: skip


def main() -> None:
    """Serve until it is told to stop."""
    options, ports = arguments(Options, "port")
    program = shutil.which("nginx")
    if program is None:
        raise FileNotFoundError("nginx is not on the PATH")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(configuration(options, folder, ports["port"]))
        sys.exit(child.run([program, "-c", str(config), "-p", folder, "-e", "stderr"]))


if __name__ == "__main__":
    main()
