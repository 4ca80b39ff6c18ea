"""What can be said of an image to those who were not there: what is in it (SBOM) and how it was made (provenance).

Both are made out of the Plan and the result of a build, hold no time and no path of this machine, and are therefore
the same for the same image. They stand beside an image, in a file or as OCI referrers, never in an index with it.
"""

from builder.attest.attest import Attested, attest
from builder.attest.provenance import PROVENANCE_TYPE
from builder.attest.sbom import SBOM_TYPE

__all__ = ["PROVENANCE_TYPE", "SBOM_TYPE", "Attested", "attest"]
