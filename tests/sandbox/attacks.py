"""What hostile verifiers try: one attack per property of the sandbox, and the verdicts that show it was contained.

An attack returns True only when it has done damage, so TRUE is never allowed. `$NAME` stands for what the arena sets up:
$SECRET_FILE, $FOLDER, $VICTIM (a process of the same user), $PORT (a listening server), $SOCKET (an abstract one).
"""

# ruff: noqa: E501  (the attacks are easier to read unbroken)

from dataclasses import dataclass

EITHER = ("FALSE", "NOT_BOOL", "ERROR", "CRASH", "TIMEOUT", "NO_COMPILE")


@dataclass(frozen=True)
class Attack:
    source: str
    allowed: tuple[str, ...] = ("FALSE", "ERROR", "NO_COMPILE")


def body(code: str, *allowed: str, imports: str = "import os, sys, ctypes") -> Attack:
    """An attack inside `evaluate`."""
    lines = "\n".join(f"    {line}" for line in code.strip().split("\n"))
    source = f"{imports}\nlibc = ctypes.CDLL(None, use_errno=True)\ndef evaluate(response):\n{lines}\n"
    return Attack(source, allowed or ("FALSE", "ERROR", "NO_COMPILE"))


def pure(code: str, *allowed: str) -> Attack:
    """An attack without imports, which may count as plain and share a child with canaries."""
    lines = "\n".join(f"    {line}" for line in code.strip().split("\n"))
    return Attack(f"def evaluate(response):\n{lines}\n", allowed or ("FALSE", "ERROR"))


TIME = {
    "loop in Python": pure("while True:\n    pass", "TIMEOUT"),
    "loop in C": pure("return sum(range(10**13)) == 7", "TIMEOUT"),
    "big number": pure("return 7 ** 7 ** 9 == 7", "TIMEOUT"),
    "regular expression that backtracks": Attack(
        "import re\ndef evaluate(response):\n    return bool(re.match(r'(a+)+$', 'a' * 50 + 'b'))\n", ("TIMEOUT",)
    ),
    "swallows every exception": pure(
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        "TIMEOUT",
    ),
    "ignores signals": body(
        "import signal\nfor number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "while True:\n    pass",
        "TIMEOUT",
    ),
    "sleeps": body("import time\ntime.sleep(10**6)\nreturn True", "TIMEOUT"),
    "sleeps in small steps": body("import time\nwhile True:\n    time.sleep(0.01)", "TIMEOUT"),
    "hangs while it loads": Attack("while True:\n    pass\n", ("TIMEOUT",)),
    "hangs in a finalizer": Attack(
        "class A:\n    def __del__(self):\n        while True:\n            pass\ndef evaluate(response):\n    A()\n",
        ("TIMEOUT",),
    ),
    "hangs when it is judged": Attack(
        "class A:\n    def __bool__(self):\n        while True:\n            pass\n    __eq__ = __hash__ = __bool__\n"
        "def evaluate(response):\n    return A()\n",
        ("NOT_BOOL",),
    ),
    "waits for input": pure("return input() == ''", "ERROR"),
    "hangs at its end": Attack(
        "import atexit, threading\natexit.register(lambda: [1 for _ in iter(int, 1)])\ndef evaluate(response):\n"
        "    return False\n",
        ("FALSE", "NO_COMPILE"),
    ),
}

MEMORY = {
    "one big block": pure("return len(bytearray(1 << 40)) > 0", "ERROR"),
    "many blocks": pure("kept = []\nwhile True:\n    kept.append(bytearray(1 << 22))", "ERROR", "TIMEOUT"),
    "a doubling string": pure("text = 'x' * 1000\nwhile True:\n    text += text", "ERROR", "TIMEOUT"),
    "a map of memory": body("import mmap\nreturn len(mmap.mmap(-1, 1 << 40)) > 0"),
    "catches MemoryError and goes on": pure(
        "kept = []\nwhile True:\n    try:\n        kept.append(bytearray(1 << 22))\n    except MemoryError:\n        pass",
        "TIMEOUT",
    ),
    "recursion": pure("return evaluate(response)", "ERROR"),
    "recursion without a limit": body("sys.setrecursionlimit(10**9)\nreturn evaluate(response)", *EITHER),
    "recursion in C": body(
        "sys.setrecursionlimit(10**9)\nnested = []\nfor _ in range(10**6):\n    nested = [nested]\nreturn repr(nested) == ''",
        *EITHER,
    ),
    "a huge return value": pure("return 'x' * 50_000_000", "NOT_BOOL"),
    "a bomb for the compiler": pure("return eval('(' * 10**5 + ')' * 10**5) == 0", *EITHER),
    "nesting that breaks parsers": Attack("def evaluate(response):\n    return " + "-" * 10**5 + "1", EITHER),
    "resource limits raised": body(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 50, 1 << 50))\nreturn True"
    ),
}

