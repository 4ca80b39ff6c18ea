"""Text in encodings that only the event names."""

import codecs
import email
import email.policy
import locale
import unicodedata


def encode(event):
    return event["text"].encode(event["codec"], event.get("errors", "strict")).hex()


def decode(event):
    return bytes.fromhex(event["hex"]).decode(event["codec"])


def transform(event):
    data = codecs.encode(event["text"].encode(), event["codec"])
    return codecs.decode(data, event["codec"]).decode()


def rot13(event):
    return codecs.encode(event["text"], "rot13")


def incremental(event):
    decoder = codecs.getincrementaldecoder(event["codec"])()
    return "".join(decoder.decode(bytes([byte])) for byte in bytes.fromhex(event["hex"]))


def mail(event):
    message = email.message_from_bytes(bytes.fromhex(event["hex"]), policy=email.policy.default)
    return [message["subject"], message.get_content()]


def unknown(event):
    try:
        codecs.lookup(event["codec"])
    except LookupError as error:
        return str(error)
    return None


def names(event):
    return [
        unicodedata.name(event["text"][0]),
        unicodedata.normalize("NFKD", event["text"]).encode("ascii", "ignore").decode(),
    ]


def domain(event):
    return [event["text"].encode("idna").decode(), locale.getpreferredencoding(do_setlocale=False).lower()]


def handler(event, context):
    actions = (encode, decode, transform, rot13, incremental, mail, unknown, names, domain)
    return {action.__name__: action for action in actions}[event["do"]](event)
