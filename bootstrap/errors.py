"""Everything the runtime can report, as one tree split by who has to act; never formats or prints anything.

    BootstrapError
    ├── StartError                      whoever starts the process: arguments, environment, image
    │   ├── NoHandlerError              exit 2    (the code of a usage error)
    │   ├── NoEmulatorError             exit 72   (EX_OSFILE)
    │   └── MalformedSettingError       exit 78   (EX_CONFIG)
    ├── PlatformError                   the other end of the Runtime API
    │   ├── UnreachableError            exit 69   (EX_UNAVAILABLE)
    │   ├── ProtocolError               exit 76   (EX_PROTOCOL)
    │   └── RefusedError                exit 77   (EX_NOPERM)
    ├── WorkersError                    exit 70   (EX_SOFTWARE), the function's author: its processes die
    ├── StrayForkError                  exit 71   (EX_OSERR), likewise: a child that goes on as if it were its parent
    ├── FunctionError                   the function's author
    │   ├── MalformedHandlerNameError   Runtime.MalformedHandlerName
    │   ├── BuiltInModuleConflictError  Runtime.BuiltInModuleConflict
    │   ├── ImportModuleError           Runtime.ImportModuleError
    │   ├── UserCodeSyntaxError         Runtime.UserCodeSyntaxError
    │   ├── HandlerNotFoundError        Runtime.HandlerNotFound
    │   ├── UnsuitableHandlerError      Runtime.UnsuitableHandler
    │   ├── WorkerExitError             Runtime.ExitError
    │   ├── MarshalError                Runtime.MarshalError
    │   └── ResponseTooLargeError       Function.ResponseSizeTooLarge
    └── EventError                      whoever invoked the function
        ├── UnmarshalError              Runtime.UnmarshalError
        └── ContextUnmarshalError       Runtime.LambdaContextUnmarshalError

All but the last two branches end the process with their exit code (sysexits.h where a name fits; 1, 64 and 65
belong to init and snapshot errors, as in awslambdaric). The last two travel to the platform under their wire
type. An exception of the user's handler is none of these: it travels under its own class name.
"""

INIT_ERROR_EXIT_CODE = 1  # what awslambdaric exits with after posting /runtime/init/error


class BootstrapError(Exception):
    """The root: catch this to catch all of ours."""


class AnsweredExit(BaseException):
    """The function ends the process, by `reason`, and its invocation has been answered already."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason


class StartError(BootstrapError):
    """The process was started in a way that cannot work."""

    exit_code: int


class NoHandlerError(StartError):
    """Neither an argument nor `_HANDLER` names the handler."""

    exit_code = 2


class NoEmulatorError(StartError):
    """No Runtime API to talk to, and no emulator beside the runtime to start one."""

    exit_code = 72


class MalformedSettingError(StartError):
    """An environment variable does not say what it has to."""

    exit_code = 78


class WorkersError(BootstrapError):
    """The processes that serve events end faster than it makes sense to replace them."""

    exit_code = 70


class StrayForkError(BootstrapError):
    """A process that the function forked has returned from the handler; only its parent may answer."""

    exit_code = 71

    def __init__(self) -> None:
        super().__init__(
            "Answering: found a process that the function has forked, and that has returned from the handler as if it "
            "were its parent. End it with os._exit."
        )


class PlatformError(BootstrapError):
    """The Runtime API cannot be used any more; the process must end."""

    exit_code: int


class UnreachableError(PlatformError):
    """No connection, or it broke or fell silent in the middle of a message."""

    exit_code = 69


class ProtocolError(PlatformError):
    """The bytes received are not the HTTP/1.1 subset that the Runtime API speaks."""

    exit_code = 76


class RefusedError(PlatformError):
    """A call was answered with a status that leaves nothing sensible to do next.

    `status` is the HTTP status.
    """

    exit_code = 77

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class FunctionError(BootstrapError):
    """The function cannot be loaded, or its result cannot be sent.

    `stack_trace` is what the platform gets as `stackTrace`: formatted lines, mostly none, because the
    message names the place.
    """

    wire_type: str

    def __init__(self, message: str, stack_trace: "tuple[str, ...]" = ()) -> None:
        super().__init__(message)
        self.stack_trace = stack_trace


class MalformedHandlerNameError(FunctionError):
    """The handler is not `module.function`."""

    wire_type = "Runtime.MalformedHandlerName"


class BuiltInModuleConflictError(FunctionError):
    """The handler's module has the name of a module compiled into the interpreter, which always wins."""

    wire_type = "Runtime.BuiltInModuleConflict"


class ImportModuleError(FunctionError):
    """An ImportError, in the handler's module or in anything it imports."""

    wire_type = "Runtime.ImportModuleError"


class UserCodeSyntaxError(FunctionError):
    """A SyntaxError, in the handler's module or in anything it imports."""

    wire_type = "Runtime.UserCodeSyntaxError"


class HandlerNotFoundError(FunctionError):
    """The module has no such attribute."""

    wire_type = "Runtime.HandlerNotFound"


class UnsuitableHandlerError(FunctionError):
    """The handler cannot be called in the way that FIRKIN_CONCURRENCY asks for."""

    wire_type = "Runtime.UnsuitableHandler"


class WorkerExitError(FunctionError):
    """The process that ran an invocation has ended. The wire type is the one the platform itself uses."""

    wire_type = "Runtime.ExitError"


class MarshalError(FunctionError):
    """The handler's result has no JSON form.

    `result` is that result: it may be something to run or to stream, see `live`.
    """

    wire_type = "Runtime.MarshalError"

    def __init__(self, message: str, *, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class ResponseTooLargeError(FunctionError):
    """The platform answered 413 to the result. The wire type is the one the platform itself uses."""

    wire_type = "Function.ResponseSizeTooLarge"


class EventError(BootstrapError):
    """The invocation carries something that cannot be read."""

    wire_type: str
    stack_trace: "tuple[str, ...]" = ()


class UnmarshalError(EventError):
    """The event says it is JSON and is not, or it is for a web application and is no HTTP request."""

    wire_type = "Runtime.UnmarshalError"


class ContextUnmarshalError(EventError):
    """The client context or the Cognito identity is not a JSON object."""

    wire_type = "Runtime.LambdaContextUnmarshalError"
