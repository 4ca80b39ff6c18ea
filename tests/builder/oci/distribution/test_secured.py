"""Registries with TLS, passwords and tokens, all of them real, let in who may come in, and tell nobody a secret."""

import json
import stat
import uuid
from pathlib import Path

import pytest

from builder.oci import AccessError, Reference, RegistryError
from builder.oci.distribution.credentials import Credentials
from tests.builder.oci.distribution.token_server import PASSWORD, REFRESH, USER


@pytest.fixture
def name():
    return f"secured/{uuid.uuid4().hex[:12]}:1"


def test_tls_and_a_password(image, secured, name, pusher, puller, logged_in, monkeypatch):
    """With the authority in SSL_CERT_FILE and the user's login an image goes in and comes out."""
    running, certificate = secured
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    environment = logged_in(running.host)
    with running.counted() as requests:
        pusher(image, f"{running.host}/{name}", environment=environment, insecure=())
        pulled = puller(f"{running.host}/{name}", environment=environment, insecure=())
    assert pulled.image.digest == image.digest
    assert [status for _, _, status in requests].count(401) == 2  # once each: what was asked for is then sent at once


def test_an_authority_that_nobody_named_is_not_trusted(secured, name, puller):
    running, _ = secured
    with pytest.raises(
        RegistryError, match=r"its certificate is not trusted \(self-signed certificate\); name your own"
    ):
        puller(f"{running.host}/{name}", insecure=())