DEATH = {
    "os._exit": body("os._exit(0)", "CRASH"),
    "os._exit while it loads": Attack("import os\nos._exit(0)\n", ("CRASH",)),
    "os.abort": body("os.abort()", "CRASH"),
    "segmentation fault": body("ctypes.string_at(0)", "CRASH"),
    "SystemExit": pure("raise SystemExit(0)", "ERROR"),
    "KeyboardInterrupt": pure("raise KeyboardInterrupt", "ERROR"),
    "sys.exit while it loads": Attack("import sys\nsys.exit()\n", ("NO_COMPILE",)),
    "an exception that cannot be shown": Attack(
        "class E(BaseException):\n    def __str__(self):\n        raise self\n    __repr__ = __str__\n"
        "def evaluate(response):\n    raise E\n",
        ("ERROR",),
    ),
    "closes every file": body("os.closerange(0, 4096)\nreturn False", "FALSE", "CRASH"),
    "closes the pipe that tells of its end": body(
        "for handle in range(64):\n    libc.close(handle)\nimport time\ntime.sleep(1)\nreturn False", *EITHER
    ),
}

PROCESSES = {
    "fork": body("return os.fork() >= 0"),
    "a fork bomb": body("while True:\n    os.fork()"),
    "fork by number": body("return libc.syscall(57 if os.uname().machine == 'x86_64' else 220, 17, 0, 0, 0, 0) >= 0"),
    "vfork": body("return libc.vfork() > 0"),
    "clone3": body("return libc.syscall(435, ctypes.create_string_buffer(88), 88) >= 0"),
    "all process numbers used up": body(
        "children = 0\nfor _ in range(10**4):\n    children += libc.fork() > 0\nreturn children > 0"
    ),
    "a thread left behind": body(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(100,), daemon=True).start()\nreturn True"
    ),
    "a thread pool": body(
        "from concurrent.futures import ThreadPoolExecutor\nreturn ThreadPoolExecutor(1).submit(int).result() == 0"
    ),
    "execv": body("os.execv('/bin/true', ['true'])"),
    "exec of memory": body("handle = os.memfd_create('x')\nos.write(handle, b'#!/bin/true')\nos.execv(handle, ['x'])"),
    "subprocess": body("import subprocess\nreturn subprocess.run(['true']).returncode == 0"),
    "os.system": body("return os.system('true') == 0"),
    "posix_spawn": body("return os.posix_spawn('/bin/true', ['true'], {}) > 0"),
    "multiprocessing": body("import multiprocessing\nmultiprocessing.Process(target=int).start()\nreturn True"),
    "kills the parent": body("import signal\nos.kill(os.getppid(), signal.SIGKILL)\nreturn False", *EITHER),
    "kills its group": body("import signal\nos.killpg(0, signal.SIGKILL)\nreturn True", *EITHER),
    "kills everything": body("import signal\nos.kill(-1, signal.SIGKILL)\nreturn True", *EITHER),
    "kills another process": body("import signal\nos.kill($VICTIM, signal.SIGKILL)\nreturn True", *EITHER),
    "stops the zygote": body("import signal\nos.kill(os.getppid(), signal.SIGSTOP)\nreturn False", *EITHER),
    "signals by pidfd": body("import signal\nsignal.pidfd_send_signal(os.pidfd_open($VICTIM), 9)\nreturn True"),
    "ptrace": body("return libc.ptrace(16, os.getppid(), 0, 0) == 0 or libc.ptrace(16, $VICTIM, 0, 0) == 0"),
    "memory of the parent": body(
        "with open(f'/proc/{os.getppid()}/mem', 'r+b') as memory:\n    memory.write(b'x')\nreturn True"
    ),
    "process_vm_writev": body(
        "buffer = ctypes.create_string_buffer(16)  # at this address in the zygote too, which it was forked from\n"
        "vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 16)\n"
        "return any(libc.process_vm_writev(pid, vector, 1, vector, 1, 0) == 16 for pid in (os.getppid(), $VICTIM))"
    ),
    "priorities": body("os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)\nreturn True"),
    "processor affinity of the parent": body("os.sched_setaffinity(os.getppid(), {0})\nreturn True"),
}

