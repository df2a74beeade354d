"""What a Ray cluster costs per reply and per job, against the local executor on the same machine.

    python benchmarks/ray_overhead.py [--replies 500] [--jobs 4000]

The server answers at once, so the figures are the most that one driver can take in, not what a model gives.
"""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click

from autoif.config import EngineConfig, RayConfig
from autoif.engines import Request, load_engine
from autoif.engines.ray import RayEngine
from autoif.sandbox import Job, Sandbox
from autoif.sandbox.cluster import ClusterSandbox

SAID = json.dumps({"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]}).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(SAID)))
        self.end_headers()
        self.wfile.write(SAID)


def requests(count: int) -> Iterator[Request]:
    return (Request(str(n), [{"role": "user", "content": f"question {n}"}]) for n in range(count))


def jobs(count: int) -> Iterator[Job]:
    source = "def evaluate(response):\n    return len(response.split()) > {}"
    return (Job(str(n), source.format(n % 50), ["a few words"] * 50) for n in range(count))


def rate(what: str, count: int, work: Iterator[Any]) -> None:
    next(work)  # the first takes what a start takes
    started, busy = time.monotonic(), time.process_time()
    done = sum(1 for _ in work)
    seconds, busy = time.monotonic() - started, time.process_time() - busy
    print(f"{what:28} {done / seconds:8.0f} a second, {1000 * busy / done:7.2f} ms of this process's CPU each")
    assert done == count - 1


@click.command()
@click.option("--replies", default=500)
@click.option("--jobs", "job_count", default=4000)
def main(replies: int, job_count: int) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    config = EngineConfig(engine="openai", model="m", base_url=(url,), concurrency=64)
    with load_engine(config) as engine:
        rate("replies, local", replies, engine.generate(requests(replies)))
    with RayEngine(config, RayConfig()) as ray_engine:
        rate("replies, ray", replies, ray_engine.generate(requests(replies)))
    with Sandbox(workers=2) as box:
        rate("jobs of 50 calls, local", job_count, box.run(jobs(job_count)))
    with ClusterSandbox(None, 2) as cluster_box:
        rate("jobs of 50 calls, ray", job_count, cluster_box.run(jobs(job_count)))


if __name__ == "__main__":
    main()
