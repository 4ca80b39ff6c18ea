"""Runs a command in an image's root as a container would: read-only, some uid, no privileges. A program of its own.

    python -I -S sandbox.py METHOD ROOT LOWERS TEMPORARY FOLDER -- COMMAND…

METHOD `namespace`: ROOT is an empty folder; the folders in LOWERS (joined by ':', uppermost first) are mounted there as
a read-only overlay inside a mount namespace of this process (and a user namespace, unless it is root), with /proc, a
/dev of harmless devices and an empty /tmp, or as /tmp the folder TEMPORARY, which several commands may share. METHOD
`chroot`: ROOT is a complete tree; needs root. FOLDER is where the command starts. The command replaces this process, so
signals, exit codes and memory are its own; it is killed when its parent dies. Standard library only; imports nothing
from the builder.
Exit codes, as of `docker run`: 125 when the sandbox itself cannot be made, 127 when the command cannot be started.
"""

import ctypes
import os
import signal
import sys

UID = 12345  # any uid must do, so it is nobody's
CANNOT = 125
NOT_STARTED = 127

# <linux/mount.h>, <linux/sched.h> and <linux/prctl.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 1 << 12, 1 << 14, 1 << 18
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38

DEVICES = ("null", "zero", "full", "random", "urandom")
NETWORK_FILES = ("etc/hosts", "etc/resolv.conf")  # a container gets these from its host

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, doing: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{doing}: {os.strerror(code)}")


def _mount(source: str, target: str, kind: str = "", *, flags: int = 0, options: str = "") -> None:
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _check(result, f"mounting {target}")


def enter_namespace(root: str, lowers: str, temporary: str) -> None:
    """Make `root` the overlay of the folders, with what a container finds besides, visible to this process only."""
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER), "unsharing namespaces")
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{UID} {uid} 1"), ("gid_map", f"{UID} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs more than this
                file.write(text)
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    _mount("overlay", root, "overlay", flags=MS_RDONLY | MS_NOSUID | MS_NODEV, options=f"lowerdir={lowers}")
    own = f"{root}/tmp"  # noqa: S108 - the sandbox's
    if temporary:
        _mount(temporary, own, flags=MS_BIND)
    else:
        _mount("tmpfs", own, "tmpfs", flags=MS_NOSUID | MS_NODEV, options="mode=1777")
    _mount("/proc", f"{root}/proc", flags=MS_BIND | MS_REC)
    for device in DEVICES:
        _mount(f"/dev/{device}", f"{root}/dev/{device}", flags=MS_BIND)
    for name in NETWORK_FILES:
        if os.path.exists(f"/{name}"):  # noqa: PTH110 - pathlib costs more than this program
            _mount(f"/{name}", f"{root}/{name}", flags=MS_BIND)


def drop_privileges() -> None:
    """Become an unprivileged user for good, who does not outlive the builder."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "giving up privileges")
    # After the change of user, which would clear it.
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "binding to the builder")


def main(arguments: list[str]) -> int:
    """Enter the sandbox and become the command; returns only when that fails."""
    method, root, lowers, temporary, folder, _, *command = arguments
    try:
        if method == "namespace":
            enter_namespace(root, lowers, temporary)
        os.chroot(root)
        os.chdir(folder)
        drop_privileges()
    except OSError as error:
        sys.stderr.write(f"making the sandbox ({method}): {error}\n")
        return CANNOT
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell: the command line is the image's own
    except OSError as error:
        sys.stderr.write(f"starting {command[0]!r} in the image: {error.strerror}\n")
    return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
