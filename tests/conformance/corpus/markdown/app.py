"""Markdown, with extensions that the event names: they are found through entry points and by import."""

import markdown


def handler(event, context):
    made = markdown.Markdown(
        extensions=event.get("extensions", []),
        extension_configs=event.get("configs", {}),
        output_format=event.get("format", "xhtml"),
    )
    page = made.convert(event["text"])
    return {"html": page, "toc": getattr(made, "toc", None), "meta": getattr(made, "Meta", None)}
