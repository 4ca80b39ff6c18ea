"""Whether a push would be let in, asked before there is anything to push. Sends no content, changes no tag.

A name that was pushed to before is only looked up, as one who is logged in; else an upload is begun and taken back,
as go-containerregistry does: a registry that lets everybody read would say no only at the end of the build.
"""

from contextlib import suppress
from typing import Final

from builder.oci.distribution.hosts import upload_url
from builder.oci.distribution.session import Session
from builder.oci.errors import RegistryError
from builder.oci.manifest import ACCEPTED

_OK: Final = 200
_ACCEPTED: Final = frozenset({202, 204})


async def check_writable(session: Session) -> None:
    """Ask whether the session's repository takes uploads; raises RegistryError where it does not answer or refuses."""
    tag = f"{session.base}/manifests/{session.reference.tag}"
    answer = await session.call("HEAD", tag, headers={"Accept": ACCEPTED})
    if answer.status == _OK and not session.is_anonymous():
        return
    answer = await session.call("POST", f"{session.base}/blobs/uploads/", data=b"")
    if answer.status not in _ACCEPTED:
        session.refuse(answer, f"asking {session.reference.domain} whether it takes {session.reference.path}")
    location = answer.header("location")
    if location:
        with suppress(RegistryError):  # an upload that is left lying is forgotten by the registry in time
            await session.call("DELETE", upload_url(answer.url, location))