FILES = {
    "secrets in the environment": body(
        "libc.getenv.restype = ctypes.c_char_p\n"
        "return any('SECRET' in k for k in os.environ) or libc.getenv(b'ARENA_SECRET') is not None"
    ),
    "environments in /proc": body(
        "for pid in ['self', os.getppid(), $VICTIM]:\n    if b'SECRET' in open(f'/proc/{pid}/environ', 'rb').read():\n"
        "        return True\nreturn False"
    ),
    "command lines in /proc": body("return bool(open('/proc/1/cmdline', 'rb').read())"),
    "a secret file": body("return 'secret' in open('$SECRET_FILE').read()"),
    "a secret file by number": body(
        "number = 257 if os.uname().machine == 'x86_64' else 56\n"
        "return libc.syscall(number, -100, b'$SECRET_FILE', 0) >= 0"
    ),
    "a secret file by openat2": body("return libc.syscall(437, -100, b'$SECRET_FILE', bytes(24), 24) >= 0"),
    "a secret file by the old open": body(
        "return os.uname().machine == 'x86_64' and libc.syscall(2, b'$SECRET_FILE', 0) >= 0"
    ),
    "a folder's names": body("return bool(os.listdir('$FOLDER'))"),
    "/etc/passwd": body("return bool(open('/etc/passwd').read())"),
    "/etc/shadow": body("return bool(open('/etc/shadow').read())"),
    "writes a file": body("open('$FOLDER/new', 'w').write('x')\nreturn True"),
    "overwrites a file": body("open('$SECRET_FILE', 'w').write('x')\nreturn True"),
    "writes among the libraries": body("open(os.path.dirname(os.__file__) + '/evil.py', 'w').write('x')\nreturn True"),
    "writes to shared memory files": body("open('/dev/shm/evil', 'w').write('x')\nreturn True"),
    "renames": body("os.rename('$SECRET_FILE', '$FOLDER/renamed')\nreturn True"),
    "removes": body("os.unlink('$SECRET_FILE')\nreturn True"),
    "symbolic link": body("os.symlink('$SECRET_FILE', '$FOLDER/link')\nreturn True"),
    "hard link": body("os.link('$SECRET_FILE', '$FOLDER/link')\nreturn True"),
    "makes a folder": body("os.mkdir('$FOLDER/new')\nreturn True"),
    "truncates": body("os.truncate('$SECRET_FILE', 0)\nreturn True"),
    "changes permissions": body("os.chmod('$SECRET_FILE', 0o777)\nreturn True"),
    "changes times": body("os.utime('$SECRET_FILE', (0, 0))\nreturn True"),
    "makes a device": body("os.mknod('$FOLDER/device', 0o20666, os.makedev(1, 1))\nreturn True"),
    "temporary file": body("import tempfile\ntempfile.TemporaryFile().write(b'x')\nreturn True"),
    "changes the root": body("os.chroot('$FOLDER')\nreturn True"),
    "mounts": body("return libc.mount(b'none', b'$FOLDER', b'tmpfs', 0, None) == 0"),
    "1 GB of prints": body("for _ in range(1000):\n    print('x' * 10**6)\nreturn False", "FALSE", "TIMEOUT"),
    "1 GB to file handles": body("for _ in range(1000):\n    os.write(1, b'x' * 10**6)\nreturn True"),
    "writes to all file handles": body(
        "done = 0\nfor handle in range(1024):\n    done += libc.write(handle, b'\\1' * 64, 64) > 0\nreturn done > 0"
    ),
    "reads all file handles": body(
        "buffer = ctypes.create_string_buffer(64)\ndone = 0\nfor handle in range(1024):\n"
        "    done += libc.read(handle, buffer, 64) > 0\nreturn done > 0"
    ),
    "fills a pipe": body("a, b = os.pipe()\nwhile True:\n    os.write(b, b'x' * 4096)"),
    "makes a handle from nothing": body(
        "calls = [lambda: os.eventfd(0), lambda: os.memfd_create('x'), lambda: os.pipe(), lambda: os.dup(0)]\n"
        "done = 0\nfor call in calls:\n    try:\n        call()\n        done += 1\n    except OSError:\n        pass\nreturn done > 0"
    ),
}

