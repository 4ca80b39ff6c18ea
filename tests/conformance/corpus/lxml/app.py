"""XML and HTML by lxml: paths, schemas, transformations, object trees, broken pages."""

import io

from lxml import etree, html, objectify
from lxml.builder import E

CASKS = "<casks><cask id='1' wood='oak'>50</cask><cask id='2' wood='pine'>30</cask></casks>"


def find(event):
    return etree.fromstring(CASKS).xpath(event["path"])


def links(event):
    page = html.fromstring(event["page"])
    page.make_links_absolute("https://example.com/")
    return [link for _, _, link, _ in page.iterlinks()]


def transform(event):
    style = etree.XML(
        "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>"
        "<xsl:template match='/'><sum><xsl:value-of select='sum(//cask)'/></sum></xsl:template></xsl:stylesheet>"
    )
    return str(etree.XSLT(style)(etree.fromstring(CASKS)).getroot().text)


def validate(event):
    schema = etree.RelaxNG(etree.XML("<element name='a' xmlns='http://relaxng.org/ns/structure/1.0'><text/></element>"))
    return schema.validate(etree.fromstring(event["xml"]))


def schematron(event):
    from lxml.isoschematron import Schematron

    rules = etree.XML(
        "<schema xmlns='http://purl.oclc.org/dsdl/schematron'><pattern id='p'><rule context='cask'>"
        "<assert test='@wood'>wood</assert></rule></pattern></schema>"
    )
    return Schematron(rules).validate(etree.fromstring(event["xml"]))


def objects(event):
    root = objectify.fromstring("<a><n>3</n><n>4</n><t>x</t></a>")
    return [int(root.n[0] + root.n[1]), root.t.pyval, objectify.dump(root.t)]


def build(event):
    return etree.tostring(E.p("oak ", E.b("cask"), id="1"), encoding="unicode")


def selector(event):
    return [found.text for found in html.fromstring(event["page"]).cssselect(event["css"])]


def clean(event):
    return etree.tostring(html.document_fromstring("<p>a<br>b<p>c").body, encoding="unicode", method=event["method"])


def soup(event):
    from lxml.html import soupparser

    return soupparser.fromstring("<p>one<p>two").findtext(".//p")


def stream(event):
    return [element.text for _, element in etree.iterparse(io.BytesIO(CASKS.encode()), tag="cask")]


def broken(event):
    try:
        etree.fromstring("<a><b></a>")
    except etree.XMLSyntaxError as error:
        return [error.lineno, type(error).__name__]
    return None


def handler(event, context):
    actions = (find, links, transform, validate, schematron, objects, build, selector, clean, soup, stream, broken)
    return {action.__name__: action for action in actions}[event["do"]](event)