def test_unverified_tls_is_for_the_host_named(image, secured, name, pusher, puller, logged_in):
    """A host that was named insecure is talked to with TLS all the same."""
    running, _ = secured
    environment = logged_in(running.host)
    pusher(image, f"{running.host}/{name}", environment=environment)
    assert puller(f"{running.host}/{name}", environment=environment).image.digest == image.digest
    with pytest.raises(RegistryError, match="certificate is not trusted"):
        puller(f"{running.host}/{name}", environment=environment, insecure={"127.0.0.1:1", "localhost"})


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_certificate_file_is_named(secured, name, puller, monkeypatch, tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(RegistryError, match=r"reading the certificates in .*ca.pem.*; correct SSL_CERT_FILE"):
        puller(f"{secured[0].host}/{name}", insecure=())


def test_without_a_login_the_command_to_log_in_is_named(secured, name, puller):
    running, _ = secured
    with pytest.raises(AccessError, match=f"wants a user and a password.*docker login {running.host}"):
        puller(f"{running.host}/{name}")


def test_a_wrong_password_is_said_without_the_password(secured, name, puller, logged_in):
    running, _ = secured
    environment = logged_in(running.host, username=USER, password="wrong-secret")
    with pytest.raises(AccessError, match=r"as 'ada', from the file .*config.json': HTTP 401.*; log in") as caught:
        puller(f"{running.host}/{name}", environment=environment)
    assert "wrong-secret" not in repr(caught.value)


def test_a_token_for_a_password(image, with_tokens, name, pusher, puller, logged_in):
    """The service is asked with the login; what it gives opens the registry, for the scopes that are needed."""
    running, service = with_tokens
    service.asked.clear()
    pusher(image, f"{running.host}/{name}", environment=logged_in(running.host))
    (asked,) = service.asked
    path = name.partition(":")[0]
    assert asked[0] == "GET"
    assert ("scope", f"repository:{path}:pull,push") in asked[1]
    assert ("account", USER) in asked[1]
    assert puller(f"{running.host}/{name}").image.digest == image.digest  # the anonymous may pull
    assert service.asked[-1][2] == ""


def test_an_unchanged_image_is_three_requests_with_a_token(image, with_tokens, name, pusher, logged_in):
    """Refused, given a token, and told that nothing is new; the service's one is among at most five."""
    running, service = with_tokens
    environment = logged_in(running.host)
    pusher(image, f"{running.host}/{name}", environment=environment)
    service.asked.clear()
    with running.counted() as requests:
        pusher(image, f"{running.host}/{name}", environment=environment)
    assert [status for _, _, status in requests] == [401, 200]
    assert len(service.asked) == 1


def test_a_token_for_an_identity_token(image, with_tokens, name, pusher, logged_in):
    """OAuth 2: the identity token is posted, and never in a URL."""
    running, service = with_tokens
    service.asked.clear()
    environment = logged_in(running.host, identitytoken=REFRESH, auth="")
    pusher(image, f"{running.host}/{name}", environment=environment)
    ((method, pairs, authorization),) = service.asked
    assert (method, authorization) == ("POST", "")
    assert dict(pairs) == {
        "grant_type": "refresh_token",
        "service": "registry for tests",
        "client_id": "firkin",
        "scope": f"repository:{name.partition(':')[0]}:pull,push",
        "refresh_token": REFRESH,
    }


def test_a_registry_token_is_sent_as_it_is(image, with_tokens, name, pusher, puller, logged_in):
    """`registrytoken` of Docker's file is for the registry itself."""
    running, service = with_tokens
    pusher(image, f"{running.host}/{name}", environment=logged_in(running.host))
    token = service.token([f"repository:{name.partition(':')[0]}:pull"], can_push=False)
    service.asked.clear()
    environment = logged_in(running.host, registrytoken=token)
    assert puller(f"{running.host}/{name}", environment=environment).image.digest == image.digest
    assert service.asked == []
    with pytest.raises(AccessError, match=r"with the token from the file .*: HTTP 401"):
        puller(f"{running.host}/{name}", environment=logged_in(running.host, registrytoken="x"))


def test_the_anonymous_may_not_push(image, with_tokens, name, pusher):
    running, _ = with_tokens
    with pytest.raises(AccessError, match=r"without credentials: HTTP 401.*log in, or ask for access"):
        pusher(image, f"{running.host}/{name}")


def test_a_refusal_of_the_token_service_hides_the_password(with_tokens, name, puller, logged_in):
    """The service repeats what it got; the message does not."""
    running, _ = with_tokens
    environment = logged_in(running.host, username=USER, password="wrong-secret")
    with pytest.raises(AccessError, match=r"asking http://127.0.0.1:.*/token for a token of .*log in again") as caught:
        puller(f"{running.host}/{name}", environment=environment)
    shown = repr(caught.value) + str(caught.value)
    assert "wrong-secret" not in shown
    assert Credentials(USER, "wrong-secret").basic.partition(" ")[2] not in shown


def test_mounts_ask_for_both_repositories(image, with_tokens, name, pusher, logged_in):
    """A layer is mounted with one token for two repositories."""
    running, service = with_tokens
    environment = logged_in(running.host)
    pusher(image, f"{running.host}/{name}", environment=environment)
    service.asked.clear()
    base = Reference.parse(f"{running.host}/{name}")
    pushed = pusher(image, f"{running.host}/b/{name}", environment=environment, mount_from=[base])
    assert pushed.mounted == 3
    scopes = [value for key, value in service.asked[0][1] if key == "scope"]
    assert scopes == [f"repository:b/{base.path}:pull,push", f"repository:{base.path}:pull"]


@pytest.mark.parametrize("is_for_all", [False, True])
def test_a_helper_is_asked(image, secured, name, pusher, tmp_path, is_for_all):
    """A program on PATH gets the host on standard input; its answer opens the registry."""
    running, _ = secured
    program = tmp_path / "bin" / "docker-credential-tests"
    program.parent.mkdir()
    answer = json.dumps({"ServerURL": running.host, "Username": USER, "Secret": PASSWORD})
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/asked\necho $1 >> {tmp_path}/asked\ncat <<'END'\n{answer}\nEND\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    config = {"credsStore": "tests"} if is_for_all else {"credHelpers": {running.host: "tests"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    environment = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{program.parent}:/usr/bin:/bin"}
    pusher(image, f"{running.host}/{name}", environment=environment)
    assert Path(tmp_path / "asked").read_text() == f"{running.host}get\n"
