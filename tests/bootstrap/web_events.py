"""HTTP events as AWS documents them, made by functions so that a test names only what it is about."""

from __future__ import annotations


def v2(path: str = "/", **more: object) -> dict[str, object]:
    """A function URL's event, or an HTTP API's with payload 2.0; `stage` and `http` go into the context."""
    context = {
        "domainName": "abc.lambda-url.eu-west-1.on.aws",
        "http": {
            "method": more.pop("method", "GET"), "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9",
            "userAgent": "x",
        },
        "stage": more.pop("stage", "$default"),
    }  # fmt: skip
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": {"host": "h"},
        "requestContext": context, "isBase64Encoded": False, **more,
    }  # fmt: skip


def v1(path: str = "/", **more: object) -> dict[str, object]:
    """A REST API's event, or an HTTP API's with payload 1.0."""
    context = {
        "path": more.pop("context_path", path), "stage": "prod", "protocol": "HTTP/1.1",
        "identity": {"sourceIp": "203.0.113.9"}, "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
    }  # fmt: skip
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": more.pop("method", "GET"), "headers": {"Host": "h"},
        "multiValueHeaders": {"Host": ["h"]}, "queryStringParameters": None, "multiValueQueryStringParameters": None,
        "requestContext": context, "body": None, "isBase64Encoded": False, **more,
    }  # fmt: skip


def alb(path: str = "/", **more: object) -> dict[str, object]:
    """A load balancer's event, without multi-value headers unless they are given."""
    return {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:x"}}, "path": path,
        "httpMethod": more.pop("method", "GET"), "queryStringParameters": {},
        "headers": {"host": "h", "x-forwarded-for": "6.6.6.6, 203.0.113.9", "x-forwarded-port": "80",
                    "x-forwarded-proto": "http"},
        "body": "", "isBase64Encoded": False, **more,
    }  # fmt: skip
