"""One small image whose function does what its event says: look around, fail, hang, die, flood."""

from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cache import Cache
from builder.oci import Image
from builder.outputs import open_image
from builder.prove import best_method
from tests.conftest import elsewhere

DOES = """\
import os, socket, subprocess, sys, time


def handler(event, context):
    match event["do"]:
        case "look":
            return look(event.get("host", ""))
        case "raise":
            print("before it fails")
            raise ValueError("as asked")
        case "hang":
            print("before it hangs", flush=True)
            time.sleep(1000)
        case "exit":
            print("before it ends", flush=True)
            os._exit(3)
        case "flood":
            for _ in range(200):
                print("x" * 9999)
            print("the last line", flush=True)
            raise ValueError("after the flood")
        case "child":
            if not os.fork():
                time.sleep(1000)
            return "left one behind"
        case "leave":
            with open(event["file"], "w") as file:
                file.write("left")
            return "left"
    return event


def writable(path):
    try:
        with open(path, "w") as file:
            file.write("x")
        os.unlink(path)
        return True
    except OSError:
        return False


def changes_user():
    try:
        os.setuid(0)
        return True
    except OSError:
        return False


def look(host):
    try:
        with open("/proc/self/status") as file:
            status = dict(line.rstrip("\\n").split(":\\t", 1) for line in file if ":\\t" in line)
    except FileNotFoundError:
        status = None
    subprocess.run([sys.executable, "-S", "-c", ""], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": [group for group in os.getgroups() if group != 65534],
        "capabilities": status and [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")],
        "no_new_privileges": status and status["NoNewPrivs"],
        "changes_user": changes_user(),
        "localhost": socket.gethostbyname("localhost"),
        "cwd": os.getcwd(),
        "top": sorted(os.listdir("/")),
        "sees_host_file": os.path.exists(host),
        "writes": {path: writable(path) for path in ("/x", "/tmp/x", "/var/task/x", "/dev/x", "/etc/x")},
        "devices": sorted(os.listdir("/dev")),
        "environment": sorted(os.environ),
        "python": sys.executable,
        "modules_from": sorted({path for path in sys.path if path}),
    }
"""


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path, run_image: Callable) -> Path:
    # Whole: extensions of the tests use the image's Python, too.
    return run_image(tmp_path_factory.mktemp("does"), DOES, warm_cache, "--trim", "safe")


@pytest.fixture(scope="session")
def image(image_folder: Path) -> Image:
    return open_image(f"oci:{image_folder}")


@pytest.fixture(scope="session")
def cache(warm_cache: Path) -> Cache:
    return Cache(warm_cache, lambda text: pytest.fail(f"the cache complained: {text}"))


@pytest.fixture(autouse=True)
def _possible(request: pytest.FixtureRequest, cache: Cache) -> None:
    """Chroot needs root; a namespace needs a kernel that lets this user make one."""
    method = request.node.callspec.params.get("method") if hasattr(request.node, "callspec") else None
    if method == "chroot":
        request.getfixturevalue("root")
    if method == "namespace" and best_method(cache) != "namespace":
        elsewhere("it forbids namespaces")
