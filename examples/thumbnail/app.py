"""Shrinks the JPEG or PNG image in an HTTP request to a PNG thumbnail: `POST /thumbnail?size=64`.

API Gateway (HTTP API, payload format 2.0) passes a binary body as base64, and takes one back when the answer
says `isBase64Encoded`. Lambda accepts 6 MB a request: in base64, an image of about 4.5 MB.

The answers in events/expected are exact to the byte for the Pillow release in requirements.txt; another
release may compress the same pixels differently.
"""

import base64
import io
import json
from typing import Any

from PIL import Image, ImageOps

DEFAULT_SIZE = 128  # pixels, the longer side
MAX_SIZE = 512
MAX_PIXELS = 24_000_000  # 96 MB at Pillow's 4 bytes a pixel; a small file could unpack to gigabytes
TOO_MANY_PIXELS = f"the image has more than {MAX_PIXELS} pixels; send a smaller one"


class BadRequestError(Exception):
    """The request cannot be served; the text says why and goes back to the sender."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer 200 with the thumbnail, or 400 with `{"message": …}`."""
    try:
        size = requested_size(event.get("queryStringParameters", {}))
        png = thumbnail(request_body(event), size)
    except BadRequestError as problem:
        return answer(400, "application/json", json.dumps({"message": str(problem)}))
    return answer(200, "image/png", base64.b64encode(png).decode(), is_base64=True)


def requested_size(query: dict[str, str]) -> int:
    """Return the side, in pixels, of the square that the thumbnail has to fit in."""
    text = query.get("size", str(DEFAULT_SIZE))
    if text not in map(str, range(1, MAX_SIZE + 1)):
        raise BadRequestError(f"size is {text!r}; send a whole number from 1 to {MAX_SIZE}")
    return int(text)


def request_body(event: dict[str, Any]) -> bytes:
    """Return the bytes that the client sent."""
    body = event.get("body", "")
    return base64.b64decode(body) if event["isBase64Encoded"] else body.encode()


def thumbnail(data: bytes, size: int) -> bytes:
    """Decode an image, fit it upright into size x size pixels and encode it as PNG, without metadata."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadRequestError(TOO_MANY_PIXELS)
            small = shrink(image, size)
    except Image.DecompressionBombError as problem:  # Pillow's own limit, checked as it opens the image
        raise BadRequestError(TOO_MANY_PIXELS) from problem
    except (OSError, SyntaxError, ValueError) as problem:  # what Pillow raises for bad data
        raise BadRequestError("the body is not a complete JPEG or PNG image; send one") from problem
    png = io.BytesIO()
    small.save(png, "PNG")
    return png.getvalue()


def shrink(image: Image.Image, size: int) -> Image.Image:
    """Return the image upright, in RGB or RGBA and at most size pixels wide and high; never enlarge it."""
    if image.mode != "RGB":  # palettes and greys cannot be blended; an RGB JPEG is best shrunk while decoding
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((size, size))
    return ImageOps.exif_transpose(image)


def answer(status: int, content_type: str, body: str, *, is_base64: bool = False) -> dict[str, Any]:
    """Build the response that API Gateway understands."""
    return {
        "statusCode": status,
        "headers": {"content-type": content_type},
        "body": body,
        "isBase64Encoded": is_base64,
    }
