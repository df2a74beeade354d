"""`autoif view` of a run with a million records: seconds to each page, and the server's memory.

Run `python benchmarks/view.py [RECORDS]`. It writes 3 stage files of so many lines to a temporary folder (1.1 GB for a
million) and asks the real server over HTTP.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

TEXT = "How can a person who lives alone cook well for a week without spending much, and what should be bought? "


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        size = write_run(run, records)
        print(f"{records:,} queries, as many instructions and as many drops: {size / 1e9:.2f} GB")
        command = [sys.executable, "-m", "autoif.cli", "view", str(run)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert server.stdout
        try:
            found = re.search(r"http\S+", server.stdout.readline())
            assert found
            measure(found[0], records, server.pid)
        finally:
            server.terminate()
            server.wait()


def write_run(run: Path, records: int) -> int:
    """Sealed stages 1 and 2 as a run leaves them. Returns their size in bytes."""
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"config": {}, "created": ""}))
    for place, name in enumerate(("queries", "instructions"), 1):
        folder = run / f"{place:02d}_{name}"
        folder.mkdir()
        with open(folder / "records.jsonl", "w") as lines:
            lines.writelines(record(name, number) for number in range(records))
        with open(folder / "dropped.jsonl", "w") as lines:
            lines.writelines(drop(number) for number in range(records if name == "instructions" else 0))
        dropped = {"answers_the_query": records - records // 1000, "empty": records // 1000}
        stats = {"in": records, "kept": records, "dropped": dropped if name == "instructions" else {}}
        (folder / "stats.json").write_text(json.dumps(stats))
        (folder / "done").touch()
    return sum(file.stat().st_size for file in run.rglob("*.jsonl"))


def record(name: str, number: int) -> str:
    query = f'{{"id":"{identity("queries", number)}","parent":null,"text":"{TEXT}{number}","source":"made"}}'
    if name == "queries":
        return query + "\n"
    origin = "model" if number % 10 else "seed"
    head = (
        f'{{"id":"{identity(name, number)}","parent":"{identity("queries", number)}","text":"Answer in {number} words."'
    )
    return f'{head},"origin":"{origin}","queries":[{query}],"seed":null,"parameters":{{}}}}\n'


def drop(number: int) -> str:
    what = {"text": TEXT, "query": f"{TEXT}{number}", "parent": identity("queries", number)}
    reason = "answers_the_query" if number % 1000 else "empty"
    return json.dumps({"unit": number, "reason": reason, "what": what}) + "\n"


def identity(name: str, number: int) -> str:
    return hashlib.blake2b(f"{name}{number}".encode(), digest_size=10).hexdigest()


def measure(url: str, records: int, process: int) -> None:
    last = -(-records // 50)
    print(f"{'started':58} {memory(process):5.0f} MB")
    for what, path in (
        ("funnel", ""),
        ("first page of instructions", "instructions"),
        ("last page, read for the first time", f"instructions?page={last}"),
        ("last page again", f"instructions?page={last}"),
        ("page in the middle", f"instructions?page={last // 2}"),
        ("only those from seeds, in the middle", f"instructions?origin=seed&page={last // 20}"),
        ("drops for a rare reason, last page", f"instructions/dropped?reason=empty&page={last // 1000}"),
        ("search for a word that nothing has, to the end", "instructions?find=xylophone"),
        ("search for a word that is everywhere", "instructions?find=person"),
        ("a record in the middle, read for the first time", f"instructions/{identity('instructions', records // 2)}"),
        ("the last record", f"instructions/{identity('instructions', records - 1)}"),
    ):
        seconds, requests = ask(url, path)
        print(f"{what:58} {memory(process):5.0f} MB {seconds:8.3f} s, {requests} request{'s' if requests > 1 else ''}")


def ask(url: str, path: str) -> tuple[float, int]:
    """Seconds until the page is whole, and the requests it took: a page that is still being read comes again."""
    began, requests = time.perf_counter(), 0
    while True:
        with urlopen(url + path) as answer:
            page = answer.read().decode()
        requests += 1
        onward = re.search(r'rel="next" href="/(\S*find=xylophone\S*)"', page)
        if onward:
            path = onward[1].replace("&amp;", "&")
        elif "till being" not in page and "Still reading" not in page:
            return time.perf_counter() - began, requests


def memory(process: int) -> float:
    """Megabytes of main memory that the process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
