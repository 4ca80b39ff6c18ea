"""The runtime inside the image: asks for events, calls the handler, answers; exports nothing.

It exists as a separate package because it travels: the folder is copied into images and run by whatever
CPython (3.9 to 3.14) is in there, so it uses the standard library only and never imports `builder` or
`emulator`. It has no public Python surface: its interfaces are the process (`python -m bootstrap
app.handler`, environment, exit codes), the Runtime API it speaks, and the `context` it gives to handlers.

Which module does what, in the order of a start:

| module        | what                                                          | loaded                  |
|---------------|---------------------------------------------------------------|-------------------------|
| `__main__`    | a private name for the package: no user file collides         | first                   |
| `start`       | composition root: process state in, exit code out             | first                   |
| `settings`    | arguments and environment → one value                         | first                   |
| `errors`      | the tree of what can go wrong, by blame                       | first                   |
| `standalone`  | `docker run` without a Runtime API: exec the emulator         | only then               |
| `logs`        | where records go, and the watch for an import of `logging`    | first                   |
| `log_bridge`  | the handler on the root logger                                | when `logging` is       |
| `log_json`    | its JSON records                                              | the same, if configured |
| `wire`        | HTTP/1.1, the subset spoken here; no sockets                  | first                   |
| `wire_reader` | a response in pieces                                          | while `/next` is away   |
| `connection`  | the one socket                                                | first                   |
| `runtime_api` | the Runtime API's calls                                       | first                   |
| `handler`     | `app.handler` → the function                                  | first                   |
| `snapshot`    | SnapStart's hooks                                             | only for SnapStart      |
| `termination` | SIGTERM                                                       | first                   |
| `loop`        | next, invoke, answer, for ever                                | first                   |
| `fixed_variable` | the trace id's place in the environment                  | after 10,000 events     |
| `invocation`  | one event: headers, context, call, result                     | while `/next` is away   |
| `context`     | the second argument of handlers                               | while `/next` is away   |
| `payload`     | JSON as Lambda's Python does it                               | while `/next` is away   |
| `payload_large` | the same by orjson, where it is and may            | with the first large one |
| `payload_package` | the same without CPython's accelerator                    | where that is missing   |
| `kinds`       | handlers that are no plain functions                          | for those               |
| `live`        | results to run or to stream                                   | with the first of them  |
| `streaming`   | the bytes of a streamed response                              | with `live`             |
| `coroutines`  | the one event loop                                            | for `async def`         |
| `web_request` | an HTTP event → a request                                     | for web applications    |
| `web_response`| a response → the answer its sender understands                | for web applications    |
| `asgi`, `wsgi`| an application as a handler                                   | for their applications  |
| `command`     | a command as a handler                                        | for `exec:`             |
| `interpreters`| what a command needs to be started                            | the same                |
| `pool`        | many events at once: the parent of the workers                | for managed instances   |
| `records`     | what each worker is at, in shared memory                      | the same                |
| `supervisor`  | workers are started, watched, replaced, ended                 | the same                |
| `worker`      | the life of one worker                                        | the same                |
| `polling`     | next, invoke, answer, where one refusal ends nothing          | the same                |
| `shared`      | one worker, a thread for each event                           | for threads and loops   |
| `isolation`   | request id, tenant and trace id of each invocation            | the same                |
| `shared_loop` | one event loop under many threads                             | for `async def` there   |
| `failure`     | an exception → error body, X-Ray cause, log record            | with the first failure  |
"""

__all__: "list[str]" = []
