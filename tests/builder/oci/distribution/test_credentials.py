"""Credentials are found where people's tools leave them, go to whom they are for, and are shown to nobody."""

import base64
import contextlib
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.oci import AccessError
from builder.oci.distribution import Credentials, Keyring


def auth(user, password):
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def keyring(tmp_path):
    """Return `keyring(files, **environment)`: files below a home folder, given as values."""

    def make(files, *, seconds=5.0, **environment):
        for path, value in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(value if isinstance(value, str) else json.dumps(value))
        values = {name: value.format(home=tmp_path) for name, value in environment.items()}
        return Keyring({"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin", **values}, seconds)

    return make


@pytest.fixture
def helper(tmp_path):
    """Return `helper(name, script)`, which puts a credential helper on PATH."""

    def make(name, script):
        program = tmp_path / "bin" / f"docker-credential-{name}"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return make


def who(found):
    return found and (found.username, found.password)


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("http://localhost:5000/", "localhost:5000"),
        ("https://registry.example/v2/", "registry.example"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
    ],
)
def test_the_names_that_tools_give_to_a_registry(keyring, key, domain):
    """`docker login` writes URLs and `podman login` names; both are found."""
    ring = keyring({".docker/config.json": {"auths": {key: auth("ada", "secret")}}})
    assert who(ring.find(domain, "team/demo")) == ("ada", "secret")
    assert ring.find("elsewhere.example", "team/demo") is None


FILES = {
    "named.json": {"auths": {"r": auth("named", "1")}},
    "run/containers/auth.json": {"auths": {"r": auth("runtime", "1")}},
    "config/containers/auth.json": {"auths": {"r": auth("xdg", "1")}},
    ".config/containers/auth.json": {"auths": {"r": auth("config", "1")}},
    "docker/config.json": {"auths": {"r": auth("docker-config", "1")}},
    ".docker/config.json": {"auths": {"r": auth("docker", "1")}},
}
VARIABLES = {
    "REGISTRY_AUTH_FILE": "{home}/named.json",
    "XDG_RUNTIME_DIR": "{home}/run",
    "XDG_CONFIG_HOME": "{home}/config",
    "DOCKER_CONFIG": "{home}/docker",
}


@pytest.mark.parametrize(
    ("variables", "gone", "expected"),
    [
        (VARIABLES.keys(), [], "named"),
        (VARIABLES.keys() - {"REGISTRY_AUTH_FILE"}, [], "runtime"),
        ({"XDG_CONFIG_HOME", "DOCKER_CONFIG"}, [], "xdg"),
        ({"DOCKER_CONFIG"}, [], "config"),
        ({"DOCKER_CONFIG"}, [".config/containers/auth.json"], "docker-config"),
        (set(), [".config/containers/auth.json"], "docker"),
    ],
)
def test_files_are_looked_at_in_order(keyring, tmp_path, variables, gone, expected):
    """The order is the one that podman and Docker document, and the first file with an entry decides."""
    ring = keyring(FILES, **{name: VARIABLES[name] for name in variables})
    for path in gone:
        (tmp_path / path).unlink()
    assert ring.find("r", "a").username == expected


def test_the_longest_path_decides(keyring):
    """Podman has logins for a namespace or a repository."""
    entries = {"r": auth("host", "1"), "r/team": auth("team", "2"), "r/team/demo": auth("demo", "3")}
    ring = keyring({".docker/config.json": {"auths": entries}})
    assert [ring.find("r", path).username for path in ("team/demo", "team/x", "teams/demo")] == ["demo", "team", "host"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"username": "ada", "password": "secret"}, Credentials("ada", "secret")),
        ({"identitytoken": "t"}, Credentials(identity_token="t")),
        ({"registrytoken": "t"}, Credentials(registry_token="t")),
        (auth("ada", "a:b:c"), Credentials("ada", "a:b:c")),
        (auth("ada", "ä€"), Credentials("ada", "ä€")),
        (auth("ada", "secret\0\0"), Credentials("ada", "secret")),
        ({}, None),
        ({"auth": ""}, None),
    ],
)
def test_the_forms_of_an_entry(keyring, entry, expected):
    found = keyring({".docker/config.json": {"auths": {"r": entry}}}).find("r", "a")
    assert (found and (found.username, found.password, found.identity_token, found.registry_token)) == (
        expected and (expected.username, expected.password, expected.identity_token, expected.registry_token)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("secret{", "it is no JSON object of a usual size"),
        ("[]", "it is no JSON object of a usual size"),
        ("[" * 100_000, "it is no JSON object of a usual size"),
        ({"auths": ["secret"]}, "a value is not of the type it should be"),
        ({"auths": {"r": "secret"}}, "a value is not of the type it should be"),
        ({"auths": {"r": {"auth": 5}}}, "a value is not of the type it should be"),
        ({"auths": {"r": {"auth": "secret!"}}}, "an 'auth' is not base64 of 'user:password'; log in again"),
        ({"auths": {"r": {"auth": base64.b64encode(b"secret").decode()}}}, "an 'auth' is not base64 of"),
        ({"credHelpers": {"r": 7}}, "a value is not of the type it should be"),
    ],
)
def test_a_broken_file_is_named_and_not_shown(keyring, content, message):
    """The message says which file, and nothing of what is in it."""
    with pytest.raises(AccessError, match=f"reading credentials from .*config.json.*{message}") as caught:
        keyring({".docker/config.json": content}).find("r", "a")
    assert "secret" not in str(caught.value)


