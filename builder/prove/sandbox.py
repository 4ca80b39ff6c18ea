"""Runs a command in an image's root as a container would: read-only, some uid, no privileges. A program of its own.

    python -I -S sandbox.py METHOD ROOT LOWERS -- COMMAND…

METHOD `namespace`: ROOT is an empty folder; the folders in LOWERS (joined by ':', uppermost first) are mounted there as a
read-only overlay inside a mount namespace of this process (and a user namespace, unless it is root), with /proc, a /dev
of harmless devices and an empty /tmp. METHOD `chroot`: ROOT is a complete tree; needs root. The command replaces this
process, so signals, exit codes and memory are its own. Standard library only; imports nothing from the builder.
Exit code 125, as of `docker run`, when the sandbox itself cannot be made.
"""

import ctypes
import os
import sys

UID = 12345  # any uid must do, so it is nobody's
WORKING_FOLDER = "/var/task"
CANNOT = 125

# <linux/mount.h> and <linux/sched.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 1 << 12, 1 << 14, 1 << 18
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
PR_SET_NO_NEW_PRIVS = 38

DEVICES = ("null", "zero", "full", "random", "urandom")
NETWORK_FILES = ("etc/hosts", "etc/resolv.conf")  # a container gets these from its host

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, doing: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{doing}: {os.strerror(code)}")


def _mount(source: str, target: str, kind: str = "", *, flags: int = 0, options: str = "") -> None:
    _check(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            options.encode() or None,
        ),
        f"mounting {target}",
    )


def enter_namespace(root: str, lowers: str) -> None:
    """Make `root` the overlay of the folders, with what a container finds besides, visible to this process only."""
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER), "unsharing namespaces")
    if uid:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{UID} {uid} 1"),
            ("gid_map", f"{UID} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs more than this program
                file.write(text)
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    _mount("overlay", root, "overlay", flags=MS_RDONLY | MS_NOSUID | MS_NODEV, options=f"lowerdir={lowers}")
    _mount("tmpfs", f"{root}/tmp", "tmpfs", flags=MS_NOSUID | MS_NODEV, options="mode=1777")
    _mount("/proc", f"{root}/proc", flags=MS_BIND | MS_REC)
    for device in DEVICES:
        _mount(f"/dev/{device}", f"{root}/dev/{device}", flags=MS_BIND)
    for name in NETWORK_FILES:
        if os.path.exists(f"/{name}"):  # noqa: PTH110 - same
            _mount(f"/{name}", f"{root}/{name}", flags=MS_BIND)


def drop_privileges() -> None:
    """Become an unprivileged user for good."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "giving up privileges")


def main(arguments: list[str]) -> int:
    """Enter the sandbox and become the command."""
    method, root, lowers, _, *command = arguments
    try:
        if method == "namespace":
            enter_namespace(root, lowers)
        os.chroot(root)
        os.chdir(WORKING_FOLDER)
        drop_privileges()
    except OSError as error:
        print(f"making the sandbox ({method}): {error}", file=sys.stderr)  # noqa: T201 - a program of its own
        return CANNOT
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
