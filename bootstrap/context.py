"""The second argument of every handler, attribute for attribute awslambdaric's; reads no environment.

Class names, attributes and `repr` are interface: handlers log them, and libraries look at them.
"""

import sys
import time

TYPE_CHECKING = False  # see settings
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .invocation import Invocation
    from .settings import Settings

# The fields of W3C Trace Context that `context.w3c()` shows; others are dropped.
_W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class _Fields:
    """Named attributes from a JSON object, None where it has none, and a `repr` that lists them."""

    __slots__: "tuple[str, ...]" = ()

    def __init__(self, values: "Mapping[str, object]") -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        fields = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{fields}])"


class CognitoIdentity(_Fields):
    """Who invoked through a Cognito identity pool; both attributes are None for everybody else."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, values: "Mapping[str, object] | None") -> None:
        # Without the loop of the others: every invocation makes one, mostly of nothing.
        self.cognito_identity_id = values.get("cognitoIdentityId") if values else None
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId") if values else None


class Client(_Fields):
    """The mobile application that invoked, as its SDK describes it."""

    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")  # noqa: RUF023  the order of `repr`


class ClientContext(_Fields):
    """What the invoker passed as ClientContext: objects `custom` and `env`, and `client`, a Client."""

    __slots__ = ("custom", "env", "client")  # noqa: RUF023  the order of `repr`

    client: "Client | None"

    def __init__(self, values: "Mapping[str, object]") -> None:
        super().__init__(values)
        client = values.get("client")
        self.client = Client(client) if isinstance(client, dict) else None


class LambdaContext:
    """What the platform says about this invocation and this function.

    `memory_limit_in_mb` is a str, as in AWS's runtime. `deadline_ms` is in milliseconds since the epoch.
    """

    def __init__(
        self,
        invocation: "Invocation",
        settings: "Settings",
        *,
        client_context: "dict[str, object] | None" = None,
        cognito_identity: "dict[str, object] | None" = None,
    ) -> None:
        self.aws_request_id = invocation.request_id
        self.log_group_name = settings.log_group_name
        self.log_stream_name = settings.log_stream_name
        self.function_name = settings.function_name
        self.memory_limit_in_mb = settings.memory_limit_in_mb
        self.function_version = settings.function_version
        self.invoked_function_arn = invocation.invoked_function_arn
        self.tenant_id = invocation.tenant_id
        self._w3c_fields: dict[str, str] = {}
        self.client_context: ClientContext | None = None
        if client_context is not None:
            # Out of the client context, where it travels, into its own method.
            self._w3c_fields = _w3c_fields(client_context.pop("w3c", None))
            self.client_context = ClientContext(client_context)
        self.identity = CognitoIdentity(cognito_identity)
        self._epoch_deadline_time_in_ms = invocation.deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the platform ends this invocation, never less than 0."""
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def w3c(self) -> "dict[str, str]":
        """Return the invoker's W3C trace context: `traceparent`, `tracestate`, `baggage`, where given."""
        return dict(self._w3c_fields)

    def log(self, msg: object) -> None:
        """Write `msg` to the function's log as it is, without a line end of its own."""
        sys.stdout.write(str(msg))

    def __repr__(self) -> str:
        names = (
            "aws_request_id",
            "log_group_name",
            "log_stream_name",
            "function_name",
            "memory_limit_in_mb",
            "function_version",
            "invoked_function_arn",
            "client_context",
            "identity",
            "tenant_id",
        )
        fields = ",".join(f"{name}={getattr(self, name)}" for name in names)
        return f"LambdaContext([{fields}])"


def _w3c_fields(value: object) -> "dict[str, str]":
    if not isinstance(value, dict):
        return {}
    return {name: value[name] for name in _W3C_FIELDS if isinstance(value.get(name), str)}
