"""What may share a child and what may not. A trick that counts as plain could falsify its neighbours' verdicts."""

import builtins
import importlib
import json
import types
from pathlib import Path

import pytest

from autoif.sandbox import Job, Sandbox, Verdict
from autoif.sandbox.inside import plain

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "label_truth" / "label_truth.jsonl"
BODY = "def evaluate(response):\n    "
PLAIN = [
    BODY + "return len(response) > 3",
    "import re\n\ndef helper(text):\n    return re.findall(r'\\w+', text)\n\n"
    + BODY
    + "return len(helper(response)) == 3",
    "import string, json, math\nLIMIT = 3\n" + BODY + "return all(c in string.digits for c in response[:LIMIT])",
    "from collections import Counter\n" + BODY + "return Counter(response.split()).most_common(1)[0][1] > 1",
    BODY + "try:\n        return int(response) > 3\n    except ValueError as e:\n        return f'{e}' == ''",
    BODY + "return sorted(response.split(), key=lambda w: w.lower()) == [*reversed(response.split())]",
    BODY + "counts = {}\n    for c in response: counts[c] = counts.get(c, 0) + 1\n    return max(counts.values()) > 2",
]
TRICKS = [
    "import os\n" + BODY + "return os",
    "import sys\n" + BODY + "return sys.modules",
    "import random\n" + BODY + "random.seed(1)",
    "from re import enum\n" + BODY + "return enum",
    "import re\n" + BODY + "re.findall = None",
    "import re\n" + BODY + "del re.findall",
    "import re\n" + BODY + "re.search, x = None, 1",
    "import re\n" + BODY + "for re.search in [None]: pass",
    "import re\n" + BODY + "with response as re.search: pass",
    "import re\n" + BODY + "re.search += 1",
    "import re\n" + BODY + "return [0 for re.search in [None]]",
    "import re\n" + BODY + "return re.enum.sys.modules.clear()",
    "import re\n" + BODY + "re.purge()",
    "import re\n" + BODY + "re._cache.clear()",
    "import re as r\n" + BODY + "setattr(r, 'search', None)",
    "import json\n" + BODY + "json.decoder.scanstring = None",
    "import json\n" + BODY + "return json.codecs",
    "import string\n" + BODY + "return string.Formatter().get_field('0.__class__', (response,), {})",
    "import collections\n" + BODY + "return collections.abc.sys",
    "from collections import namedtuple\n" + BODY + "return namedtuple('A', 'b')",
    "import typing\n" + BODY + "return typing.List[response]",
    "from itertools import tee\n" + BODY + "return tee",
    BODY + "return response.__class__.__mro__[1].__subclasses__()",
    BODY + "return (lambda: 0).__globals__",
    BODY + "return __builtins__",
    BODY + "return __import__('os')",
    BODY + "return getattr(response, 'upper')",
    BODY + "return vars()",
    BODY + "return globals()",
    BODY + "return type(response)",
    BODY + "return type('A', (), {})",
    BODY + "return eval('1')",
    BODY + "exec('x = 1')",
    BODY + "return open('x')",
    BODY + "return input()",
    BODY + "return '{0.__class__}'.format(response)",
    BODY + "return '{a.__class__}'.format_map({'a': response})",
    BODY + "yield 1",
    BODY + "def g():\n        try:\n            yield\n        finally:\n            pass\n    return g()",
    "async " + BODY + "return True",
    "class A:\n    def __del__(self): pass\n" + BODY + "return A()",
    BODY + "class A: pass\n    return A",
    BODY + "match response:\n        case object(__class__=c): return c",
    BODY + "try:\n        1 / 0\n    except Exception as e:\n        return e.__traceback__",
    BODY + "try:\n        1 / 0\n    except Exception as e:\n        return e.with_traceback(None)",
    BODY + "try:\n        [].x\n    except AttributeError as e:\n        return e.obj",
    BODY + "g = (x for x in [1])\n    return g.gi_frame.f_back",
    "evaluate = lambda response: (lambda f: f.__code__)(evaluate)",
    BODY + "return len.__self__",
    BODY + "raise SystemExit",
    BODY + "return memoryview(b'')",
    BODY + "return super()",
]


