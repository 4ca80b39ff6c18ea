"""The smallest function: what an image costs that does nothing."""


def handler(event, context):
    return {"echo": event}
