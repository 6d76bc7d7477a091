"""PyTorch's model by ONNX and onnx2tf behind the stand-in for TensorFlow Serving; each conversion is checked first.

Converted when it starts, which takes a minute: `workloads.conversion.hybrid`. A conversion that answers otherwise than
what it was made of is refused, and nothing is served. Its API is that of the server `tensorflow_serving`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from workloads.conversion import hybrid
from workloads.conversion.hybrid import HybridOptions
from workloads.servers import tensorflow_serving
from workloads.serving.options import ServedModel, arguments
from workloads.serving.start import command as started

REQUIRES = {**hybrid.REQUIRES, **tensorflow_serving.REQUIRES}
READY = "port"
"""It serves once its port is open: all is converted, and fits, by then."""
_MODULE = "workloads.servers.hybrid"


@dataclass(frozen=True, slots=True)
class Options(HybridOptions):
    """What is converted, and for which clips: a client must send those."""


def command(options: Options) -> list[str]:
    """The arguments that start it: gRPC on `{port}`, REST on `{port:rest}`."""
    return started(_MODULE, "--port", "{port}", "--rest", "{port:rest}", "--options", json.dumps(asdict(options)))


def main() -> None:
    """Convert, then serve until it is told to stop."""
    options, ports = arguments(Options, "port", "rest")
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: converters keep much of what they imported and made.
        convert = started("workloads.conversion.hybrid", folder, "--options", json.dumps(asdict(options)))
        if status := subprocess.run(convert, check=False).returncode:
            sys.exit(f"the model was not converted (exit status {status}): nothing is served")
        model = {name: getattr(options, name) for name in ServedModel.__dataclass_fields__}
        served = {**model, "base_path": str(Path(folder, "versions")), "latest": options.versions}
        words = [f"--port={ports['port']}", f"--rest={ports['rest']}", "--options", json.dumps(served)]
        sys.argv[1:] = words
        tensorflow_serving.main()


if __name__ == "__main__":
    main()