def is_plain(source: str) -> bool:
    return plain.is_plain(compile(source, "verifier", "exec", dont_inherit=True))


@pytest.mark.parametrize("source", PLAIN)
def test_plain_functions(source: str) -> None:
    assert is_plain(source)


@pytest.mark.parametrize("source", TRICKS)
def test_tricks_are_not_plain(source: str) -> None:
    assert not is_plain(source)


def test_a_trick_anywhere_makes_the_whole_module_not_plain() -> None:
    inner = "def f():\n    def g():\n        return [lambda: x.__class__ for x in ()]\n    return g\n"
    assert not is_plain(inner + PLAIN[0])


def test_safe_names_lead_to_values_and_functions_alone() -> None:
    """The argument of plain.py, checked on this Python: no safe attribute of a module is a module or can be changed."""
    for name in plain.MODULES:
        module = importlib.import_module(name)
        for attribute in plain.SAFE & set(dir(module)):
            value = getattr(module, attribute)
            assert not isinstance(value, types.ModuleType) or attribute in plain.MODULES, (name, attribute)
            assert not isinstance(value, list | dict | set | bytearray), (name, attribute)
            if isinstance(value, type):
                mutable = [k for k in plain.SAFE & set(dir(value)) if isinstance(getattr(value, k), list | dict | set)]
                assert not mutable, (name, attribute)


def test_safe_builtins_are_functions_and_types() -> None:
    assert {"getattr", "setattr", "eval", "exec", "open", "type", "__import__", "vars"}.isdisjoint(plain.BUILTINS)
    assert all(hasattr(builtins, name) for name in plain.BUILTINS)


def test_an_import_that_only_shows_when_it_runs_gets_its_own_child() -> None:
    source = "import yaml_or_whatever\n" + PLAIN[0]
    assert is_plain(source)
    with Sandbox(workers=1) as box:
        jobs = [Job("0", PLAIN[0], ["word"]), Job("1", source, ["word"]), Job("2", PLAIN[0], ["no"])]
        found = {result.id: result.verdicts for result in box.run(jobs)}
    assert found == {"0": (Verdict.TRUE,), "1": (Verdict.NO_COMPILE,), "2": (Verdict.FALSE,)}


def test_a_builtin_with_an_attributes_name_gets_its_own_child() -> None:
    source = BODY + "return compile('1', 'x', 'eval') is not None"
    assert is_plain(source)
    with Sandbox(workers=1) as box:
        assert [result.verdicts for result in box.run([Job("x", source, ["word"])])] == [(Verdict.TRUE,)]


def test_what_a_function_defines_is_gone_for_the_next() -> None:
    define = (
        "len = 3\nsecret = 'x'\nimport re\nsplit = re.split\n" + BODY + "global more\n    more = 1\n    return True"
    )
    look = BODY + "try:\n        return secret == more\n    except NameError:\n        return len(split) == 1"
    with Sandbox(workers=1) as box:
        found = {r.id: r.verdicts for r in box.run([Job("0", define, ["x"]), Job("1", look, ["x"])])}
    assert found == {"0": (Verdict.TRUE,), "1": (Verdict.ERROR,)}


@pytest.mark.skipif(not DATA.exists(), reason="the published verifiers in ../shared are not here")
def test_most_real_verifiers_are_plain_and_sharing_changes_no_verdict() -> None:
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    jobs = [
        Job(f"{i} {j}", source, [answer["text"] for answer in row["responses"][:5]])
        for i, row in enumerate(rows)
        for j, source in enumerate(row["verifiers"])
    ]
    with Sandbox(workers=2) as box:
        together = {result.id: result.verdicts for result in box.run(jobs)}
    with Sandbox(workers=2, _without=("sharing",)) as box:
        alone = {result.id: result.verdicts for result in box.run(jobs)}
    assert together == alone
    assert len(alone) == len(jobs)
