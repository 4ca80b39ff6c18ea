"""Proving a deployment package: unpacked at /var/task, read-only, and started as Lambda's `provided` runtimes do.

The root besides has nothing but this machine's shell and what that needs: less than Amazon Linux has, so what runs here
needs nothing of the system but a shell.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from builder.cache import Cache, key_of
from builder.elf import Tree, closure, read_elf, search_path
from builder.oci import unpack_zip
from builder.plan import TASK
from builder.project import Event
from builder.prove.foreign import NATIVE, runner_of
from builder.prove.proof import Proof, prove_program
from builder.prove.rootfs import Contents, Runnable, best_method, runnable_contents
from builder.prove.runs import Watch
from builder.prove.unpacked import FOLDER_MODE

# What Lambda's provided runtimes set. Source: "Defined runtime environment variables".
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
    "LAMBDA_TASK_ROOT": f"/{TASK}",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LD_LIBRARY_PATH": f"/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/{TASK}:/{TASK}/lib:/opt/lib",
}
SHELL = "/bin/sh"
IN_PLACE = "in place"


def prove_package(
    package: Path, events: Sequence[Event], cache: Cache, *,
    handler: str, architecture: str, watch: Watch = lambda *_: None,
) -> Proof | None:  # fmt: skip
    """Run the package with the events; None where this machine has no sandbox or no shell to do it in.

    Raises what `prove` raises.
    """
    method, runner = best_method(cache), runner_of(architecture)
    if method == IN_PLACE or runner is None or not Path(SHELL).exists():
        return None

    @contextmanager
    def prepare() -> Iterator[Runnable]:
        with cache.scratch() as scratch:
            folder = scratch / "package" / TASK
            folder.mkdir(parents=True)
            unpack_zip(package, folder)
            for above in (scratch, scratch / "package", *(scratch / "package").rglob("*")):
                if above.is_dir():
                    above.chmod(FOLDER_MODE)
            layers = (_shell_root(scratch / "system"), scratch / "package")
            contents = Contents(layers, (f"/{TASK}/bootstrap",), {**_ENVIRONMENT, "_HANDLER": handler}, f"/{TASK}")
            with runnable_contents(contents, cache, method=method) as program:
                yield program

    stat = package.stat()
    name = key_of("package", str(package), stat.st_size, stat.st_mtime_ns)
    by = "" if runner == NATIVE else runner
    return prove_program(prepare, events, cache, name=name, method=method, by=by, watch=watch)


def _shell_root(root: Path) -> Path:
    """A root with a shell and nothing else."""
    tree = Tree(Path("/"))
    shell = tree.maybe_file(SHELL)
    elf = read_elf(shell) if shell else None
    libraries = closure([], search=search_path(elf), main=SHELL).libraries if elf else ()
    for path, file in ((SHELL, shell), *((library.path, library.file) for library in libraries)):
        if file is not None:
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            place.chmod(FOLDER_MODE)
    (root / "tmp").mkdir()
    for above in (root, *root.rglob("*")):
        if above.is_dir():
            above.chmod(FOLDER_MODE)
    return root
