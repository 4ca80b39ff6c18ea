"""Whether a push would be let in is known before there is an image, and asking leaves nothing behind."""

import os

import pytest

from builder.oci import AccessError, NotFoundError, Reference
from builder.oci.distribution import Access, check_push
from tests.builder.oci.distribution.conftest import QUICK
from tests.builder.oci.distribution.fake_registry import kind_of


def ask(name, environment=None):
    access = Access(environment or {}, frozenset({name.partition("/")[0]}), QUICK)
    check_push(Reference.parse(name), access=access)


def test_a_new_name_is_tried_with_an_upload_that_is_taken_back(registry):
    """A real registry forgets it: no tag and no blob comes of it."""
    name = f"{registry.host}/permission/{os.getpid()}:1"
    with registry.counted() as requests:
        ask(name)
    assert [(method, status) for method, _, status in requests] == [("HEAD", 404), ("POST", 202), ("DELETE", 204)]


def test_a_name_that_was_pushed_to_is_only_looked_up(fake, image):
    fake.hold(image, "1")
    ask(f"{fake.host}/a:1")
    assert fake.methods() == ["HEAD"]


def test_without_the_right_login_it_is_refused(secured, logged_in):
    """In both of the usual ways: no login, and a wrong one."""
    running, _ = secured
    name = f"{running.host}/permission/hello:1"
    with pytest.raises(AccessError, match="docker login"):
        ask(name)
    with pytest.raises(AccessError, match="as 'ada'"):
        ask(name, logged_in(running.host, username="ada", password="wrong"))


def test_reading_for_everybody_is_not_writing(fake, image):
    """A token for nobody reads a public repository; only the upload tells that it does not write."""
    fake.hold(image, "1")

    def wants_token(handler):
        if "authorization" in handler.headers:
            return False
        return handler.answer(401, WWW_Authenticate=f'Bearer realm="http://{fake.host}/token"')

    fake.faults["HEAD", "manifest"] = wants_token
    fake.faults["GET", kind_of("/token")[0]] = lambda handler: handler.answer(200, b'{"token": "for-nobody"}')
    fake.faults["POST", "uploads"] = lambda handler: handler.answer(403)
    with pytest.raises(AccessError, match="without credentials"):
        ask(f"{fake.host}/a:1")


def test_a_repository_that_must_be_made_first_is_told(fake):
    """As on Amazon's registry."""
    fake.faults["POST", "uploads"] = lambda handler: handler.answer(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}')
    with pytest.raises(NotFoundError, match="NAME_UNKNOWN"):
        ask(f"{fake.host}/absent:1")
