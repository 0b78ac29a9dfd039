"""The process that reads strangers' files: what it cannot do, and what its end does to everything else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctplatform.datasets.importing.confined import process
from ctplatform.datasets.importing.confined.process import Limits, Reader, ReaderStoppedError
from ctplatform.datasets.importing.offering import files_of, opener
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.errors import DomainError
from tests.datasets.files import write_file, write_series
from tests.factories import make_dataset
from tests.phantoms import small_ct, small_grid

pytestmark = pytest.mark.usefixtures("cold_readers")
MIB = 1024**2
ESCAPES = {
    "open a file by name": "open('/etc/passwd').read()",
    "list a folder": "os.listdir('/')",
    "write a file": "open('/tmp/escaped', 'w')",
    "open the network": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "open a local socket": "socket.socketpair()",
    "start a program": "subprocess.run(['/bin/true'])",
    "fork": "os.fork()",
    "kill the worker": "os.kill(os.getppid(), 0)",
    "kill a thread of the worker": "refused(234, os.getppid(), os.getppid(), 0)",
    "become root again": "os.setuid(0)",
    "follow its worker's files": "os.readlink('/proc/self/exe')",
    "take more memory than allowed": "bytearray(600 * 1024**2)",
    "raise its own limits": "resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))",
    "open a file by io_uring": "refused(425, 1, 0)",
    "trace a process": "refused(101, 16, os.getppid(), 0, 0)",
    "open by handle": "refused(304, 0, 0, 0)",
    "read another process": "refused(310, os.getppid(), 0, 0, 0, 0, 0)",
    "have the kernel signal its worker": "fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    "choose the signal": "fcntl.fcntl(0, 10, 9)",
    "ask for signals": "fcntl.fcntl(0, fcntl.F_SETFL, os.O_ASYNC)",
    "have the kernel signal its worker otherwise": "refused(16, 0, 0x8901, ctypes.byref(ctypes.c_int(os.getppid())))",
    "ask for signals otherwise": "refused(16, 0, 0x5452, ctypes.byref(ctypes.c_int(1)))",
    "lease a file": "fcntl.fcntl(0, fcntl.F_SETLEASE, fcntl.F_RDLCK)",
    "share memory that nobody counts": "mmap.mmap(-1, 4096)",
    "take memory that counts as stack": "mmap.mmap(-1, 4096, flags=0x122)",
    "send out of band": "refused(44, 0, b'x', 1, 1, 0, 0)",
    "make code": "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_EXEC)",
    "send a descriptor": "refused(46, 0, 0, 0)",
}


def confined(code):
    """Run code after the confinement in a process of its own; what it printed."""
    script = (
        "import ctypes, fcntl, json, mmap, os, resource, socket, subprocess, sys\n"
        "from ctplatform.datasets.importing.confined.limits import confine\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def refused(*call):\n"
        "    if libc.syscall(*call) == -1 and ctypes.get_errno() == 1: raise PermissionError(1, 'refused')\n"
        f"in_force = confine(memory_bytes=500 * {MIB})\n"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", script + code], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("escape", ESCAPES)
def test_the_reader_cannot(escape):
    code = f"try:\n    {ESCAPES[escape]}\nexcept (OSError, MemoryError, ValueError):\n    print('true')\nelse:\n    print('false')"
    assert confined(code) is True
    assert not Path("/tmp/escaped").exists()


def test_all_layers_are_in_force_here():
    layers = confined("print(json.dumps(in_force))")
    assert "system-call filter" in layers
    assert "resource limits" in layers
    assert ("no privileges" in layers) == (os.geteuid() == 0)


def test_the_reader_knows_no_secret_of_the_server(monkeypatch):
    """Whatever a hostile file makes of it, its memory holds neither keys nor passwords: it never had them."""
    monkeypatch.setenv("DJANGO_SECRET_KEY", "top-secret")
    with Reader([], Limits()) as reader:
        environment = Path(f"/proc/{reader._process.pid}/environ").read_bytes() if os.geteuid() == 0 else b""
        assert b"top-secret" not in environment
        assert reader.discover() == ([], [])


@pytest.fixture
def acting(monkeypatch):
    """A reader that has been taken over: it speaks the worker's language and does what the test says."""

    def take_over(code):
        head = (
            "import os, socket, sys, time\n"
            "from ctplatform.datasets.importing.wire import Line\n"
            "line = Line(socket.socket(fileno=int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])))\n"
            "line.send({'in_force': []})\n"
            "line.receive()\n"
        )
        monkeypatch.setattr(process, "COMMAND", (sys.executable, "-I", "-c", head + code))

    return take_over


