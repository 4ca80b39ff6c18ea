"""Templates: loaders, extensions by name, sandboxes, asynchronous rendering, errors with their lines."""

import jinja2
from jinja2.sandbox import SandboxedEnvironment

PAGES = {
    "base": "<h1>{% block title %}Casks{% endblock %}</h1>",
    "page": "{% extends 'base' %}{% block title %}{{ super() }} of {{ wood }}{% endblock %}",
}


def render(event):
    return jinja2.Template(event["template"]).render(event.get("values", {}))


def inherit(event):
    return (
        jinja2.Environment(loader=jinja2.DictLoader(PAGES), autoescape=True).get_template("page").render(wood="<oak>")
    )


def extend(event):
    environment = jinja2.Environment(extensions=[event["extension"]])
    if hasattr(environment, "install_gettext_translations"):
        environment.install_null_translations()
    return environment.from_string(event["template"]).render(items=[1, 2, 3])


def packaged(event):
    loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader("templates"), jinja2.DictLoader(PAGES)])
    return jinja2.Environment(loader=loader).get_template("letter.txt").render(name=event["name"])


def sandbox(event):
    try:
        return SandboxedEnvironment().from_string(event["template"]).render(x=())
    except jinja2.exceptions.SecurityError as error:
        return str(error)


def asynchronous(event):
    import asyncio

    environment = jinja2.Environment(enable_async=True)
    return asyncio.run(environment.from_string("{% for n in items %}{{ n }}{% endfor %}").render_async(items=[1, 2]))


def broken(event):
    try:
        jinja2.Template("a\n{% if %}")
    except jinja2.TemplateSyntaxError as error:
        return [error.lineno, error.message]
    return None


def native(event):
    from jinja2.nativetypes import NativeEnvironment

    return NativeEnvironment().from_string("{{ [1, 2] + [3] }}").render()


def variables(event):
    from jinja2 import meta

    return sorted(meta.find_undeclared_variables(jinja2.Environment().parse(event["template"])))


def handler(event, context):
    actions = (render, inherit, extend, packaged, sandbox, asynchronous, broken, native, variables)
    return {action.__name__: action for action in actions}[event["do"]](event)
