"""A FastAPI server that reports every request to soak, with its latency. Needs `pip install fastapi ".[clients]"`.

soak can send the requests too:

    soak exec --duration 2min --load http://127.0.0.1:8000/predict -- python examples/fastapi_server.py
    soak exec --duration 2min --load http://127.0.0.1:8000/predict -- python examples/fastapi_server.py --leak
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Awaitable, Callable

import fastapi
import uvicorn

import soak

app = fastapi.FastAPI()
seen: list[bytes] = []


@app.middleware("http")
async def report_to_soak(
    request: fastapi.Request, call_next: Callable[[fastapi.Request], Awaitable[fastapi.Response]]
) -> fastapi.Response:
    """One request is one step. Requests overlap, so each reports its own latency."""
    began = time.perf_counter()
    response = await call_next(request)
    soak.beat(latency=time.perf_counter() - began, requests=1, errors=int(response.status_code >= 500))
    return response


@app.get("/predict")
async def predict() -> dict[str, int]:
    """Answer; with `--leak`, remember every request."""
    if app.state.leak:
        seen.append(bytes(1024) + b"x")
    return {"seen": len(seen)}


def main() -> None:
    """Serve on loopback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--leak", action="store_true", help="keep 1 KiB of every request")
    options = parser.parse_args()
    app.state.leak = options.leak
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
