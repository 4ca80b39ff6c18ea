"""The Extensions API as a table: which call is allowed when, and the refusals of AWS's emulator."""

import json

import pytest

from emulator import extensions as ext
from emulator import extensions_api as api
from emulator.http1 import Request
from emulator.http1_response import Response

ID = "6d0ba4e3-6d1d-4b2c-8a7e-3d9c1f0e5a11"
OTHER = "0e2b5f9c-5f43-4b8b-9b53-0f6f5a9f1c22"
FUNCTION = api.Function("beer", "$LATEST", "app.handler", "012345678912")


def request(path, method="POST", body=b"", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, f"/2020-01-01/extension/{path}", named, body, len(body), keep_alive=True)


def parse(path, method="POST", body=b"", **headers):
    return api.parse_call(request(path, method, body, **headers), 7)


def register(name="agent", events=("INVOKE", "SHUTDOWN")):
    return api.Register(1, name, tuple(events), wants_account=False)


def told(refusal):
    """Type and message of a refusal, whose status is always 403."""
    response = refusal.response if isinstance(refusal, ext.Refused) else refusal
    assert response.status == 403
    value = json.loads(response.body)
    return value["errorType"], value["errorMessage"]


@pytest.fixture
def started():
    """An external extension whose process runs."""
    return ext.on_started(ext.Roster(), "agent", ID)


@pytest.fixture
def registered(started):
    """It has registered for both events."""
    return ext.on_register(started, register(), "unused")[0]


@pytest.fixture
def ready(registered):
    """It polls with call 5."""
    return ext.on_next(registered, api.NextEvent(5, ID))


# translation


def test_a_registration_is_read():
    """Name, events without doubles, and the feature."""
    call = parse(
        "register", body=b'{"events": ["INVOKE", "INVOKE"]}', lambda_extension_name="agent",
        lambda_extension_accept_feature="x, accountId",
    )  # fmt: skip
    assert call == api.Register(7, "agent", ("INVOKE",), wants_account=True)


def test_the_other_calls_are_read():
    """With the identifier in any spelling."""
    assert parse("event/next", "GET", lambda_extension_identifier=ID.upper()) == api.NextEvent(7, ID)
    named = {"lambda_extension_identifier": ID, "lambda_extension_function_error_type": "Extension.Bad"}
    assert parse("init/error", **named) == api.ReportError(7, ID, in_init=True, error_type="Extension.Bad")
    assert parse("exit/error", **named) == api.ReportError(7, ID, in_init=False, error_type="Extension.Bad")


@pytest.mark.parametrize(
    ("path", "body", "headers", "error_type"),
    [
        ("register", b"{}", {}, "Extension.InvalidExtensionName"),
        ("register", b"{", {"lambda_extension_name": "a"}, "InvalidRequestFormat"),
        ("register", b"[]", {"lambda_extension_name": "a"}, "InvalidRequestFormat"),
        ("register", b'{"events": "INVOKE"}', {"lambda_extension_name": "a"}, "InvalidRequestFormat"),
        ("register", b'{"configurationKeys": ["x"]}', {"lambda_extension_name": "a"}, "InvalidRequestFormat"),
        ("init/error", b"", {}, "Extension.MissingExtensionIdentifier"),
        ("exit/error", b"", {"lambda_extension_identifier": "nope"}, "Extension.InvalidExtensionIdentifier"),
        ("exit/error", b"", {"lambda_extension_identifier": ID}, "Extension.MissingHeader"),
    ],
)
def test_calls_that_mean_nothing(path, body, headers, error_type):
    """Each has its type."""
    assert told(parse(path, body=body, **headers))[0] == error_type


@pytest.mark.parametrize(
    ("path", "method", "status"), [("nope", "GET", 404), ("register", "GET", 405), ("event/next", "POST", 405)]
)
def test_paths_that_are_none(path, method, status):
    """As any HTTP server says it."""
    assert parse(path, method).status == status


def test_the_answer_to_a_registration():
    """The account only if it was asked for."""
    response = api.render_registered(ID, FUNCTION, with_account=False)
    assert dict(response.headers)["Lambda-Extension-Identifier"] == ID
    assert json.loads(response.body) == {
        "functionName": "beer", "functionVersion": "$LATEST", "handler": "app.handler"
    }  # fmt: skip
    assert json.loads(api.render_registered(ID, FUNCTION, with_account=True).body)["accountId"] == "012345678912"


def test_the_events():
    """INVOKE with its tracing, SHUTDOWN with its reason."""
    invoke = api.render_invoke(OTHER, request_id="r", function_arn="arn", deadline_ms=5, trace_id="Root=1")
    assert dict(invoke.headers)["Lambda-Extension-Event-Identifier"] == OTHER
    assert json.loads(invoke.body) == {
        "eventType": "INVOKE", "deadlineMs": 5, "requestId": "r", "invokedFunctionArn": "arn",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"},
    }  # fmt: skip
    assert json.loads(api.render_shutdown(OTHER, reason="timeout", deadline_ms=5).body) == {
        "eventType": "SHUTDOWN", "deadlineMs": 5, "shutdownReason": "timeout"
    }  # fmt: skip


# the table


def test_init_waits_for_registrations_and_polls(started, registered, ready):
    """The runtime is started when all have registered, init ends when all poll."""
    assert [ext.all_registered(one) for one in (started, registered, ready)] == [False, True, True]
    assert [ext.all_ready(one) for one in (started, registered, ready)] == [False, False, True]


def test_an_external_extension_keeps_its_identifier(started):
    """It was given when the process was started."""
    assert ext.on_register(started, register(), "unused")[1] == ID


