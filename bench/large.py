"""A function with hundreds of megabytes of dependencies, and the memory that a command and its children take."""

import subprocess
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

MEGABYTE = 1_000_000
WHEELS = 10
SAMPLE_S = 0.005


def write_large_function(folder: Path, size_mb: int) -> Path:
    """A function that imports ten wheels, which have `size_mb` of data together: all of it is in the image."""
    function = folder / "large"
    (function / "events").mkdir(parents=True)
    (function / "events" / "one.json").write_text("{}")
    imports = "".join(f"import large{number}\n" for number in range(WHEELS))
    (function / "app.py").write_text(f"{imports}\n\ndef handler(event, context):\n    return large0.NUMBER\n")
    wheels = [_write_wheel(folder, f"large{number}", size_mb * MEGABYTE // WHEELS) for number in range(WHEELS)]
    (function / "requirements.txt").write_text("".join(f"{wheel}\n" for wheel in wheels))
    return function


def _write_wheel(folder: Path, name: str, size: int) -> Path:
    """One wheel: a module, a large file, and many of the usual size."""
    wheel = folder / f"{name}-1-py3-none-any.whl"
    block = bytes(range(256)) * 4096  # compresses well: this is about memory, not about zlib
    about = f"{name}-1.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(f"{name}/__init__.py", "NUMBER = 1\n")
        with archive.open(f"{name}/large.bin", "w") as large:
            for _ in range(size // 2 // len(block)):
                large.write(block)
        for number in range(size // 2 // len(block)):
            archive.writestr(f"{name}/data/{number}.bin", block)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return wheel


def peak_bytes(command: Sequence[str], *, environment: dict[str, str], folder: Path) -> int:
    """Run a command; the most memory that it and its children had resident at a time, looked at every few ms."""
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        said: list[str] = []
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: said.append(process.stderr.read() if process.stderr else ""))
        reader.start()
        most = 0
        while process.poll() is None:
            most = max(most, _resident(process.pid))
            time.sleep(SAMPLE_S)
        reader.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said[0][-4000:]}")
    return most


def _resident(pid: int) -> int:
    """Bytes that a process and its children have resident now, each page's share; what is gone counts nothing."""
    place = Path("/proc", str(pid))
    try:
        lines = (place / "smaps_rollup").read_text().splitlines()
        children = [child for task in place.glob("task/*/children") for child in task.read_text().split()]
    except OSError:
        return 0
    own = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return own + sum(_resident(int(child)) for child in children)
