"""The sandbox against its predecessors' ways of executing verifiers: same functions, same inputs, interleaved rounds.

    python benchmarks/sandbox.py [--data label_truth.jsonl] [--rounds 7] [--inputs 8] [--hangs]

- pool: ProcessPoolExecutor(16) and exec, one task per instruction, as Llama3-AutoIF does. Contains nothing.
- alarm: exec in one process under SIGALRM, as the paper's code does. Contains nothing.
- sandbox: `Sandbox(workers=2)`. one child each: the same with a fork for every function.
- fork: a bare fork and exit of a small process, per function: what no design with a fork per function can beat.

Wall time depends on what else the machine does (a pool of 16 gets more of a busy processor than two workers do), so
the CPU time of all processes, in microseconds per function, is printed beside it.
"""

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoif.sandbox import Job, Sandbox, Verdict

Task = tuple[list[str], list[str]]  # the sources of one instruction, and the inputs of each
HANG = "def evaluate(response):\n    while True:\n        pass\n"
SOURCES = [
    "import re\n\ndef evaluate(response):\n    return len(re.findall(r'\\w+', response)) > 20\n",
    "def evaluate(response):\n    return response.count('\\n* ') == 3\n",
    "def evaluate(response):\n    words = response.lower().split()\n    return all(len(word) < 12 for word in words)\n",
    "def evaluate(response):\n    return response.strip().endswith('?') and ',' not in response\n",
]


def load(data: Path | None, inputs: int) -> list[Task]:
    if data is None:
        return [(SOURCES, [f"Some words, number {i}. " * 20 for i in range(inputs)])] * 75
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    return [(row["verifiers"], [answer["text"] for answer in row["responses"][:inputs]]) for row in rows]


def execute(task: Task) -> list[list[Any]]:
    """What both predecessors do with one instruction."""
    sources, inputs = task
    results = []
    for source in sources:
        names: dict[str, Any] = {}
        try:
            exec(source, names)
            results.append([attempt(names["evaluate"], text) for text in inputs])
        except Exception:
            results.append([])
    return results


def attempt(evaluate: Callable[[str], Any], text: str) -> Any:
    try:
        return evaluate(text)
    except Exception:
        return None


def execute_with_alarm(task: Task) -> list[list[Any]]:
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
    signal.alarm(10)
    try:
        return execute(task)
    finally:
        signal.alarm(0)


def jobs(tasks: list[Task]) -> list[Job]:
    return [
        Job(f"{i}-{j}", source, inputs) for i, (sources, inputs) in enumerate(tasks) for j, source in enumerate(sources)
    ]


FORKS = """
import os, sys
for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
"""


def bare_forks(count: int) -> None:
    """Forks of an interpreter that has loaded nothing."""
    subprocess.run([sys.executable, "-I", "-S", "-c", FORKS, str(count)], check=True)


@contextmanager
def contenders(tasks: list[Task]) -> Iterator[dict[str, Callable[[], object]]]:
    functions = jobs(tasks)
    with (
        ProcessPoolExecutor(16) as pool,
        Sandbox(workers=2) as shared,
        Sandbox(workers=2, _without=("sharing",)) as single,
        Sandbox(workers=1) as one,
    ):
        yield {
            "pool": lambda: [future.result() for future in [pool.submit(execute, task) for task in tasks]],
            "alarm": lambda: [execute_with_alarm(task) for task in tasks],
            "sandbox": lambda: list(shared.run(functions)),
            "sandbox, 1 worker": lambda: list(one.run(functions)),
            "sandbox, one child each": lambda: list(single.run(functions)),
            "fork": lambda: bare_forks(len(functions)),
        }