NETWORK = {
    "sockets of all families": body(
        "import socket\ndone = 0\nfor family in range(46):\n    for kind in (1, 2, 3, 5):\n"
        "        done += libc.socket(family, kind, 0) >= 0\nreturn done > 0"
    ),
    "a socket pair": body("import socket\nsocket.socketpair()\nreturn True"),
    "connects to a local server": body(
        "import socket\nsocket.create_connection(('127.0.0.1', $PORT), 0.2)\nreturn True"
    ),
    "connects to an abstract socket": body(
        "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0$SOCKET')\nreturn True"
    ),
    "looks up a name": body("import socket\nreturn bool(socket.getaddrinfo('localhost', 80))"),
    "listens": body("import socket\nsocket.create_server(('127.0.0.1', 0))\nreturn True"),
    "downloads": body(
        "import urllib.request\nreturn bool(urllib.request.urlopen('http://127.0.0.1:$PORT', timeout=0.2))"
    ),
}

KERNEL = {
    "shared memory, System V": body("return libc.shmget(12345, 4096, 0o1666) >= 0"),
    "shared memory, POSIX": body(
        "from multiprocessing import shared_memory\nshared_memory.SharedMemory('evil', create=True, size=64)\nreturn True"
    ),
    "message queue": body("return libc.msgget(12345, 0o1666) >= 0"),
    "becomes root": body("return libc.setuid(0) == 0 and libc.setresuid(0, 0, 0) == 0 and os.fork() >= 0"),
    "new namespaces": body("return libc.unshare(0x10000000) == 0 or libc.unshare(0x20000) == 0"),
    "reboots": body("return libc.reboot(0) == 0"),
    "sets the clock": body("import time\ntime.clock_settime(0, 0)\nreturn True"),
    "sets the host name": body(
        "import socket\nreturn libc.sethostname(b'evil', 4) == 0 and socket.gethostname() == 'host'"
    ),
    "loosens the filter": body("return libc.prctl(22, 0, 0, 0, 0) == 0"),
    "keys": body(
        "number = 248 if os.uname().machine == 'x86_64' else 217\nreturn libc.syscall(number, b'user', b'x', b'y', 1, -3) >= 0"
    ),
    "bpf": body(
        "number = 321 if os.uname().machine == 'x86_64' else 280\nreturn libc.syscall(number, 0, bytes(72), 72) >= 0"
    ),
    "perf": body(
        "number = 298 if os.uname().machine == 'x86_64' else 241\nreturn libc.syscall(number, bytes(128), 0, -1, -1, 0) >= 0"
    ),
    "userfaultfd": body("number = 323 if os.uname().machine == 'x86_64' else 282\nreturn libc.syscall(number, 0) >= 0"),
    "io_uring": body("return libc.syscall(425, 8, ctypes.create_string_buffer(120)) >= 0"),
    "32-bit system calls": body(
        "import mmap\nif os.uname().machine != 'x86_64':\n    return False\n"
        "page = mmap.mmap(-1, 4096, prot=7)\npage.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')  # getpid by int 0x80\n"
        "code = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))\nreturn code() > 0",
        "FALSE",
        "CRASH",
    ),
    "x32 system calls": body(
        "return os.uname().machine == 'x86_64' and libc.syscall(0x40000000 + 39) > 0", "FALSE", "CRASH"
    ),
    "timers": body("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\nreturn False", *EITHER),
}

