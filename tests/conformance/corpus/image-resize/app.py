"""Pictures: made, resized, drawn on, filtered, and saved in whatever format the event names."""

import base64
import io

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps, ImageStat

FLAG = Image.linear_gradient("L").resize((32, 32))


def picture():
    return Image.merge("RGB", (FLAG, ImageOps.mirror(FLAG), ImageOps.flip(FLAG)))


def resize(event):
    data = base64.b64decode(event["image"]) if "image" in event else None
    image = Image.open(io.BytesIO(data)) if data else picture()
    image.thumbnail((event["size"], event["size"]))
    return [image.format, image.mode, list(image.size)]


def convert(event):
    stream = io.BytesIO()
    picture().convert(event.get("mode", "RGB")).save(stream, event["format"])
    again = Image.open(io.BytesIO(stream.getvalue()))
    again.load()
    return [again.format, again.mode, list(again.size), Image.MIME.get(again.format)]


def save_as(event):
    with io.BytesIO() as stream:
        stream.name = event["name"]
        picture().save(stream)
        return Image.open(io.BytesIO(stream.getvalue())).format


def draw(event):
    image = Image.new("L", (48, 16))
    pen = ImageDraw.Draw(image)
    pen.rectangle((1, 1, 10, 10), fill=255)
    pen.text((12, 2), event["text"], fill=200, font=ImageFont.load_default(size=event.get("points")))
    return [image.getbbox()[0], image.getextrema()[1]]


def filtered(event):
    blurred = picture().filter(getattr(ImageFilter, event["filter"])())
    difference = ImageChops.difference(blurred, picture())
    return [list(blurred.size), difference.getbbox() is not None or event["filter"] == "SMOOTH"]


def enhance(event):
    darker = ImageEnhance.Brightness(picture()).enhance(0.5)
    return [round(value) for value in ImageStat.Stat(darker).mean]


def exif(event):
    stream = io.BytesIO()
    tags = Image.Exif()
    tags[0x0112] = 6
    picture().resize((8, 4)).save(stream, "JPEG", exif=tags)
    return list(ImageOps.exif_transpose(Image.open(io.BytesIO(stream.getvalue()))).size)


def animate(event):
    stream = io.BytesIO()
    frames = [picture().rotate(angle) for angle in (0, 90)]
    frames[0].save(stream, event["format"], save_all=True, append_images=frames[1:])
    return Image.open(io.BytesIO(stream.getvalue())).n_frames


def colors(event):
    from PIL import ImageColor

    return list(ImageColor.getrgb(event["color"]))


def broken(event):
    try:
        Image.open(io.BytesIO(b"not a picture"))
    except OSError as error:
        return type(error).__name__
    return None


def handler(event, context):
    actions = (resize, convert, save_as, draw, filtered, enhance, exif, animate, colors, broken)
    return {action.__name__: action for action in actions}[event["do"]](event)
