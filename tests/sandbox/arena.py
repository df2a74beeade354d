"""Runs every attack beside canaries and prints what came of it, as JSON: a program, so that any user can run it.

python arena.py WITHOUT      WITHOUT: mechanisms to leave out, separated by commas
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from attacks import ATTACKS, Attack

from autoif.sandbox import Job, Sandbox

CANARIES = {
    "plain": "import re, json\ndef words(text):\n    return re.findall(r'[a-z]+', text)\ndef evaluate(response):\n"
    "    note = 'CANARY-TEXT of a neighbour'\n"
    "    return len(words(response)) == 3 and json.loads('[1]') == [1] and isinstance(note, str)\n",
    "alone": "import random, string\ndef evaluate(response):\n    assert 0 <= random.random() < 1\n"
    "    return bool(len(response.split()) == 3 and type(response) is str and string.digits)\n",
}
INPUTS = ("one two three", "one two")
RIGHT = ["TRUE", "FALSE"]


def main() -> None:
    without = [name for name in sys.argv[1].split(",") if name]
    with tempfile.TemporaryDirectory() as name, subprocess.Popen(["sleep", "1000"]) as victim:
        folder = Path(name)
        (folder / "secret").write_text("secret")
        before = state(folder)
        listener, calls = listen()
        places = {
            "$SECRET_FILE": str(folder / "secret"),
            "$FOLDER": name,
            "$VICTIM": str(victim.pid),
            "$PORT": str(listener.getsockname()[1]),
            "$SOCKET": f"arena-{os.getpid()}",
        }
        with socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind("\0" + places["$SOCKET"])
            abstract.listen()
            report = fight(without, places)
        report["damage"] = {
            "files changed": before != state(folder),
            "shared memory": Path("/dev/shm/evil").exists(),
            "connections": len(calls),
            "victim dead": victim.poll() is not None,
            "library written": Path(os.__file__).with_name("evil.py").exists(),
            "processes left": report["left"],
        }
        victim.kill()
    print(json.dumps(report))


def fight(without: list[str], places: dict[str, str]) -> dict[str, object]:
    """Every attack between canaries, four zygotes, in one run."""
    with Sandbox(workers=4, call_seconds=1.0, function_seconds=4.0, memory_mb=512, _without=without) as box:
        found = {result.id: [v.name for v in result.verdicts] for result in box.run(jobs(places))}
        again = [result.verdicts[0].name for result in box.run([Job("x", CANARIES["plain"], INPUTS[:1])])]
    canaries = {key: value for key, value in found.items() if key.startswith("canary")}
    return {
        "verdicts": {name: found[name][0] for name in ATTACKS},
        "canaries": len(canaries),
        "wrong canaries": {key: value for key, value in canaries.items() if value != RIGHT},
        "still works": again == ["TRUE"],
        "left": len(children()),
    }


def jobs(places: dict[str, str]) -> list[Job]:
    made = []
    for name, attack in ATTACKS.items():
        made += [Job(f"canary {kind} of {name}", source, INPUTS) for kind, source in CANARIES.items()]
        made.append(Job(name, fill(attack, places), ("x",)))
    return made


def fill(attack: Attack, places: dict[str, str]) -> str:
    source = attack.source
    for place, value in places.items():
        source = source.replace(place, value)
    return source


def state(folder: Path) -> list[tuple[object, ...]]:
    return [(p.name, p.read_bytes(), p.stat().st_mode, p.stat().st_mtime_ns) for p in sorted(folder.iterdir())]


def listen() -> tuple[socket.socket, list[object]]:
    server, calls = socket.create_server(("127.0.0.1", 0)), []

    def accept() -> None:
        while True:
            calls.append(server.accept())

    threading.Thread(target=accept, daemon=True).start()
    return server, calls


def children() -> list[int]:
    """Processes that this one started and that still run, the victim apart."""
    names = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in names if Path(f"/proc/{pid}/comm").read_text().strip() != "sleep"]


if __name__ == "__main__":
    main()
