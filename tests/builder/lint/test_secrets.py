"""What looks like a secret is found wherever it stands in a file, and named by its issuer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.lint.secrets import secrets_in

SAMPLES = [
    (b"AKIA" + b"Q2W3" * 4, "an AWS access key"),
    (b"ASIA" + b"Q2W3" * 4, "an AWS access key"),
    (b"-----BEGIN PRIVATE KEY-----", "a private key"),
    (b"-----BEGIN EC PRIVATE KEY-----", "a private key"),
    *((b"gh%c_" % letter + b"a1b2" * 9, "a GitHub token") for letter in b"pousr"),
    (b"github_pat_" + b"a1_b2" * 12, "a GitHub token"),
    (b"glpat-" + b"a-1_b" * 4, "a GitLab token"),
    *((b"xox%c-" % letter + b"a-1b2" * 4, "a Slack token") for letter in b"abprs"),
    (b"AIza" + b"a-1_b" * 7, "a Google API key"),
    (b"sk_live_" + b"a1b2" * 5, "a Stripe key"),
    (b"rk_live_" + b"a1b2" * 5, "a Stripe key"),
    (b"npm_" + b"a1b2" * 9, "an npm token"),
    (b"pypi-AgEI" + b"a-1_b" * 10, "a token of the Python package index"),
]
AROUND = st.binary(max_size=200).map(lambda data: data.replace(b"-----BEGIN", b""))


@pytest.mark.parametrize(("secret", "what"), SAMPLES)
@settings(max_examples=10)
@given(before=AROUND, behind=AROUND)
def test_each_kind_is_found_wherever_it_stands(secret, what, before, behind):
    """Whatever bytes are around it."""
    assert f"it seems to hold {what}" in list(secrets_in("notes.txt", before + b" " + secret + b" " + behind))


@given(st.text(alphabet="abcdefghij \n-_=", max_size=500))
def test_prose_holds_none(text):
    """Letters and dashes alone are no key."""
    assert list(secrets_in("notes.txt", text.encode())) == []
