"""HTTP by httpx without a network: transports of its own, asynchronous calls, streams, forms, errors."""

import httpx


def answer(request):
    if request.url.path == "/redirect":
        return httpx.Response(307, headers={"location": "/json"})
    if request.url.path == "/login" and "authorization" not in request.headers:
        return httpx.Response(401, headers={"www-authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    if request.url.path == "/text":
        return httpx.Response(
            200, headers={"content-type": "text/plain; charset=shift_jis"}, content="樽".encode("shift_jis")
        )
    if request.url.path == "/gzip":
        import gzip

        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(b"oak"))
    if request.url.path == "/echo":
        return httpx.Response(
            200, json={"type": request.headers.get("content-type", "").split(";")[0], "size": len(request.read())}
        )
    return httpx.Response(200, json={"path": request.url.path, "query": str(request.url.params)})


def client(**options):
    return httpx.Client(transport=httpx.MockTransport(answer), base_url="https://example.com", **options)


def get(event):
    with client(follow_redirects=True) as http:
        found = http.get(event["path"], params=event.get("params"))
        return [found.status_code, found.json(), len(found.history)]


async def fetch():
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="https://example.com") as http:
        return (await http.get("/async")).json()


def asynchronous(event):
    import asyncio

    return asyncio.run(fetch())


def login(event):
    with client(auth=httpx.DigestAuth("u", "p")) as http:
        return http.get("/login").status_code


def text(event):
    with client() as http, http.stream("GET", event["path"]) as response:
        return ["".join(response.iter_text()), response.encoding]


def post(event):
    given = {"json": {"json": {"a": 1}}, "form": {"data": {"a": "1"}}, "file": {"files": {"f": b"x"}}}
    with client() as http:
        return http.post("/echo", **given[event["kind"]]).json()["type"]


def asgi(event):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def call():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:
            return (await http.get("/")).status_code

    import asyncio

    return asyncio.run(call())


def refused(event):
    try:
        httpx.get("http://127.0.0.1:1", timeout=2, trust_env=False)
    except httpx.HTTPError as error:
        return type(error).__name__
    return None


def urls(event):
    url = httpx.URL(event["url"])
    return [url.host, url.raw_host.decode(), str(url.copy_with(path="/x")), url.port]


def tls(event):
    return httpx.create_ssl_context().verify_mode.name


def handler(event, context):
    actions = (get, asynchronous, login, text, post, asgi, refused, urls, tls)
    return {action.__name__: action for action in actions}[event["do"]](event)