def test_an_event_goes_to_those_registered_for_it(ready):
    """Their polls are answered, and they are waited for until they poll again."""
    both = ext.on_register(ready, register("inner", ["INVOKE"]), OTHER)[0]
    both = ext.on_next(both, api.NextEvent(6, OTHER))
    running, polls = ext.on_event(both, ext.INVOKE)
    assert polls == (5, 6)
    assert not ext.all_ready(running)
    again = ext.on_next(ext.on_next(running, api.NextEvent(8, ID)), api.NextEvent(9, OTHER))
    assert ext.all_ready(again)
    assert ext.on_event(again, ext.SHUTDOWN)[1] == (8,)


def test_who_is_not_registered_keeps_nobody_waiting(started):
    """An extension without INVOKE goes on polling during an invocation."""
    roster = ext.on_register(started, register(events=["SHUTDOWN"]), "unused")[0]
    roster = ext.on_next(roster, api.NextEvent(5, ID))
    after, polls = ext.on_event(roster, ext.INVOKE)
    assert (polls, ext.all_ready(after)) == ((), True)


def test_a_lost_poll_may_come_again(ready):
    """An HTTP client may give up waiting."""
    assert ext.on_next(ext.on_call_lost(ready, 5), api.NextEvent(6, ID)).extensions[ID].poll == 6


@pytest.mark.parametrize(
    ("events", "message"),
    [(["INVOKE", "SHUTDOWN"], "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"),
     (["BREW"], "BREW: ErrorInvalidEventType")],
)  # fmt: skip
def test_internal_extensions_have_one_event(events, message):
    """INVOKE alone."""
    refused = ext.on_register(ext.Roster(), register("inner", events), OTHER)
    assert told(refused) == ("Extension.InvalidEventType", message)


def test_an_unknown_event_of_an_external_extension(started):
    """The other half of the same rule."""
    assert told(ext.on_register(started, register(events=["BREW"]), ""))[1] == "BREW: ErrorInvalidEventType"


def test_registration_refusals(registered):
    """Twice, too late, too many."""
    again = ext.on_register(registered, register(), "")
    assert told(again) == (
        "Extension.InvalidExtensionState",
        (
            "State transition from Registered to Registered failed for extension agent. "
            "Error: State transition is not allowed"
        ),
    )
    inner = ext.on_register(registered, register("inner", []), OTHER)[0]
    assert told(ext.on_register(inner, register("inner", []), "x"))[1] == "Extension with this name already registered"
    closed = registered._replace(closed=True)
    assert told(ext.on_register(closed, register("late", []), "x")) == (
        "Extension.RegistrationClosed", "Extension registration closed already"
    )  # fmt: skip
    for number in range(ext.LIMIT - 1):
        registered = ext.on_register(registered, register(f"n{number}", []), f"id-{number}")[0]
    assert told(ext.on_register(registered, register("eleventh", []), "x")) == (
        "Extension.TooManyExtensions", "Extension limit (10) reached"
    )  # fmt: skip


ACTIONS = {
    "next": lambda roster: ext.on_next(roster, api.NextEvent(6, ID)),
    "init error": lambda roster: ext.on_error(roster, api.ReportError(6, ID, in_init=True, error_type="Extension.Bad")),
    "exit error": lambda roster: ext.on_error(
        roster, api.ReportError(6, ID, in_init=False, error_type="Extension.Bad")
    ),
}
S = ext.State
TABLE = {
    ("next", S.REGISTERED): S.READY, ("next", S.RUNNING): S.READY,
    ("init error", S.REGISTERED): S.INIT_ERROR, ("init error", S.INIT_ERROR): S.INIT_ERROR,
    ("exit error", S.REGISTERED): S.EXIT_ERROR, ("exit error", S.READY): S.EXIT_ERROR,
    ("exit error", S.RUNNING): S.EXIT_ERROR, ("exit error", S.EXIT_ERROR): S.EXIT_ERROR,
}  # fmt: skip


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("action", ACTIONS)
def test_every_call_in_every_state(action, state):
    """The table is that of AWS's emulator; what is not in it is refused."""
    extension = ext.Extension("agent", ID, external=True, state=state, poll=5 if state is S.READY else None)
    after = ACTIONS[action](ext.Roster({ID: extension}))
    if (action, state) in TABLE:
        assert after.extensions[ID].state is TABLE[action, state]
    else:
        error_type, message = told(after)
        assert error_type == "Extension.InvalidExtensionState"
        assert message.startswith(f"State transition from {state.value} to ")


def test_strangers_are_refused():
    """An identifier that nobody was given."""
    assert told(ACTIONS["next"](ext.Roster())) == ("Extension.UnknownExtensionIdentifier", f"Unknown extension {ID}")
    assert told(ACTIONS["exit error"](ext.Roster()))[1] == "Unknown Lambda-Extension-Identifier"


def test_what_an_exit_is(ready):
    """A crash, unless the extension said something before."""
    assert ext.failure_of(ready.extensions[ID]) == "Extension.Crash"
    assert ext.failure_of(ACTIONS["exit error"](ready).extensions[ID]) == "Extension.ExitError"
    failed = ext.Extension("agent", ID, external=True, state=S.INIT_ERROR)
    assert ext.failure_of(failed) == "Extension.InitError"
    assert ext.on_exited(ready, ID).extensions[ID].state is S.EXITED


def test_accepted_is_what_the_runtime_api_says():
    """One word for all."""
    assert Response(202, (("Content-Type", "application/json"),), b'{"status":"OK"}\n') == api.ACCEPTED
