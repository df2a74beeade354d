"""More than ten thousand broken, mutated and monstrous functions: none hangs, none is lost, the parent never raises."""

import ast
import copy
import random
from collections.abc import Callable

import pytest

from autoif.sandbox import Job, Result, Sandbox, Verdict

SHARDS, PER_SHARD = 12, 900
BASES = [
    "import re\n\ndef words(text):\n    return re.findall(r'[A-Za-z]+', text)\n\n"
    "def evaluate(response):\n    found = words(response)\n    return len(found) > 3 and found[0].istitle()\n",
    "import json\n\ndef evaluate(response):\n    try:\n        data = json.loads(response)\n    except ValueError:\n"
    "        return False\n    return isinstance(data, dict) and 'name' in data\n",
    "def evaluate(response):\n    lines = [line.strip() for line in response.split('\\n') if line.strip()]\n"
    "    return len(lines) == 4 and all(line.startswith('* ') for line in lines)\n",
    "from collections import Counter\n\ndef evaluate(response):\n    counts = Counter(response.lower())\n"
    "    return counts['e'] * 10 < sum(counts.values()) or max(counts, key=counts.get) != 'e'\n",
    "import string\nLIMIT = 50\n\ndef evaluate(response: str) -> bool:\n    n = 0\n    while n < len(response):\n"
    "        if response[n] in string.punctuation:\n            return n < LIMIT\n        n += 1\n    return False\n",
    "import math, random\n\ndef evaluate(response):\n    random.shuffle(list(response))\n"
    "    return math.log(1 + len(response)) > 2 ** 0.5 and not response[::-1] == response\n",
    "class Checker:\n    def __init__(self, text):\n        self.text = text\n    def __bool__(self):\n"
    "        return ',' in self.text\n\ndef evaluate(response):\n    return bool(Checker(response))\n",
    "import os, sys\n\ndef evaluate(response):\n    try:\n        os.listdir('/')\n        sys.setrecursionlimit(99)\n"
    "    except OSError as error:\n        return getattr(error, 'errno', 0) == 13\n    return None\n",
]
TEXTS = ("", "One two three four.", '{"name": 1}', "* a\n* b\n* c\n* d", "\0\ud800\U0001f600", "e" * 500)
CHARACTERS = "()[]{}:,.=+-*/%@~|&^<>'\"#\\ \n\t_0123456789abcxyzNTF\0\ud800\udfff\xe9\u2028\U0001f600"
NAMES = ["len", "response", "self", "__class__", "eval", "exec", "open", "os", "sys", "re", "True", "9999999", "print"]
Random = random.Random


def swap_nodes(rng: Random) -> str:
    """One expression in the place of another, up to four times."""
    tree = ast.parse(rng.choice(BASES))
    donors = [node for node in ast.walk(ast.parse(rng.choice(BASES))) if isinstance(node, ast.expr)]
    for _ in range(rng.randint(1, 4)):
        parents = [(n, f, v) for n in ast.walk(tree) for f, v in ast.iter_fields(n) if isinstance(v, ast.expr)]
        node, field, _ = rng.choice(parents)
        setattr(node, field, copy.deepcopy(rng.choice(donors)))
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    except (ValueError, RecursionError, AttributeError, TypeError):
        return "not a tree"


def swap_names(rng: Random) -> str:
    words = rng.choice(BASES).split(" ")
    for _ in range(rng.randint(1, 3)):
        words[rng.randrange(len(words))] = rng.choice(NAMES)
    return " ".join(words)


def swap_characters(rng: Random) -> str:
    source = list(rng.choice(BASES))
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(source))
        source[place : place + rng.randint(0, 2)] = rng.choice(CHARACTERS)
    return "".join(source)


def splice(rng: Random) -> str:
    one, two = rng.choice(BASES), rng.choice(BASES)
    return one[: rng.randrange(len(one))] + two[rng.randrange(len(two)) :]


def drop_lines(rng: Random) -> str:
    return "\n".join(line for line in rng.choice(BASES).split("\n") if rng.random() < 0.8)


def noise(rng: Random) -> str:
    if rng.random() < 0.5:
        return rng.randbytes(rng.randint(0, 200)).decode("latin-1")
    return "".join(rng.choices(CHARACTERS, k=rng.randint(0, 200)))