OFFENCES = {
    "asks for a file that was not given": "line.send({'ask': 'file', 'number': 1}); line.receive()",
    "asks for a file before the first": "line.send({'ask': 'file', 'number': -1}); line.receive()",
    "asks for a path": "line.send({'ask': 'file', 'number': '/etc/passwd'}); line.receive()",
    "asks for anything else": "line.send({'ask': 'password'}); line.receive()",
    "hoards trays": "for _ in range(99): line.send({'ask': 'tray'}); line.receive(); os.close(line.receive_descriptor())",
    "speaks no JSON": "line._messages.sendall(b'{]\\n'); time.sleep(60)",
    "speaks without end": "line._messages.sendall(b'x' * 99); time.sleep(60)",
    "sends no object": "line._messages.sendall(b'[]\\n'); time.sleep(60)",
    "sends not-a-number": "line._messages.sendall(b'{\"answer\": NaN}\\n'); time.sleep(60)",
    "says nothing": "time.sleep(60)",
    "asks without end and reads nothing": "while True: line.send({'ask': 'file', 'number': 0})",
    "asks without end": "while True: line.send({'ask': 'file', 'number': 0}); line.receive(); os.close(line.receive_descriptor())",
    "answers with a list": "line.send({'answer': [1]}); time.sleep(60)",
    "answers with nothing": "line.send({'answer': None}); time.sleep(60)",
    "answers without what was asked": "line.send({'answer': {}}); time.sleep(60)",
    "counts without end": "line.send({'answer': {'candidates': [dict(label='', files=10**17, size=-1, row=0)], 'refusals': []}}); time.sleep(60)",
    "counts in digits without end": "line._messages.sendall(b'{\"answer\": ' + b'9' * 4000 + b'}\\n'); time.sleep(60)",
    "counts to infinity": "line._messages.sendall(b'{\"answer\": 1e999}\\n'); time.sleep(60)",
    "nests without end": "line._messages.sendall(b'[' * 9999999 + b'\\n'); time.sleep(60)",
    "names scans without end": "line.send({'answer': {'candidates': [dict(label='', files=1, size=1, row=0)] * 99999, 'refusals': []}}); time.sleep(60)",
    "sends pages of text": "line._messages.sendall(b'x' * 99999999); time.sleep(60)",
    "hoards scratch files": "for _ in range(9999): line.send({'ask': 'scratch'}); line.receive(); os.close(line.receive_descriptor())",
    "breaks down": "os.abort()",
    "leaves": "sys.exit(3)",
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_a_reader_that_misbehaves_is_ended_with_a_reason(acting, tmp_path, offence):
    acting(OFFENCES[offence])
    (tmp_path / "a.nii").write_bytes(b"x")
    started = time.monotonic()
    with Reader(files_of(tmp_path), Limits(seconds=2)) as reader, pytest.raises(ReaderStoppedError, match="stopped"):
        reader.discover()
    assert time.monotonic() - started < 50  # it would have gone on for a minute
    assert reader._process.returncode is not None


@pytest.mark.parametrize(
    "scan",
    [
        "{}",
        "{'grid': {'size_zyx': [4096, 4096, 4096]}}",
        "dict(grid=grid, volume=0, masks={}, report={}, acquisition={}, name='', subject='', identity='', text_planes=[], says_synthetic=False)",
        "dict(grid=grid, volume=7, masks={}, report={}, acquisition={}, name='', subject='', identity='', text_planes=[], says_synthetic=False)",
        "dict(grid=grid, volume='/etc/passwd', masks={}, report={}, acquisition={}, name='', subject='', identity='', text_planes=[], says_synthetic=False)",
    ],
)
def test_a_scan_that_is_none_is_refused(acting, scan):
    """Too large, without voxels, with too few of them, or from a place that the reader may not name."""
    acting(
        "line.send({'answer': {'candidates': [{'label': 'a', 'files': 1, 'size': 1, 'row': 0}], 'refusals': []}})\n"
        "line.receive()\n"
        "line.send({'ask': 'tray'}); line.receive(); os.write(line.receive_descriptor(), b'few')\n"
        "grid = {'size_zyx': [4, 32, 32], 'spacing_zyx_mm': [1, 1, 1], 'origin_lps_mm': [0, 0, 0],"
        " 'direction': [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n"
        f"line.send({{'answer': {{'scan': {scan}}}}})\n"
        "time.sleep(60)\n"
    )
    with Reader([], Limits(seconds=30)) as reader:
        candidates, _ = reader.discover()
        with pytest.raises(ImportRefusedError):
            reader.read(0, candidates[0])


def test_what_is_no_plain_file_is_neither_listed_nor_opened(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "plain.nii").write_bytes(b"plain")
    (folder / "link.nii").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "pipe.nii")
    assert [file.path for file in files_of(folder)] == ["scans/in/plain.nii"]
    for name in ("link.nii", "pipe.nii"):  # as if it had become one after the listing
        with pytest.raises(OSError):
            opener(folder, folder / name)()


