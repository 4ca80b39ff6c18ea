"""Sentences taken apart by spaCy without a model: languages and parts of the pipeline are named by the event."""

import spacy
from spacy.matcher import Matcher, PhraseMatcher


def words(event):
    return [token.text for token in spacy.blank(event.get("language", "en"))(event["text"])]


def sentences(event):
    made = spacy.blank("en")
    made.add_pipe("sentencizer")
    return [sentence.text for sentence in made(event["text"]).sents]


def entities(event):
    made = spacy.blank("en")
    made.add_pipe("entity_ruler").add_patterns([{"label": "WOOD", "pattern": [{"LOWER": "oak"}]}])
    return [[found.text, found.label_] for found in made(event["text"]).ents]


def match(event):
    made = spacy.blank("en")
    matcher = Matcher(made.vocab)
    matcher.add("litres", [[{"LIKE_NUM": True}, {"LOWER": "litres"}]])
    text = made(event["text"])
    return [text[start:end].text for _, start, end in matcher(text)]


def phrases(event):
    made = spacy.blank("en")
    matcher = PhraseMatcher(made.vocab, attr="LOWER")
    matcher.add("cask", [made("oak cask")])
    return len(matcher(made(event["text"])))


def pipe(event):
    made = spacy.blank("en")
    made.add_pipe(event["pipe"], **event.get("options", {}))
    return made.pipe_names


def stored(event):
    made = spacy.blank("en")
    text = made(event["text"])
    return [len(type(text)(made.vocab).from_bytes(text.to_bytes())), text[0].is_stop, text[0].lower_]


def unknown(event):
    try:
        spacy.load("en_core_web_sm")
    except OSError as error:
        return "E050" in str(error)
    return None


def handler(event, context):
    actions = (words, sentences, entities, match, phrases, pipe, stored, unknown)
    return {action.__name__: action for action in actions}[event["do"]](event)