KINDS: list[Callable[[Random], str]] = [swap_nodes, swap_nodes, swap_names, swap_characters, splice, drop_lines, noise]
GOOD = BASES[0]
MONSTERS = {
    "a million bytes": GOOD + "# " + "x" * 10**6,
    "a million bytes of code": GOOD + "x = 1\n" * 160_000,
    "a million names": "def evaluate(response):\n    return " + " or ".join(f"a{i}" for i in range(100_000)),
    "a million bytes of text": f"TEXT = '{'é' * 500_000}'\n" + GOOD,
    "a million digits": "def evaluate(response):\n    return " + "9" * 10**6,
    "a million NULs": "\0" * 10**6,
    "a million surrogates": "\ud800" * 10**6,
    "100000 brackets": "def evaluate(response):\n    return " + "(" * 10**5 + ")" * 10**5,
    "100000 open brackets": "x = " + "[" * 10**5,
    "100000 minus signs": "def evaluate(response):\n    return " + "-" * 10**5 + "1",
    "100000 nots": "def evaluate(response):\n    return " + "not " * 10**5 + "1",
    "100000 attributes": "def evaluate(response):\n    return response" + ".a" * 10**5,
    "100000 calls": "def evaluate(response):\n    return response" + "()" * 10**5,
    "100000 lambdas": "evaluate = " + "lambda x: " * 10**5 + "1",
    "100000 sums": "def evaluate(response):\n    return " + "1+" * 10**5 + "1",
    "100000 powers": "def evaluate(response):\n    return " + "1**" * 10**5 + "1",
    "1000 indents": "\n".join(" " * i + "if 1:" for i in range(1000)),
    "90 indents": "\n".join(" " * i + "if 1:" for i in range(90)) + "\n" + " " * 91 + "evaluate = len",
    "20000 bytes of nots": "def evaluate(response):\n    return " + "not " * 4900 + "1",
    "19000 bytes of brackets": "x = " + "(" * 9000 + ")" * 9000,
    "19000 bytes of minus signs": "x = " + "-" * 19_000 + "1",
    "19000 bytes of attributes": "def evaluate(response):\n    return response" + ".a" * 9000,
    "19000 bytes of lambdas": "evaluate = " + "lambda x: " * 1800 + "1",
    "nested f-strings": "x = " + "f'{" * 200 + "1" + "}'" * 200,
    "constants to fold": "def evaluate(response):\n    return 'x' * 10**9 and 2 ** 10**9 and (0,) * 10**9",
    "a byte order mark": "\ufeff" + GOOD,
    "a declared encoding": "# -*- coding: utf-16 -*-\n" + GOOD,
    "carriage returns": GOOD.replace("\n", "\r"),
}


def check(jobs: list[Job], results: list[Result]) -> None:
    assert sorted(result.id for result in results) == sorted(job.id for job in jobs)
    sizes = {job.id: len(job.inputs) for job in jobs}
    assert all(len(result.verdicts) == sizes[result.id] for result in results)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_mutants(shard: int) -> None:
    rng = Random(shard)
    jobs = [Job(f"{i}", rng.choice(KINDS)(rng), rng.sample(TEXTS, 2)) for i in range(PER_SHARD)]
    canaries = [Job(f"canary {i}", GOOD, ("One two three four.", "")) for i in range(0, PER_SHARD, 25)]
    mixed = [job for i, job in enumerate(jobs) for job in ([job, canaries[i // 25]] if i % 25 == 0 else [job])]
    with Sandbox(workers=2, call_seconds=0.4, function_seconds=1.0, memory_mb=512) as box:
        results = list(box.run(mixed))
    check(mixed, results)
    assert all(r.verdicts == (Verdict.TRUE, Verdict.FALSE) for r in results if r.id.startswith("canary"))
    assert len({verdict for result in results for verdict in result.verdicts}) >= 5


@pytest.mark.parametrize("name", MONSTERS)
def test_monsters(name: str) -> None:
    jobs = [Job("before", GOOD, [TEXTS[1]]), Job("x", MONSTERS[name], ["word"]), Job("after", GOOD, [TEXTS[1]])]
    with Sandbox(workers=1, call_seconds=1.0) as box:
        results = list(box.run(jobs))
    check(jobs, results)
    found = {result.id: result.verdicts for result in results}
    assert found["before"] == found["after"] == (Verdict.TRUE,)


def test_sharing_changes_no_verdict() -> None:
    rng = Random(1000)
    kinds = [swap_nodes, swap_names, splice, drop_lines]
    jobs = [Job(f"{i}", rng.choice(kinds)(rng), TEXTS[:4]) for i in range(600)]
    found = []
    for without in ((), ("sharing",)):
        with Sandbox(workers=2, call_seconds=0.7, _without=without) as box:
            found.append({result.id: result.verdicts for result in box.run(jobs)})
    assert found[0] == found[1]


def test_there_are_enough_mutants() -> None:
    assert SHARDS * PER_SHARD + len(MONSTERS) >= 10_000