def test_a_folder_that_becomes_a_link_is_not_followed(tmp_path):
    for folder in ("in/inner", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "case_1.nii").write_bytes(b"x")
    (listed,) = files_of(tmp_path / "in")
    (tmp_path / "in/inner").rename(tmp_path / "in/aside")
    (tmp_path / "in/inner").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        listed.open()


def test_the_reader_gets_an_hour_for_no_file(acting, tmp_path):
    """Its own counts extend its time only as far as the files that were given."""
    acting(
        "line.send({'answer': {'candidates': [dict(label='', files=10**17, size=10**17, row=0)], 'refusals': []}})\n"
        "time.sleep(60)\n"
    )
    (tmp_path / "a.nii").write_bytes(b"x")
    with Reader(files_of(tmp_path), Limits(seconds=2)) as reader:
        (candidate,), _ = reader.discover()
        started = time.monotonic()
        with pytest.raises(ReaderStoppedError, match="too long"):
            reader.read(0, candidate)
    assert time.monotonic() - started < 50  # it would have gone on for a minute


def test_a_reader_that_fills_the_disk_is_stopped(acting, tmp_path, monkeypatch):
    acting("time.sleep(60)")
    free = iter([10 * process.GIB, 10 * process.GIB])
    monkeypatch.setattr(process, "_free_bytes", lambda: next(free, process.MIB))
    with Reader([], Limits(seconds=30)) as reader, pytest.raises(ReaderStoppedError, match="disk"):
        reader.discover()


def test_nothing_is_handed_out_when_the_disk_is_nearly_full(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_free_bytes", lambda: process.MIB)
    (tmp_path / "a.nii").write_bytes(b"x")
    with Reader(files_of(tmp_path), Limits()) as reader, pytest.raises(ImportRefusedError, match="nearly full"):
        reader.discover()


def test_a_top_folder_that_becomes_a_link_is_not_followed(tmp_path):
    for folder in ("given", "secret"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "case_1.nii").write_bytes(folder.encode())
    (listed,) = files_of(tmp_path / "given")
    (tmp_path / "given").rename(tmp_path / "aside")
    (tmp_path / "given").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="that was there"):
        listed.open()


class Clock:
    """The server's time, which a test can put forward."""

    skew = 0.0

    def monotonic(self):
        return time.monotonic() + self.skew