def race(tasks: list[Task], rounds: int) -> None:
    """Rounds of every contender, one after the other; medians over the rounds."""
    count = len(jobs(tasks))
    seconds: dict[str, list[float]] = {}
    with contenders(tasks) as ways:
        for round in range(rounds + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                if round:  # the first warms up
                    seconds.setdefault(name, []).append(time.perf_counter() - start)
    costs = processor_seconds(tasks)
    print(f"{'way':25} {'functions/s':>12} {'of pool':>8} {'CPU us/function':>16} {'of pool':>8}")
    for name, values in seconds.items():
        share = statistics.median(pool / value for pool, value in zip(seconds["pool"], values, strict=True))
        cost = costs.get(name)
        processor = f"{1e6 * cost / count:16.0f} {costs['pool'] / cost:8.2f}" if cost else ""
        print(f"{name:25} {count / statistics.median(values):12.0f} {share:8.2f} {processor}")


def processor_seconds(tasks: list[Task], repeats: int = 3) -> dict[str, float]:
    """CPU time of one pass, parent and all children; children count when they have ended, so start-up is taken off."""
    functions = jobs(tasks)

    def pool(times: int) -> None:
        with ProcessPoolExecutor(16) as executor:
            for _ in range(times):
                list(executor.map(execute, tasks))

    def sandbox(times: int, *without: str) -> None:
        with Sandbox(workers=2, _without=without) as box:
            for _ in range(times):
                list(box.run(functions))

    ways: dict[str, Callable[[int], object]] = {
        "pool": pool,
        "alarm": lambda times: [execute_with_alarm(task) for _ in range(times) for task in tasks],
        "sandbox": sandbox,
        "sandbox, one child each": lambda times: sandbox(times, "sharing"),
        "fork": lambda times: bare_forks(times * len(functions)),
    }
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            costs[name].append((processor(way, 4) - processor(way, 1)) / 3)
    return {name: statistics.median(values) for name, values in costs.items()}


def processor(way: Callable[[int], object], times: int) -> float:
    def used() -> float:
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    start = used()
    way(times)
    return used() - start


def hang(tasks: list[Task], share: float = 0.02, seconds: float = 0.5) -> None:
    """Wall time and losses when some functions never return; both ways may wait `seconds` for a call or a task."""
    every = round(1 / share)
    made = [(list(sources), inputs[:2]) for sources, inputs in tasks * 5]
    for number, (i, j) in enumerate((i, j) for i, task in enumerate(made) for j in range(len(task[0]))):
        if number % every == every - 1:
            made[i][0][j] = HANG
    start = time.perf_counter()
    with Sandbox(workers=2, call_seconds=seconds) as box:
        results = list(box.run(jobs(made)))
    ours = time.perf_counter() - start
    late = sum(Verdict.TIMEOUT in result.verdicts for result in results)
    start = time.perf_counter()
    lost = hang_pool(made, seconds)
    theirs = time.perf_counter() - start
    print(f"{len(results)} functions, {late} hang. sandbox: {ours:.1f} s, {len(jobs(made)) - len(results)} lost.")
    print(f"pool: {theirs:.1f} s ({theirs / ours:.1f} times as long), {lost} of {len(made)} instructions lost.")


def hang_pool(tasks: list[Task], seconds: float) -> int:
    pool = ProcessPoolExecutor(16)
    futures: list[Future[list[list[Any]]]] = [pool.submit(execute, task) for task in tasks]
    lost = 0
    for future in futures:
        try:
            future.result(timeout=seconds)
        except TimeoutError:
            lost += 1
    for process in list((pool._processes or {}).values()):
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)
    return lost


def scaling(tasks: list[Task], rounds: int) -> None:
    """Two workers against one on ten times the functions, where starting and ending a run no longer count."""
    many = jobs(tasks * 10)
    with Sandbox(workers=1) as one, Sandbox(workers=2) as two:
        boxes = [one, two]
        for box in boxes:
            list(box.run(many[:100]))
        seconds: dict[int, list[float]] = {0: [], 1: []}
        for _ in range(rounds):
            for index, box in enumerate(boxes):
                began = time.perf_counter()
                list(box.run(many))
                seconds[index].append(time.perf_counter() - began)
    ratio = statistics.median(a / b for a, b in zip(seconds[0], seconds[1], strict=True))
    print(f"{len(many)} functions: two workers do {ratio:.2f} times the work of one")


def memory() -> None:
    """Proportional set size of one worker: guardian and zygote."""
    with Sandbox(workers=1) as box:
        list(box.run([Job("x", SOURCES[0], ["word"])]))
        guardian = box._group(0)[0]._process.pid
        zygote = int(Path(f"/proc/{guardian}/task/{guardian}/children").read_text())
        try:
            texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in (guardian, zygote)]
        except OSError:
            return print("memory per worker: only root may read it")
    sizes = [int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("Pss:")]
    return print(f"memory per worker: {sum(sizes) / 1024:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="label_truth.jsonl; a few built-in functions when not given")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--inputs", type=int, nargs="+", default=[1, 8, 40], help="inputs of each function")
    parser.add_argument("--hangs", action="store_true", help="also with 2 %% of functions hanging (takes minutes)")
    options = parser.parse_args()
    memory()
    for inputs in options.inputs:
        tasks = load(options.data, inputs)
        load_now = f"load of the machine {os.getloadavg()[0]:.1f}"
        print(f"\n{len(jobs(tasks))} functions, {inputs} inputs each, {options.rounds} rounds, {load_now}", flush=True)
        race(tasks, options.rounds)
        scaling(tasks, options.rounds)
    if options.hangs:
        print()
        hang(load(options.data, 2))


if __name__ == "__main__":
    main()
