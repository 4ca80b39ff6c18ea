"""S3 without a network: signed addresses, stubbed answers, pages, waiters, the client's own errors."""

import datetime as dt
import io

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError, WaiterError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret", "region_name": "eu-west-1"}


def client(**options):
    return boto3.client("s3", **KEYS, config=Config(**options))


def presign(event):
    address = client(signature_version="s3").generate_presigned_url(
        event.get("operation", "get_object"), Params={"Bucket": "casks", "Key": event["key"]}, ExpiresIn=60
    )
    return address.split("?")[0]


def put(event):
    s3 = client()
    with Stubber(s3) as stub:
        stub.add_response("put_object", {"ETag": '"abc"'}, {"Bucket": "casks", "Key": event["key"], "Body": ANY})
        return s3.put_object(Bucket="casks", Key=event["key"], Body=b"oak")["ETag"]


def get(event):
    s3 = client()
    body = StreamingBody(io.BytesIO(b"line 1\nline 2\n"), 14)
    modified = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    with Stubber(s3) as stub:
        stub.add_response("get_object", {"Body": body, "LastModified": modified, "ContentLength": 14})
        found = s3.get_object(Bucket="casks", Key=event["key"])
        return [found["LastModified"].isoformat(), [line.decode() for line in found["Body"].iter_lines()]]


def pages(event):
    s3 = client()
    with Stubber(s3) as stub:
        for number in range(event["pages"]):
            last = number == event["pages"] - 1
            token = {} if last else {"NextContinuationToken": f"page-{number + 1}"}
            contents = [{"Key": f"{number}/{index}", "Size": index} for index in range(2)]
            stub.add_response("list_objects_v2", {"IsTruncated": not last, "Contents": contents, **token})
        paginator = s3.get_paginator("list_objects_v2")
        return list(paginator.paginate(Bucket="casks").search(event.get("search", "Contents[].Key")))


def error(event):
    s3 = client(retries={"mode": event.get("retries", "legacy"), "max_attempts": 2})
    with Stubber(s3) as stub:
        stub.add_client_error("head_object", service_error_code=event["code"], http_status_code=404)
        try:
            s3.head_object(Bucket="casks", Key="none")
        except ClientError as failed:
            return [type(failed).__name__, failed.response["Error"]["Code"], str(failed)]
    return None


def wait(event):
    s3 = client()
    with Stubber(s3) as stub:
        for _ in range(event["misses"]):
            stub.add_client_error("head_object", service_error_code="404", http_status_code=404)
        stub.add_response("head_object", {"ContentLength": 3, "ResponseMetadata": {"HTTPStatusCode": 200}})
        try:
            config = {"Delay": 0, "MaxAttempts": event["attempts"]}
            s3.get_waiter("object_exists").wait(Bucket="casks", Key="x", WaiterConfig=config)
        except WaiterError as failed:
            return str(failed)
    return "exists"


def invalid(event):
    try:
        client().put_object(Bucket="casks", Key=event["key"])
    except ParamValidationError as failed:
        return str(failed).splitlines()
    return None


def post(event):
    form = client().generate_presigned_post("casks", event["key"], ExpiresIn=60)
    return [form["url"], sorted(form["fields"])]


def about(event):
    s3 = client(s3={"addressing_style": event["style"]}, use_dualstack_endpoint=event.get("dualstack", False))
    url = s3.generate_presigned_url("head_bucket", Params={"Bucket": "casks"})
    return [url.split("?")[0], s3.meta.region_name, s3.meta.service_model.api_version, len(s3.meta.config.s3)]


def handler(event, context):
    actions = (presign, put, get, pages, error, wait, invalid, post, about)
    return {action.__name__: action for action in actions}[event["do"]](event)
