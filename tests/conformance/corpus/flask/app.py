"""A WSGI application: templates, blueprints, errors, JSON of dates and decimals, streams."""

import datetime as dt
import decimal

from flask import (
    Blueprint,
    Flask,
    abort,
    jsonify,
    redirect,
    render_template_string,
    request,
    stream_with_context,
    url_for,
)

app = Flask(__name__)
app.secret_key = "not secret"
api = Blueprint("api", __name__, url_prefix="/api")

PAGE = "{% macro item(x) %}<li>{{ x|upper }}</li>{% endmacro %}<ul>{% for x in items %}{{ item(x) }}{% endfor %}</ul>"


@app.get("/")
def home():
    return render_template_string(PAGE, items=request.args.getlist("x") or ["<oak>"])


@api.get("/values")
def values():
    day = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    return jsonify(day=day, price=decimal.Decimal("1.50"), link=url_for("api.echo"))


@api.post("/echo")
def echo():
    if request.is_json:
        return {"json": request.get_json()}
    return {"form": request.form.to_dict(), "files": {name: file.filename for name, file in request.files.items()}}


@app.get("/missing")
def missing():
    abort(int(request.args.get("code", "404")))


@app.get("/old")
def old():
    return redirect(url_for("home"), code=308)


@app.get("/csv")
def csv():
    return app.response_class(stream_with_context(f"{n}\n" for n in range(3)), mimetype="text/csv")


@app.errorhandler(418)
def teapot(error):
    return {"name": error.name}, 418


app.register_blueprint(api)
handler = app
