"""XML by every parser of the standard library."""

import io
import plistlib
import xml.dom.minidom
import xml.sax
import xml.sax.saxutils
import xmlrpc.client
from xml.etree import ElementTree as ET

CASKS = "<casks xmlns:w='urn:wood'><cask w:kind='oak'>50</cask><cask>30</cask></casks>"


def find(event):
    return [found.text for found in ET.fromstring(CASKS).findall(event["path"])]


def dom(event):
    page = xml.dom.minidom.parseString(CASKS)
    return [page.documentElement.tagName, page.toprettyxml(indent=" ").splitlines()[2]]


def sax(event):
    class Counter(xml.sax.ContentHandler):
        count = 0

        def startElement(self, name, attrs):
            self.count += 1

    counter = Counter()
    xml.sax.parseString(CASKS.encode(), counter)
    return [counter.count, xml.sax.saxutils.escape("a < b")]


def pull(event):
    return [found.tag for _, found in ET.iterparse(io.BytesIO(CASKS.encode()))]


def calls(event):
    text = xmlrpc.client.dumps((1, {"a": [True]}), "pour")
    return [xmlrpc.client.loads(text)[1], xmlrpc.client.loads(text)[0][1]]


def plist(event):
    form = getattr(plistlib, event["format"])
    return plistlib.loads(plistlib.dumps({"a": [1, b"x".hex()]}, fmt=form))


def broken(event):
    try:
        ET.fromstring("<a>")
    except ET.ParseError as error:
        return [error.code, list(error.position)]
    return None


def encoded(event):
    text = f"<?xml version='1.0' encoding='{event['encoding']}'?><a>ä</a>"
    return ET.fromstring(text.encode(event["encoding"])).text


def canonical(event):
    return ET.canonicalize("<b x='1' a='2'></b>")


def handler(event, context):
    actions = (find, dom, sax, pull, calls, plist, broken, encoded, canonical)
    return {action.__name__: action for action in actions}[event["do"]](event)
