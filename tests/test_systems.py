"""What only some systems have is used nowhere without asking which system this is."""

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

FOLDERS = [
    *(room for room in sorted((REPOSITORY / "pixquery").iterdir()) if room.is_dir()),
    REPOSITORY / "benchmarks",
    REPOSITORY / "tests",
]
FILES = [file for folder in FOLDERS for file in sorted(folder.rglob("*.py"))]

POSIX_MODULES = {"curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog",
                 "termios", "tty"}  # fmt: skip
POSIX_NAMES = {
    *(f"os.{name}" for name in (
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "fork", "getegid",
        "geteuid", "getgid", "getloadavg", "getuid", "killpg", "mkfifo", "mknod", "nice", "openpty",
        "pread", "pwrite", "sched_getaffinity", "setgid", "setsid", "setuid", "statvfs", "sysconf",
        "uname", "wait4", "waitpid",
    )),
    *(f"signal.{name}" for name in (
        "SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGSTOP", "SIGUSR1", "SIGUSR2", "alarm",
        "pthread_kill", "setitimer",
    )),
}  # fmt: skip
QUESTIONS = ("os.name", "sys.platform", "importorskip", "hasattr(", "children: Children")
"""What asks which system this is, or what it has; child processes with faults are Linux's alone."""
BY_HAND = {"gallery.py", "index_memory.py", "serve_load.py", "child.py"}
"""Programs of their own, which nothing imports: they say that they need POSIX by failing."""


def name_of(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


def used(node: ast.AST) -> set[str]:
    """What a piece of code uses that Windows has not."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            names |= {alias.name for alias in part.names} & POSIX_MODULES
        elif isinstance(part, ast.ImportFrom):
            names |= {part.module or ""} & POSIX_MODULES
        elif isinstance(part, ast.Attribute):
            names |= {ast.unparse(part)} & POSIX_NAMES
            names |= {part.attr} & {"send_signal"}  # Windows takes no Ctrl-C from another program
        elif isinstance(part, ast.Call) and ast.unparse(part) == "ctypes.CDLL(None)":
            names.add("ctypes.CDLL(None)")
    return names


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_what_posix_alone_has_is_asked_for(file: Path) -> None:
    """Statement by statement, a function with its decorators being one."""
    source = file.read_text("utf-8")
    tree = ast.parse(source, str(file))
    skipped = file.name in BY_HAND or file.parent.name == "proofs"  # test_crash asks for the system
    if any(ast.unparse(node).startswith("pytestmark = pytest.mark.skipif(") for node in tree.body):
        skipped = True
    for statement in tree.body:
        if skipped and isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            continue
        text = ast.unparse(statement)
        if not any(question in text for question in QUESTIONS):
            assert not used(statement), f"line {statement.lineno}"
