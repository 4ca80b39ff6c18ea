"""Real frameworks as handlers: FastAPI, Django and Quart by ASGI, Flask and Django by WSGI."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

from tests.bootstrap.recording_server import Event
from tests.bootstrap.runtime_process import run_runtime, write_function
from tests.bootstrap.web_events import alb, v1, v2

pytestmark = pytest.mark.network

FASTAPI = """
from contextlib import asynccontextmanager
from fastapi import BackgroundTasks, FastAPI, File, Request, Response
from fastapi.responses import StreamingResponse
@asynccontextmanager
async def lifespan(app):
    yield {"opened": "yes"}
app = FastAPI(lifespan=lifespan)
@app.api_route("/echo/{name}", methods=["GET", "POST"])
async def echo(name: str, request: Request, response: Response, background: BackgroundTasks):
    response.set_cookie("a", "1"); response.set_cookie("b", "2")
    background.add_task(print, "background done")
    return {"name": name, "q": request.query_params.getlist("q"), "cookies": request.cookies,
            "body": (await request.body()).decode("latin-1"), "url": str(request.url_for("echo", name="x")),
            "opened": request.state.opened, "client": request.client.host}
@app.get("/image")
def image(): return Response(b"\\x89PNG\\xff", media_type="image/png")  # a worker thread runs it
@app.get("/boom")
def boom(): raise ValueError("mine")
@app.get("/stream")
async def stream():
    async def parts():
        for n in range(3): yield f"{n},"
    return StreamingResponse(parts(), media_type="text/csv")
"""
QUART = """
from quart import Quart, jsonify, make_response, request, url_for
app = Quart(__name__)
@app.route("/echo/<name>", methods=["GET", "POST"])
async def echo(name):
    response = await make_response(jsonify(
        name=name, q=request.args.getlist("q"), cookies=dict(request.cookies),
        body=(await request.get_data()).decode("latin-1"), url=url_for("echo", name="x", _external=True),
        opened="yes", client=request.remote_addr))
    response.set_cookie("a", "1"); response.set_cookie("b", "2")
    return response
@app.get("/image")
async def image(): return b"\\x89PNG\\xff", {"content-type": "image/png"}
@app.get("/boom")
async def boom(): raise ValueError("mine")
@app.get("/stream")
async def stream():
    async def parts():
        for n in range(3): yield f"{n},"
    return parts(), {"content-type": "text/csv"}
"""
FLASK = """
from flask import Flask, jsonify, make_response, request, url_for
app = Flask(__name__)
@app.route("/echo/<name>", methods=["GET", "POST"])
def echo(name):
    response = make_response(jsonify(
        name=name, q=request.args.getlist("q"), cookies=dict(request.cookies),
        body=request.get_data().decode("latin-1"), url=url_for("echo", name="x", _external=True),
        opened="yes", client=request.remote_addr))
    response.set_cookie("a", "1"); response.set_cookie("b", "2")
    return response
@app.get("/image")
def image(): return b"\\x89PNG\\xff", {"content-type": "image/png"}
@app.get("/boom")
def boom(): raise ValueError("mine")
@app.get("/stream")
def stream(): return (f"{n}," for n in range(3)), {"content-type": "text/csv"}
"""
DJANGO = """
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x", USE_X_FORWARDED_HOST=False)
import django; django.setup()
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt
@csrf_exempt
def echo(request, name):
    response = JsonResponse({
        "name": name, "q": request.GET.getlist("q"), "cookies": request.COOKIES,
        "body": request.body.decode("latin-1"), "url": request.build_absolute_uri(reverse(echo, args=["x"])),
        "opened": "yes", "client": request.META["REMOTE_ADDR"]})
    response.set_cookie("a", "1"); response.set_cookie("b", "2")
    return response
