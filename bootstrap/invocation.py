"""One event from headers to result; never talks to the platform and never logs.

Loaded while the first `/next` is on its way, with all it needs.
"""

from .context import LambdaContext
from .errors import ContextUnmarshalError, ProtocolError
from .payload import parse_event, parse_json, render_result

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from .command import Command
    from .handler import Handler
    from .settings import Settings
    from .wire import Response

_FUNCTION: type = type(lambda: None)  # types.FunctionType, without loading it


class Invocation:
    """What `/next` said: `body` is the event's bytes; texts are "" or None where a header is absent or empty.

    `deadline_ms` is in milliseconds since the epoch. `invocation_id` is what the answer has to repeat. `event` and
    `result` are what the handler took and gave: held here, they are taken apart after the answer and not before.
    """

    __slots__ = (
        "body",
        "client_context",
        "cognito_identity",
        "content_type",
        "deadline_ms",
        "event",
        "invocation_id",
        "invoked_function_arn",
        "request_id",
        "result",
        "tenant_id",
        "trace_id",
    )

    def __init__(self, response: "Response") -> None:
        get = response.headers.get
        self.body = response.body
        self.request_id = get("lambda-runtime-aws-request-id", "")
        self.invocation_id = get("lambda-runtime-invocation-id", "")
        self.content_type = get("content-type") or "application/json"
        # Some senders set every header, empty where they know nothing: empty means absent.
        self.invoked_function_arn = get("lambda-runtime-invoked-function-arn") or None
        self.trace_id = get("lambda-runtime-trace-id") or None
        self.tenant_id = get("lambda-runtime-aws-tenant-id") or None
        self.client_context = get("lambda-runtime-client-context") or None
        self.cognito_identity = get("lambda-runtime-cognito-identity") or None
        deadline = get("lambda-runtime-deadline-ms", "")
        self.deadline_ms = int(deadline) if deadline.isascii() and deadline.isdigit() else 0
        self.event: object = None
        self.result: object = None


def parse_invocation(response: "Response") -> Invocation:
    """Return the invocation that a `/next` response describes. Raises ProtocolError without a usable id."""
    invocation = Invocation(response)
    request_id = invocation.request_id
    # It becomes part of a request line, which a space would cut in two.
    if not (request_id and request_id.isascii() and request_id.isprintable()) or " " in request_id:
        raise ProtocolError(
            f"Reading the next event: found the request id {request_id!r}. "
            "Check that AWS_LAMBDA_RUNTIME_API points at a Runtime API."
        )
    return invocation


def invoke(handler: "Handler", invocation: Invocation, settings: "Settings") -> "tuple[bytes, str]":
    """Call the handler and return the body and content type of its result.

    Raises FunctionError, EventError, and whatever the handler raises; SystemExit ends the process, as it does
    in awslambdaric.
    """
    if type(handler) is not _FUNCTION and hasattr(handler, "answer_invocation"):
        command: Command = handler  # type: ignore[assignment]  # nothing else has that method
        return command.answer_invocation(invocation)
    if invocation.client_context is None and invocation.cognito_identity is None:
        context = LambdaContext(invocation, settings)
    else:
        context = LambdaContext(
            invocation,
            settings,
            client_context=_parse_object(invocation.client_context, "Client Context"),
            cognito_identity=_parse_object(invocation.cognito_identity, "Cognito Identity"),
        )
    invocation.event = event = parse_event(invocation.body, invocation.content_type)
    invocation.result = result = handler(event, context)
    return render_result(result, raw_utf8=settings.raw_utf8)


def _parse_object(text: "str | None", name: str) -> "dict[str, object] | None":
    if text is None:
        return None
    try:
        value = parse_json(text)
    except Exception as error:  # ValueError, or RecursionError for arrays in arrays
        raise ContextUnmarshalError(f"Unable to parse {name} JSON: {error}") from error
    if value is not None and not isinstance(value, dict):
        raise ContextUnmarshalError(f"Unable to parse {name} JSON: found {text!r}, which is no object")
    return value