VERDICTS = {
    "returns 1": pure("return 1", "NOT_BOOL"),
    "returns 'true'": pure("return 'true'", "NOT_BOOL"),
    "returns None": pure("pass", "NOT_BOOL"),
    "evil __eq__": Attack(
        "class A:\n    def __eq__(self, other):\n        return True\ndef evaluate(response):\n    return A()\n",
        ("NOT_BOOL",),
    ),
    "evil __bool__": Attack(
        "class A:\n    def __bool__(self):\n        return True\ndef evaluate(response):\n    return A()\n",
        ("NOT_BOOL",),
    ),
    "evil __class__": Attack(
        "class A:\n    __class__ = bool\ndef evaluate(response):\n    return A()\n", ("NOT_BOOL",)
    ),
    "an int that looks like True": Attack(
        "class A(int):\n    __class__ = bool\n    def __repr__(self):\n        return 'True'\ndef evaluate(response):\n    return A(1)\n",
        ("NOT_BOOL",),
    ),
    "evil pickle": Attack(
        "import os\nclass A:\n    def __reduce__(self):\n        return os.system, ('touch $FOLDER/pickled',)\ndef evaluate(response):\n    return A()\n",
        ("NOT_BOOL",),
    ),
    "a generator": pure("yield True", "NOT_BOOL"),
    "a coroutine": Attack("async def evaluate(response):\n    return True\n", ("NOT_BOOL",)),
    "patches builtins": Attack(
        "import builtins\ndef evaluate(response):\n    builtins.len = builtins.bool = builtins.type = lambda *a: 1\n"
        "    builtins.isinstance = lambda *a: True\n    return 1\n",
        ("NOT_BOOL",),
    ),
    "patches re": Attack(
        "import re\ndef evaluate(response):\n    re.findall = re.search = re.match = lambda *a: None\n    return 1\n",
        ("NOT_BOOL",),
    ),
    "patches json": Attack(
        "import json\ndef evaluate(response):\n    json.loads = json.dumps = lambda *a: 'x'\n    return 1\n",
        ("NOT_BOOL",),
    ),
    "patches str": body("ctypes.pythonapi.PyType_Modified(ctypes.py_object(str))\nstr.split = None\nreturn 1", *EITHER),
    "poisons imports": Attack(
        "import sys\ndef evaluate(response):\n    sys.modules['re'] = sys.modules['json'] = None\n    sys.meta_path.clear()\n    return 1\n",
        ("NOT_BOOL",),
    ),
    "settrace": Attack(
        "import sys\ndef trace(frame, event, argument):\n    frame.f_locals.clear()\n    return trace\n"
        "def evaluate(response):\n    sys.settrace(trace)\n    sys.setprofile(trace)\n    return 1\n",
        ("NOT_BOOL",),
    ),
    "walks the frames for labels": Attack(
        "import sys\ndef evaluate(response):\n    frame = sys._getframe()\n    while frame:\n"
        "        if any('label' in k or 'expected' in k or 'follows' in k for k in [*frame.f_locals, *frame.f_globals]):\n"
        "            return True\n        frame = frame.f_back\n    return False\n",
    ),
    "searches memory for other functions": Attack(
        "import gc\nMARK = 'CANARY' + '-TEXT'\ndef evaluate(response):\n"
        "    seen = [x for o in gc.get_objects() for x in (gc.get_referents(o) or [o])]\n"
        "    return any(isinstance(x, (str, bytes)) and x is not MARK and str(MARK) in str(x) and len(x) > len(MARK) for x in seen)\n",
    ),
    "forges its board": Attack(
        "import gc, mmap\ndef boards():\n    seen = [x for o in gc.get_objects() for x in [o, *gc.get_referents(o)]]\n"
        "    return [x for x in seen if isinstance(x, mmap.mmap)]\n"
        "def evaluate(response):\n    for board in boards():\n        board[:] = b'\\x63' * len(board)\n    return 1\n",
        ("NOT_BOOL", "CRASH", "ERROR"),
    ),
    "forges verdicts that no call gives": Attack(
        "import gc, mmap, os\ndef evaluate(response):\n    for o in gc.get_objects():\n        for x in [o, *gc.get_referents(o)]:\n"
        "            if isinstance(x, mmap.mmap):\n                x[:] = b'\\x07' * len(x)\n    os._exit(0)\n",
        ("CRASH",),
    ),
    "plays dead after its verdict": Attack(
        "import os\nclass A:\n    def __del__(self):\n        os._exit(1)\ndef evaluate(response):\n    return A()\n",
        ("CRASH",),
    ),
}

ATTACKS = TIME | MEMORY | DEATH | PROCESSES | FILES | NETWORK | KERNEL | VERDICTS

LANDLOCK_ALONE_LETS_THROUGH = {
    "32-bit system calls",
    "keys",
    "message queue",
    "new namespaces",
    "priorities",
    "processor affinity of the parent",
    "shared memory, System V",
    "writes to all file handles",
}
"""Without seccomp these succeed, inside namespaces where they change nothing but the sandbox's own speed."""
