"""What encoding is it? charset-normalizer tries Python's own codecs by name."""

import charset_normalizer

TEXTS = {
    "german": "Fässer aus Eichenholz reifen über viele Jahre; das süße Aroma gefällt den Käufern in Österreich sehr.",
    "russian": "Дубовые бочки зреют много лет, и сладкий аромат очень нравится покупателям в разных странах.",
    "japanese": "樽は何年もかけて熟成し、甘い香りは多くの国の人々に好まれています。とても良い樽です。",
    "greek": "Τα δρύινα βαρέλια ωριμάζουν για πολλά χρόνια και το γλυκό άρωμα αρέσει στους αγοραστές.",
}


def detect(event):
    text = TEXTS[event["text"]]
    found = charset_normalizer.from_bytes(text.encode(event["encoding"])).best()
    return [str(found) == text if event.get("exact", True) else found is not None, found.bom]


def only(event):
    data = TEXTS[event["text"]].encode(event["encoding"])
    found = charset_normalizer.from_bytes(data, cp_isolation=[event["encoding"]]).best()
    return [found.encoding, str(found) == TEXTS[event["text"]]]


def legacy(event):
    return sorted(charset_normalizer.detect(TEXTS[event["text"]].encode("utf-8")))


def binary(event):
    return charset_normalizer.is_binary(bytes(range(256)) * 4)


def aliases(event):
    found = charset_normalizer.from_bytes(TEXTS["russian"].encode("cp1251"), cp_isolation=["cp1251"]).best()
    return [sorted(found.encoding_aliases), found.output()[:2].hex()]


def handler(event, context):
    actions = (detect, only, legacy, binary, aliases)
    return {action.__name__: action for action in actions}[event["do"]](event)