def test_a_missing_file_is_an_error_only_where_it_was_named(keyring):
    assert keyring({}).find("r", "a") is None
    with pytest.raises(AccessError, match="it is not there, but REGISTRY_AUTH_FILE names it"):
        keyring({}, REGISTRY_AUTH_FILE="{home}/none.json").find("r", "a")


def test_a_file_that_is_none_does_not_hang(keyring, tmp_path):
    (tmp_path / ".docker").mkdir()
    os.mkfifo(tmp_path / ".docker" / "config.json")
    with pytest.raises(AccessError, match="no regular file"):
        keyring({}).find("r", "a")


def test_no_secret_is_in_a_repr(keyring):
    found = Credentials("ada", "secret-1", "secret-2", "secret-3", "the file")
    assert "secret" not in repr(found)
    assert set(found.secrets) >= {"secret-1", "secret-2", "secret-3"}


GOOD = """cat >/dev/null; echo '{"Username": "helper", "Secret": "s"}'"""


def test_a_helper_comes_before_what_is_written_down(keyring, helper):
    """`credHelpers` for the host, `credsStore` for all, then `auths`."""
    helper("one", GOOD.replace("helper", "one"))
    helper("all", GOOD.replace("helper", "all"))
    config = {"credHelpers": {"r": "one"}, "credsStore": "all", "auths": {"r": auth("file", "1")}}
    ring = keyring({".docker/config.json": config})
    assert ring.find("r", "a").username == "one"
    assert ring.find("q", "a").username == "all"


@pytest.mark.parametrize(
    ("domain", "server"), [("docker.io", "https://index.docker.io/v1/"), ("ghcr.io", "ghcr.io"), ("h:5", "h:5")]
)
def test_a_helper_is_told_the_name_that_docker_uses(keyring, helper, tmp_path, domain, server):
    helper("x", f'cat > {tmp_path}/asked; echo \'{{"Username": "u", "Secret": "s"}}\'')
    keyring({".docker/config.json": {"credsStore": "x"}}).find(domain, "a")
    assert (tmp_path / "asked").read_text() == server


def test_a_helper_may_give_an_identity_token(keyring, helper):
    helper("x", GOOD.replace("helper", "<token>"))
    found = keyring({".docker/config.json": {"credsStore": "x"}}).find("r", "a")
    assert (found.username, found.identity_token) == ("", "s")


def test_a_helper_without_an_entry_leaves_it_to_the_file(keyring, helper):
    helper("x", "echo credentials not found in native keychain; exit 1")
    ring = keyring({".docker/config.json": {"credsStore": "x", "auths": {"r": auth("file", "1")}}})
    assert ring.find("r", "a").username == "file"
    assert ring.find("q", "a") is None


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo locked; echo more; exit 3", "it ended with 3 and said 'locked'; run it by hand"),
        ('echo \'{"Secret": "s3cret"}\'; exit 1', "it ended with 1 and said 'JSON'"),
        ("echo s3cret", "its answer is not JSON with Username and Secret"),
        ("""echo '{"Username": "s3cret"}'""", "its answer is not JSON with Username and Secret"),
        ("head -c 9000 /dev/zero", "its answer is not JSON with Username and Secret"),
        ("exec cat /dev/zero", "it prints without end; run it by hand to see why"),
    ],
)
def test_a_helper_that_fails_is_named(keyring, helper, script, message):
    """What it was asked and how it failed, and never what it may have given away."""
    helper("x", script)
    with pytest.raises(
        AccessError, match=f"asking .*docker-credential-x' for the credentials of 'r': {message}"
    ) as caught:
        keyring({".docker/config.json": {"credsStore": "x"}}).find("r", "a")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["missing", "../../bin/sh", "x/y", ""])
def test_a_helper_that_is_not_there_is_named(keyring, name):
    ring = keyring({".docker/config.json": {"credHelpers": {"r": name}}})
    if not name:
        assert ring.find("r", "a") is None
        return
    with pytest.raises(AccessError, match="there is no such program on PATH; install it, or take it out"):
        ring.find("r", "a")


def test_a_helper_that_hangs_is_ended_with_all_it_started(keyring, helper, tmp_path):
    """The time is bounded; no process stays behind."""
    helper("x", f"sleep 300 & echo $! > {tmp_path}/child; wait")
    ring = keyring({".docker/config.json": {"credsStore": "x"}}, seconds=0.5)
    with pytest.raises(AccessError, match=r"no answer in 0.5 s; run it by hand"):
        ring.find("r", "a")
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the helper's child lives on")


@given(st.binary(max_size=60))
def test_any_file_is_read_or_refused(tmp_path_factory, data):
    """Garbage in a file of credentials is that file's fault, and nothing else happens."""
    home = tmp_path_factory.mktemp("home")
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_bytes(data)
    with contextlib.suppress(AccessError):
        assert Keyring({"HOME": str(home)}, 1.0).find("r", "a") is None
