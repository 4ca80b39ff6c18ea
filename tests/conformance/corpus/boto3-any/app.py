"""A service whose name only the event knows: no service's data may be missing."""

import boto3
from botocore.stub import Stubber

KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret", "region_name": "eu-central-1"}


def handler(event, context):
    session = boto3.Session(**KEYS)
    client = session.client(event["service"])
    if "paginator" in event:
        return {"paginator": client.get_paginator(event["paginator"]).result_keys[0].expression}
    if "operation" not in event:
        return {"version": client.meta.service_model.api_version, "endpoint": client.meta.endpoint_url}
    with Stubber(client) as stub:
        stub.add_response(event["operation"], event["answer"])
        found = getattr(client, event["operation"])(**event.get("parameters", {}))
    found.pop("ResponseMetadata", None)
    return found
