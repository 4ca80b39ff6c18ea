"""One event: headers, context, call, result."""

from __future__ import annotations

import time

import pytest

from bootstrap.errors import ContextUnmarshalError, ProtocolError
from bootstrap.invocation import invoke, parse_invocation
from bootstrap.settings import Settings
from bootstrap.wire import Response

ENVIRON = {
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/[1]abc",
    "AWS_LAMBDA_FUNCTION_NAME": "f",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
}
SETTINGS = Settings("app.handler", ENVIRON, working_directory="/w")


def invocation(body: bytes = b"{}", **headers: str):
    named = {f"lambda-runtime-{name.replace('_', '-')}": value for name, value in headers.items()}
    return parse_invocation(Response(200, {"lambda-runtime-aws-request-id": "id-1", **named}, body))


def context_of(**headers: str):
    seen = []
    invoke(lambda _event, context: seen.append(context), invocation(**headers), SETTINGS)
    return seen[0]


def test_empty_headers_are_absent() -> None:
    """Senders that set every header mean nothing by an empty one."""
    names = ["deadline_ms", "invoked_function_arn", "trace_id", "aws_tenant_id", "client_context", "cognito_identity"]
    for found in (invocation(), invocation(**dict.fromkeys(names, ""))):
        optional = (
            found.invoked_function_arn,
            found.trace_id,
            found.tenant_id,
            found.client_context,
            found.cognito_identity,
        )
        assert optional == (None,) * 5
        assert (found.deadline_ms, found.invocation_id, found.content_type) == (0, "", "application/json")


@pytest.mark.parametrize("request_id", ["", "a b", "a\tb", "\u00e9", "a\x7f"])
def test_a_request_id_that_is_no_path_segment_is_refused(request_id) -> None:
    """It becomes part of a request line; a platform that sends another is none."""
    with pytest.raises(ProtocolError, match="found the request id"):
        invocation(aws_request_id=request_id)


def test_the_context_has_every_attribute() -> None:
    """Attributes, nested objects and `repr` are awslambdaric's, field for field."""
    context = context_of(
        invoked_function_arn="arn:f",
        aws_tenant_id="tenant",
        client_context='{"custom": {"k": "v"}, "env": {"e": 1}, '
        '"client": {"installation_id": "i", "app_title": "t"}, '
        '"w3c": {"traceparent": "00-1", "x": "y", "baggage": 1}}',
        cognito_identity='{"cognitoIdentityId": "ci", "cognitoIdentityPoolId": "cp"}',
    )
    assert repr(context) == (
        "LambdaContext([aws_request_id=id-1,log_group_name=/aws/lambda/f,log_stream_name=2026/11/23/[1]abc,"
        "function_name=f,memory_limit_in_mb=128,function_version=$LATEST,invoked_function_arn=arn:f,"
        "client_context=ClientContext([custom={'k': 'v'},env={'e': 1},client=Client([installation_id=i,"
        "app_title=t,app_version_name=None,app_version_code=None,app_package_name=None])]),"
        "identity=CognitoIdentity([cognito_identity_id=ci,cognito_identity_pool_id=cp]),tenant_id=tenant])"
    )
    assert context.client_context.client.installation_id == "i"
    assert context.w3c() == {"traceparent": "00-1"}


def test_without_optional_headers_the_identity_is_empty_and_the_client_context_none() -> None:
    """`identity` is always an object; `client_context` is None for most invokers."""
    context = context_of()
    assert (context.identity.cognito_identity_id, context.client_context, context.tenant_id) == (None, None, None)
    assert context.w3c() == {}
    assert context_of(client_context="{}").client_context.client is None
    assert context_of(client_context="null", cognito_identity="null").client_context is None


def test_the_remaining_time_never_goes_below_zero() -> None:
    """It counts down to the deadline in milliseconds, and stays at 0 after it or without one."""
    assert (
        50_000 < context_of(deadline_ms=str(int(time.time() * 1000) + 60_000)).get_remaining_time_in_millis() <= 60_000
    )
    assert context_of(deadline_ms="1").get_remaining_time_in_millis() == 0
    assert context_of(deadline_ms="soon").get_remaining_time_in_millis() == 0


def test_context_log_writes_as_it_is(capsys) -> None:
    """`context.log` adds nothing, not even a line end."""
    context_of().log({"a": 1})
    assert capsys.readouterr().out == "{'a': 1}"


@pytest.mark.parametrize(
    ("header", "name"), [("client_context", "Client Context"), ("cognito_identity", "Cognito Identity")]
)
@pytest.mark.parametrize("value", ["{", "[1]", '"text"', "[" * 100_000])
def test_an_unreadable_context_is_the_invokers_error(header, name, value) -> None:
    """What is not a JSON object is reported under its own type, and the handler is not called."""
    with pytest.raises(ContextUnmarshalError, match=f"^Unable to parse {name} JSON: "):
        invoke(lambda *_: pytest.fail("called"), invocation(**{header: value}), SETTINGS)