@pytest.mark.django_db
def test_the_time_for_all_files_is_limited_too(tmp_path, monkeypatch, settings):
    settings.CT_IMPORT_SECONDS = 60
    clock, deadline = Clock(), process.Budget.deadline

    def a_minute_later(budget, **counted):
        given = deadline(budget, **counted)
        clock.skew += 60
        return given

    monkeypatch.setattr(process, "time", clock)
    monkeypatch.setattr(process.Budget, "deadline", a_minute_later)
    slow = (
        "from ctplatform.datasets.importing import discovery\n"
        "from ctplatform.datasets.importing.confined import reader\n"
        "from ctplatform.datasets.importing.refusal import ImportRefusedError\n"
        "def read_ct(*_):\n"
        "    raise ImportRefusedError('slow')\n"
        "discovery.read_ct = read_ct\n"
        "reader.main()\n"
    )
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-I", "-c", slow))
    for number in range(40):
        (tmp_path / f"case_{number}.nii").write_bytes(b"x")
    dataset = make_dataset()
    with pytest.raises(DomainError) as caught:
        import_path(tmp_path, ImportOrder(dataset=dataset, created_by=dataset.owner))
    read = sum(reason.endswith("slow") for reason in caught.value.details)
    left = sum("time for all files is used up" in reason for reason in caught.value.details)
    assert read + left == len(caught.value.details) == 40
    # Each a minute: ten times what one file may take, and a little for the number of files.
    assert 10 <= read <= 14


def test_a_file_that_vanishes_is_a_refusal(tmp_path):
    path = tmp_path / "case_1.nii"
    path.write_bytes(b"x" * 400)
    files = files_of(path)
    path.unlink()
    with Reader(files, Limits()) as reader, pytest.raises(ImportRefusedError, match="can't be read on the server"):
        reader.discover()


@pytest.mark.django_db
def test_a_file_that_stops_the_reader_spoils_no_other(tmp_path, monkeypatch):
    """The first of three kills its reader, as a codec's fault would; a new one goes on behind it."""
    dying = (
        "import os, sys\n"
        "from ctplatform.datasets.importing import discovery\n"
        "from ctplatform.datasets.importing.confined import reader\n"
        "read_ct = discovery.read_ct\n"
        "def die(file, *rest):\n"
        "    if 'case_0' in str(file.path): os.abort()\n"
        "    return read_ct(file, *rest)\n"
        "discovery.read_ct = die\n"
        "reader.main()\n"
    )
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-I", "-c", dying))
    grid = small_grid()
    for number in range(3):
        write_file(tmp_path / f"in/case_{number}.nii", small_ct(grid, number), grid)
    dataset = make_dataset()
    outcome = import_path(tmp_path / "in", ImportOrder(dataset=dataset, created_by=dataset.owner))
    assert [scan.name for scan in outcome.save()] == ["case_1", "case_2"]
    (reason,) = outcome.reasons()
    assert reason.startswith("case_0: Reading it stopped the reader (SIG")


@pytest.mark.django_db
def test_who_sends_nothing_but_killers_is_told_so(tmp_path, monkeypatch):
    dying = (
        "import os\n"
        "from ctplatform.datasets.importing import discovery\n"
        "from ctplatform.datasets.importing.confined import reader\n"
        "discovery.read_ct = lambda *_: os.abort()\n"
        "reader.main()\n"
    )
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-I", "-c", dying))
    for number in range(7):
        write_file(tmp_path / f"in/case_{number}.nii", small_ct(small_grid(), number), small_grid())
    dataset = make_dataset()
    with pytest.raises(DomainError) as caught:
        import_path(tmp_path / "in", ImportOrder(dataset=dataset, created_by=dataset.owner))
    assert len(caught.value.details) == 7
    assert sum("the reader (SIG" in reason for reason in caught.value.details) == 4
    assert sum("4 other files stopped the reader" in reason for reason in caught.value.details) == 3


