"""Every error this package raises on purpose.

AutoIFError                     exit status 1: the run failed
├── InputError                  exit status 2: the user's input is wrong (config, file, key, argument)
│   ├── MissingExtraError       a library behind an extra is not installed
│   └── BusyRunError            another process is writing this run directory
├── EngineError                 a model or a server cannot go on
│   └── EngineUnavailableError  it cannot be reached or loaded at all
├── SandboxError                the sandbox itself is broken (a failing verifier is a Verdict, not an error)
│   └── SandboxUnavailableError this machine cannot contain untrusted code
└── NothingToDoError            a stage has no input left: zero queries, zero verified instructions, zero pairs

Messages are one sentence or two: where, what was expected, what to do.
"""


class AutoIFError(Exception):
    exit_status = 1


class InputError(AutoIFError):
    exit_status = 2


class MissingExtraError(InputError):
    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: run `pip install 'autoif[{extra}]'`.")


class BusyRunError(InputError):
    pass


class EngineError(AutoIFError):
    pass


class EngineUnavailableError(EngineError):
    exit_status = 2


class SandboxError(AutoIFError):
    pass


class SandboxUnavailableError(SandboxError):
    exit_status = 2


class NothingToDoError(AutoIFError):
    pass