def image(request): return HttpResponse(b"\\x89PNG\\xff", content_type="image/png")
def boom(request): raise ValueError("mine")
def stream(request): return StreamingHttpResponse((f"{n}," for n in range(3)), content_type="text/csv")
urlpatterns = [path("echo/<name>", echo), path("image", image), path("boom", boom), path("stream", stream)]
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
asgi, wsgi = ASGIHandler(), WSGIHandler()
"""
APPLICATIONS = {
    "fastapi": (FASTAPI, "app.app"),
    "quart": (QUART, "app.app"),
    "flask": (FLASK, "app.app"),
    "django-asgi": (DJANGO, "app.asgi"),
    "django-wsgi": (DJANGO, "app.wsgi"),
}


@pytest.fixture(params=APPLICATIONS)
def application(request, tmp_path, web_frameworks):
    source, handler = APPLICATIONS[request.param]
    write_function(tmp_path, app=source)

    def run(*events, **environment):
        encoded = [Event(json.dumps(event).encode()) for event in events]
        environment = {"PYTHONPATH": web_frameworks, **environment}
        return run_runtime(tmp_path, handler, events=encoded, environment=environment)

    run.name = request.param
    return run


def test_a_request_from_every_sender(application) -> None:
    """Path, query, cookies, body, links with the stage, client: what the framework sees is what was sent."""
    body = {"body": base64.b64encode(b"in\xff").decode(), "isBase64Encoded": True, "method": "POST"}
    host = {"host": "h.example", "cookie": "k=v"}
    lists = {"multiValueHeaders": {"Host": ["h.example"], "Cookie": ["k=v"]}}
    events = [
        v2("/prod/echo/a%20b", stage="prod", rawQueryString="q=1&q=%262", headers=host, **body),
        v2("/echo/a%20b", rawQueryString="q=1&q=%262", headers={"host": "h.example"}, cookies=["k=v"], **body),
        v1("/echo/a b", context_path="/prod/echo/a b", multiValueQueryStringParameters={"q": ["1", "&2"]},
           **lists, **body),
        alb("/echo/a%20b", multiValueQueryStringParameters={"q": ["1", "%262"]},
            headers={**host, "x-forwarded-for": "203.0.113.9"}, **body),
    ]  # fmt: skip
    outcome = application(*events)
    answers = [json.loads(answer.body) for answer in outcome.answers]
    assert [answer["statusCode"] for answer in answers] == [200] * 4, outcome.stdout
    seen = [json.loads(answer["body"]) for answer in answers]
    prefixes = ["https://h.example/prod", "https://h.example", "https://h.example/prod", "https://h.example"]
    assert [found.pop("url") for found in seen] == [f"{prefix}/echo/x" for prefix in prefixes]
    expected = {"name": "a b", "q": ["1", "&2"], "cookies": {"k": "v"}, "body": "in\xff", "opened": "yes"}
    assert seen == [{**expected, "client": "203.0.113.9"}] * 4
    assert [len(answer.get("cookies", ())) for answer in answers] == [2, 2, 0, 0]
    assert len(answers[2]["multiValueHeaders"]["set-cookie"]) == 2
    assert [name for name in answers[3]["headers"] if name.lower() == "set-cookie"] == ["set-cookie", "Set-cookie"]
    assert outcome.stdout.count("background done") == (4 if application.name == "fastapi" else 0)


def test_bytes_errors_and_unknown_paths(application) -> None:
    """An image is base64; an exception is the framework's own 500, and the environment lives on."""
    image, boom, missing = application(v2("/image"), v2("/boom"), v2("/nowhere")).answers
    found = json.loads(image.body)
    assert found["isBase64Encoded"] is True
    assert base64.b64decode(found["body"]) == b"\x89PNG\xff"
    assert [json.loads(answer.body)["statusCode"] for answer in (boom, missing)] == [500, 404]


def test_a_stream(application) -> None:
    """Whole by default; in chunks behind a prelude where that is declared."""
    (whole,) = application(v2("/stream")).answers
    assert json.loads(whole.body)["body"] == "0,1,2,"
    (streamed,) = application(v2("/stream"), AWS_LWA_INVOKE_MODE="response_stream").answers
    head = json.loads(streamed.chunks[0].removesuffix(bytes(8)))
    assert (head["statusCode"], head["headers"]["content-type"].partition(";")[0]) == (200, "text/csv")
    assert streamed.chunks[1:] == (b"0,", b"1,", b"2,")
    assert streamed.trailers == {}


def test_a_form(application) -> None:
    """A browser's form arrives with its type and length."""
    headers = {"host": "h", "content-type": "application/x-www-form-urlencoded"}
    (answer,) = application(v2("/echo/f", method="POST", body=urlencode({"a": "\u00e9"}), headers=headers)).answers
    assert json.loads(json.loads(answer.body)["body"])["body"] == "a=%C3%A9"
