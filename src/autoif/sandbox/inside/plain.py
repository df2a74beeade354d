"""Tells plain functions, which may share a child with others, from those that get a child of their own.

A plain function can compute and nothing else: nothing it can name leads to an object that another function uses and
that can be changed. This is decided on the compiled code, from lists of what is known to be harmless; whatever is not
on them makes a function not plain, which only costs a fork. The argument:

- Attributes and globals are set only by STORE_ATTR and DELETE_ATTR, classes only by class bodies, and code that runs
  later than its call (finalizers, generators) needs a class or a `yield`. Code with any of these is not plain.
- Every name in the code is either in SAFE, or no attribute of anything reachable. So attributes outside SAFE raise
  AttributeError, and SAFE ones lead from the allowed modules and types to values and pure functions alone.
- A name with a leading underscore is never plain, so `__globals__`, `__builtins__`, `__dict__` … are out of reach.
- Only the modules in MODULES can be imported (another import ends a shared child). None of them keeps what it is
  given, as `typing` does in its caches.

The kernel's locks are on in either case: what shares a child could at worst harm its neighbours' verdicts.
"""

from __future__ import annotations

import builtins
import dis
import importlib
import inspect
import os
import sys
import types
from typing import Any, NoReturn

MODULES = ("collections", "itertools", "json", "math", "re", "string", "unicodedata")

BUILTINS = """
ArithmeticError AssertionError AttributeError Exception False IndexError KeyError LookupError None NameError
NotImplementedError OverflowError RecursionError StopIteration True TypeError UnicodeDecodeError UnicodeEncodeError
UnicodeError ValueError ZeroDivisionError
abs all any ascii bin bool bytes callable chr complex dict divmod enumerate filter float frozenset hex int isinstance
issubclass iter len list map max min next oct ord pow print range repr reversed round set slice sorted str sum tuple zip
""".split()  # noqa: SIM905

ATTRIBUTES = """
capitalize casefold center count decode encode endswith expandtabs find index isalnum isalpha isascii isdecimal isdigit
isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans partition
removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase
title translate upper zfill
append clear copy extend insert pop remove reverse sort
add difference discard fromkeys get intersection isdisjoint issubset issuperset items keys popitem setdefault
symmetric_difference union update values
is_integer bit_length
compile escape findall finditer fullmatch match search sub subn error A ASCII I IGNORECASE M MULTILINE S DOTALL U
UNICODE X VERBOSE end expand group groupdict groups lastindex span start
Counter OrderedDict defaultdict deque elements most_common subtract appendleft popleft rotate
accumulate chain combinations count cycle dropwhile groupby islice pairwise permutations product repeat starmap
takewhile zip_longest
dumps loads JSONDecodeError
ceil comb e exp fabs factorial floor fsum gcd inf isclose isfinite isinf isnan lcm log log10 log2 nan pi prod sqrt trunc
ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation whitespace
bidirectional category combining decimal digit east_asian_width mirrored name normalize numeric
""".split()  # noqa: SIM905

SAFE = {*MODULES, *BUILTINS, *ATTRIBUTES}
UNSAFE_OPERATIONS = {dis.opmap[name] for name in ("STORE_ATTR", "DELETE_ATTR", "MATCH_CLASS") if name in dis.opmap}
LATER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def known_names() -> set[str]:
    """Every attribute of the builtins, of the allowed modules and all they hold, and of the interpreter's own types."""
    modules = [builtins, types, *map(importlib.import_module, MODULES)]
    return {name for module in modules for value in [module, *vars(module).values()] for name in dir(value)}


UNSAFE = (known_names() | sys.stdlib_module_names) - SAFE


def is_plain(code: types.CodeType) -> bool:
    """Whether the module with this code may share a child."""
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return (
        UNSAFE.isdisjoint(code.co_names)
        and not any(name[0] == "_" for name in code.co_names)
        and UNSAFE_OPERATIONS.isdisjoint(code.co_code[::2])
        and (not code.co_flags & LATER or code.co_name == "<genexpr>")
        and all(part.co_flags & inspect.CO_NEWLOCALS for part in inner)  # class bodies lack it
        and all(map(is_plain, inner))
    )


def import_allowed(name: str, *arguments: Any, **keywords: Any) -> Any:
    """`__import__` of a shared child."""
    return builtins.__import__(name, *arguments, **keywords) if name in MODULES else leave()


def leave(*arguments: Any, **keywords: Any) -> NoReturn:
    """Ends a shared child: the zygote runs the function that asked for more on its own."""
    os._exit(0)


NAMES = {name: leave for name in dir(builtins) if name in SAFE}
NAMES |= {name: getattr(builtins, name) for name in BUILTINS} | {"__import__": import_allowed}
"""The builtins of a shared child: an attribute's safe name that is also that of an unsafe builtin leads out of it."""
