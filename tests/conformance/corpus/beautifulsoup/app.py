"""Pages taken apart by BeautifulSoup, with whichever parser the event names."""

import bs4
from bs4 import BeautifulSoup, SoupStrainer

PAGE = (
    "<html><body><h1>Casks</h1><ul><li class='oak new'>50<li>30</ul><p>a<b>c</p>"
    "<a href='/x?a=1&amp;b'>x</a></body></html>"
)


def soup(event, **options):
    return BeautifulSoup(event.get("page", PAGE), event.get("parser", "html.parser"), **options)


def texts(event):
    return [found.get_text(" ", strip=True) for found in soup(event).find_all(event["tag"])]


def select(event):
    return [found.get_text(strip=True) for found in soup(event).select(event["css"])]


def render(event):
    return soup(event).p.decode(formatter=event.get("formatter", "minimal"))


def only(event):
    return str(soup(event, parse_only=SoupStrainer("a")))


def encoded(event):
    page = BeautifulSoup("<p>Fässer</p>".encode(event["encoding"]), "html.parser", from_encoding=event.get("given"))
    return [page.p.text, page.original_encoding]


def unknown(event):
    try:
        BeautifulSoup("", "nonesuch")
    except bs4.FeatureNotFound as error:
        return type(error).__name__
    return None


def change(event):
    page = soup(event)
    page.h1.string = "Barrels"
    page.a.wrap(page.new_tag("div"))["id"] = "1"
    return [str(page.div), page.h1.find_next("li").text[:2]]


def handler(event, context):
    actions = (texts, select, render, only, encoded, unknown, change)
    return {action.__name__: action for action in actions}[event["do"]](event)
