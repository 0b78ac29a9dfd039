"""What the reader gives up before it sees the first byte from a stranger.

Memory, file size and core dumps by resource limits; the identity of root, where it has it; and by a system-call filter
everything but computing and the descriptors that it was handed: no file opened by name, no network, no new process.
Every import has to be done before, for it could not be done after.
"""

import ctypes
import os
import platform
import resource
import signal
import struct

GIB = 1024**3
MAX_WRITTEN_BYTES = 17 * GIB
# Files of a series are held open from the header to the pixels
MAX_DESCRIPTORS = 1024
# Code, libraries and thread stacks count as address space and hold nothing of the file.
ADDRESS_SPACE_FOR_CODE = 8 * GIB
NOBODY = 65534

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_RET_ALLOW, _RET_ERRNO, _RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_EPERM = 1
_LOAD, _AND, _JUMP_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x45, 0x06
# Where struct seccomp_data has the call's number, the architecture, and the lower half of an argument
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS = 0, 4, 16

# Numbers of the calls that computing, memory and already opened descriptors need (linux/unistd.h).
_X86_64 = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11,
    "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "ioctl": 16, "pread64": 17,
    "pwrite64": 18, "readv": 19, "writev": 20, "select": 23, "sched_yield": 24, "mremap": 25, "madvise": 28,
    "dup": 32, "nanosleep": 35, "getpid": 39, "sendto": 44, "recvfrom": 45, "recvmsg": 47, "exit": 60, "uname": 63,
    "fcntl": 72, "ftruncate": 77, "gettimeofday": 96, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102,
    "sigaltstack": 131, "gettid": 186, "futex": 202, "sched_getaffinity": 204, "restart_syscall": 219,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "ppoll": 271,
    "set_robust_list": 273, "getrandom": 318, "rseq": 334,
}  # fmt: skip
_AARCH64 = {
    "dup": 23, "fcntl": 25, "ioctl": 29, "ftruncate": 46, "close": 57, "lseek": 62, "read": 63,
    "write": 64, "readv": 65, "writev": 66, "pread64": 67, "pwrite64": 68, "ppoll": 73, "fstat": 80, "exit": 93,
    "exit_group": 94, "futex": 98, "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113,
    "clock_getres": 114, "clock_nanosleep": 115, "restart_syscall": 128, "sched_getaffinity": 123, "sched_yield": 124,
    "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "times": 153,
    "uname": 160, "getrusage": 165, "gettimeofday": 169, "getpid": 172, "getuid": 174, "gettid": 178, "sysinfo": 179,
    "sendto": 206, "recvfrom": 207, "recvmsg": 212, "brk": 214,
    "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278, "rseq": 293,
}  # fmt: skip
# Of these two only the commands that reading and the life of a descriptor need: others make the kernel send signals to
# whatever process is named. F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC; TCGETS, FIONBIO, FIOCLEX.
_COMMANDS = {"fcntl": (0, 1, 2, 3, 1030), "ioctl": (0x5401, 0x5421, 0x5451)}
_PROT_EXEC, _SHARED_WITHOUT_FILE, _GROWS_DOWN = 0x4, 0x21, 0x100
# Which argument holds the flags of a message, and the flag of a second, rarely tried way through the kernel
_FLAGS_OF, _OUT_OF_BAND = {"sendto": 3, "recvfrom": 3, "recvmsg": 2}, 0x1
_ALLOWED = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def confine(*, memory_bytes: int) -> list[str]:
    """Give everything up; returns what is in force, by name."""
    _limit(memory_bytes)
    in_force = ["resource limits"]
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        in_force.append("no privileges")
    # after the change of user, which would clear both
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_DUMPABLE, 0)
    if _filter_system_calls():
        in_force.append("system-call filter")
    return in_force


def most_descriptors() -> int:
    """How many files the reader may have open; asked before it is confined, for afterwards the call is refused."""
    return _most(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)


def _limit(memory_bytes: int) -> None:
    limits = {
        # private memory: what is mapped from a scratch file is the disk's
        resource.RLIMIT_DATA: memory_bytes,
        resource.RLIMIT_AS: memory_bytes + ADDRESS_SPACE_FOR_CODE,
        resource.RLIMIT_FSIZE: MAX_WRITTEN_BYTES,
        resource.RLIMIT_NOFILE: MAX_DESCRIPTORS,
        resource.RLIMIT_CORE: 0,
    }
    for what, value in limits.items():
        most = _most(what, value)
        resource.setrlimit(what, (most, most))


def _most(what: int, value: int) -> int:
    _, hard = resource.getrlimit(what)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def _prctl(option: int, *arguments: object) -> bool:
    padded = [*arguments, *[0] * (4 - len(arguments))]
    return bool(ctypes.CDLL(None).prctl(option, *padded) == 0)


def _filter_system_calls() -> bool:
    known = _ALLOWED.get(platform.machine())
    if known is None or not _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        return False
    instructions = _program(*known)
    program = _Program(len(instructions) // 8, instructions)
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


_Step = tuple[int, int, int, int]
_ALLOW: _Step = (_RETURN, 0, 0, _RET_ALLOW)
_REFUSE: _Step = (_RETURN, 0, 0, _RET_ERRNO | _EPERM)


def _program(architecture: int, allowed: dict[str, int]) -> bytes:
    """Refuse every call that isn't listed; a call by another architecture's numbers ends the process."""
    steps: list[_Step] = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_LOAD, 0, 0, _AT_NUMBER),
    ]
    for name, number in allowed.items():
        judged = _judged(name)
        steps += [(_JUMP_EQUAL, 0, len(judged), number), *judged]
    steps.append(_REFUSE)
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _judged(name: str) -> list[_Step]:
    """What is asked of a listed call's arguments; every way through ends with a verdict."""
    if name in _COMMANDS:
        commands = [step for command in _COMMANDS[name] for step in ((_JUMP_EQUAL, 0, 1, command), _ALLOW)]
        return [_argument(1), *commands, _REFUSE]
    if name in {"mmap", "mprotect"}:
        no_code = [_argument(2), (_JUMP_ANY_BIT, 0, 1, _PROT_EXEC), _REFUSE]
        # memory that counts as nobody's
        shared = [
            _argument(3),
            (_JUMP_ANY_BIT, 0, 1, _GROWS_DOWN),
            _REFUSE,
            (_AND, 0, 0, _SHARED_WITHOUT_FILE),
            (_JUMP_EQUAL, 0, 1, _SHARED_WITHOUT_FILE),
            _REFUSE,
        ]
        return [*no_code, *(shared if name == "mmap" else []), _ALLOW]
    if name in _FLAGS_OF:
        return [_argument(_FLAGS_OF[name]), (_JUMP_ANY_BIT, 0, 1, _OUT_OF_BAND), _REFUSE, _ALLOW]
    return [_ALLOW]


def _argument(position: int) -> _Step:
    return (_LOAD, 0, 0, _AT_ARGUMENTS + 8 * position)
