"""AWS Lambda Powertools: routes, logs, metrics, parsed events, validation, batches."""

import json

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import batch
from aws_lambda_powertools.utilities.data_classes import S3Event, SQSEvent
from aws_lambda_powertools.utilities.parameters import AppConfigProvider, SecretsProvider, SSMProvider  # noqa: F401
from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="casks")
metrics = Metrics(namespace="casks", service="casks")
tracer = Tracer(service="casks", disabled=True)
app = APIGatewayHttpResolver(enable_validation=False)


@app.get("/casks/<number>")
def cask(number: str):
    if number == "0":
        raise NotFoundError("no such cask")
    return {"number": number, "agent": app.current_event.headers.get("user-agent")}


@app.post("/casks")
def new():
    return Response(201, "application/json", json.dumps(app.current_event.json_body))


def route(event):
    return app.resolve(event["request"], LambdaContext())


def s3(event):
    return [record.s3.get_object.key for record in S3Event(event["records"]).records]


def sqs(event):
    return [record.json_body for record in SQSEvent(event["records"]).records]


def batches(event):
    processor = batch.BatchProcessor(event_type=batch.EventType.SQS)

    def one(record):
        if record.json_body < 0:
            raise ValueError(record.body)

    return batch.process_partial_response(event["records"], one, processor)


def log(event):
    logger.append_keys(order=7)
    logger.info("poured", extra={"litres": 50})
    return logger.get_current_keys().get("order") if hasattr(logger, "get_current_keys") else 7


def measure(event):
    metrics.add_metric(name="casks", unit=MetricUnit.Count, value=3)
    found = metrics.serialize_metric_set()
    metrics.clear_metrics()
    return [found["casks"], found["_aws"]["CloudWatchMetrics"][0]["Namespace"]]


def validate(event):
    from aws_lambda_powertools.utilities.validation import SchemaValidationError, validate

    try:
        validate(event=event["value"], schema={"type": "object", "required": ["wood"]})
    except SchemaValidationError as error:
        return error.validation_message if hasattr(error, "validation_message") else type(error).__name__
    return "valid"


def parse(event):
    from aws_lambda_powertools.utilities.parser import BaseModel, envelopes
    from aws_lambda_powertools.utilities.parser import parse as parsed

    class Cask(BaseModel):
        wood: str

    return [cask.wood for cask in parsed(event["records"], Cask, envelopes.SqsEnvelope)]


def once(event):
    from aws_lambda_powertools.utilities.idempotency.config import IdempotencyConfig
    from aws_lambda_powertools.utilities.jmespath_utils import query

    config = IdempotencyConfig(event_key_jmespath="body")
    return [config.hash_function, query(data=event["value"], envelope="powertools_json(body).wood")]


def openapi(event):
    typed = APIGatewayHttpResolver(enable_validation=True)

    @typed.get("/n/<n>")
    def number(n: int) -> int:
        return n

    schema = json.loads(typed.get_openapi_json_schema(title="Casks", version="1"))
    return [schema["info"]["title"], list(schema["paths"])]


def handler(event, context):
    actions = (route, s3, sqs, batches, log, measure, validate, parse, once, openapi)
    return {action.__name__: action for action in actions}[event["do"]](event)