@pytest.mark.processes
def test_a_worker_that_is_killed_leaves_nothing(tmp_path):
    """Neither a file in the temporary folder nor a reader that goes on."""
    (tmp_path / "tmp").mkdir()
    write_series(tmp_path / "in", small_ct(small_grid()), small_grid())
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from ctplatform.datasets.importing.confined.process import Limits, Reader\n"
        "from ctplatform.datasets.importing.offering import files_of\n"
        f"with Reader(files_of(Path({str(tmp_path / 'in')!r})), Limits()) as reader:\n"
        "    candidates, _ = reader.discover()\n"
        "    reader.read(0, candidates[0])\n"
        "    print(reader._process.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )
    with worker.stdout as output:
        reader = int(output.readline())
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{reader}").exists() and _state(reader) != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{reader}").exists() or _state(reader) == "Z"
    assert list((tmp_path / "tmp").rglob("*")) == []


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.fixture
def asked(monkeypatch):
    """What the reader asked for: the paths of files, and scratch files and trays by their kind."""
    told, grant = Counter(), Reader._grant

    def told_of(reader, message, deadline):
        told[reader._offered[message["number"]].path if message["ask"] == "file" else message["ask"]] += 1
        grant(reader, message, deadline)

    monkeypatch.setattr(Reader, "_grant", told_of)
    return told


def test_a_slice_is_opened_once_and_its_voxels_are_written_where_the_worker_reads_them(tmp_path, asked):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    files = files_of(tmp_path / "in")
    with Reader(files, Limits()) as reader:
        (candidate,), _ = reader.discover()
        scan = reader.read(0, candidate)
    assert np.array_equal(scan.volume, small_ct(grid))
    assert asked == {**dict.fromkeys([file.path for file in files], 1), "tray": 1}


def test_axes_that_are_reordered_are_written_anew(tmp_path, asked):
    grid = small_grid()
    head_first = replace(grid, direction=(1, 0, 0, 0, 1, 0, 0, 0, -1))
    write_file(tmp_path / "case_1.nii", small_ct(grid), head_first)
    with Reader(files_of(tmp_path), Limits()) as reader:
        (candidate,), _ = reader.discover()
        scan = reader.read(0, candidate)
    assert np.array_equal(scan.volume, small_ct(grid)[::-1])
    assert asked["tray"] == 2


def test_more_files_than_may_be_held_are_read_all_the_same(tmp_path, asked, monkeypatch):
    two_held = (
        "from ctplatform.datasets.importing.confined import limits, reader\n"
        "limits.MAX_DESCRIPTORS = reader.DESCRIPTORS_IN_USE + 2\n"
        "reader.main()\n"
    )
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-I", "-c", two_held))
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    files = files_of(tmp_path / "in")
    with Reader(files, Limits()) as reader:
        (candidate,), _ = reader.discover()
        scan = reader.read(0, candidate)
    assert np.array_equal(scan.volume, small_ct(grid))
    assert sorted(asked[file.path] for file in files) == [1, 1, *[2] * (len(files) - 2)]


def test_a_scan_that_is_refused_leaves_nothing_in_the_next_ones_place(tmp_path, asked):
    grid = small_grid()
    write_file(tmp_path / "case_0.nii", np.full_like(small_ct(grid), 7), grid)
    for number in (1, 2):
        write_file(tmp_path / f"case_{number}.nii", small_ct(grid, number), grid)
    with Reader(files_of(tmp_path), Limits()) as reader:
        candidates, _ = reader.discover()
        with pytest.raises(ImportRefusedError, match="not Hounsfield units"):
            reader.read(0, candidates[0])
        for number in (1, 2):
            assert np.array_equal(reader.read(number, candidates[number]).volume, small_ct(grid, number))
    assert asked["tray"] == 3


def test_offered_files_keep_their_bytes(tmp_path):
    content = np.random.default_rng(0).bytes(3000)
    (tmp_path / "a.bin").write_bytes(content)
    opened = opener(tmp_path, tmp_path / "a.bin")()
    assert os.pread(opened.descriptor, 4000, opened.start) == content
    os.close(opened.descriptor)
