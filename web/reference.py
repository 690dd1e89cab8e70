"""The API reference: an OpenAPI document as a plain page, without scripts or a network.

FastAPI's own pages load Swagger UI or Redoc from another site and start them by an inline script,
which our Content-Security-Policy forbids.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>pixquery: API</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="icon" href="static/icon.svg" type="image/svg+xml">'
    '<link rel="stylesheet" href="static/docs.css"></head><body><main>'
)


def page(document: Mapping[str, Any]) -> str:
    """The HTML page of an OpenAPI document."""
    info = document["info"]
    parts = [
        _HEAD,
        f"<h1>{escape(info['title'])}: API</h1><p>{escape(info.get('summary', ''))} ",
        'For programs: <a href="openapi.json">openapi.json</a>.</p>',
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(path, method, operation)
    parts.append("<h2>Schemas</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts += _schema(name, schema)
    return "".join([*parts, "</main></body></html>"])


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        yield '<div class="wide" tabindex="0"><table><thead><tr><th scope="col">Parameter</th>'
        yield '<th scope="col">Type</th><th scope="col">Meaning</th></tr></thead><tbody>'
        for parameter in parameters:
            schema = parameter.get("schema", {})
            meaning = parameter.get("description") or schema.get("description", "")
            yield f'<tr><th scope="row"><code>{escape(parameter["name"])}</code></th>'
            yield f"<td>{_type(schema)}</td><td>{escape(meaning)}</td></tr>"
        yield "</tbody></table></div>"
    for kind in operation.get("requestBody", {}).get("content", {}):
        yield f"<p>Request body: <code>{escape(kind)}</code> with one file <code>photo</code>.</p>"
    yield "<ul>"
    for status, response in sorted(operation["responses"].items()):
        content = response.get("content", {})
        kinds = ", ".join(_content(kind, media) for kind, media in content.items())
        yield f"<li><b>{escape(status)}</b> {escape(response.get('description', ''))} {kinds}</li>"
    yield "</ul></section>"


def _content(kind: str, media: Mapping[str, Any]) -> str:
    schema = media.get("schema", {})
    return _type(schema) if "$ref" in schema else f"<code>{escape(kind)}</code>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<section><h3 id="{escape(name)}">{escape(name)}</h3>'
    yield f"<p>{escape(schema.get('description', ''))}</p><dl>"
    for field, described in schema.get("properties", {}).items():
        yield f"<dt><code>{escape(field)}</code> {_type(described)}</dt>"
        yield f"<dd>{escape(described.get('description', ''))}</dd>"
    yield "</dl></section>"


def _type(schema: Mapping[str, Any]) -> str:
    """A type in words."""
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for ways in ("anyOf", "oneOf"):
        if ways in schema:
            return " or ".join(_type(way) for way in schema[ways])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    limits = [
        phrase.format(schema[name])
        for name, phrase in (
            ("minimum", "at least {}"),
            ("maximum", "at most {}"),
            ("maxLength", "at most {} characters"),
        )
        if name in schema
    ]
    kind = str(schema.get("format", schema.get("type", "")))
    return escape(", ".join([kind, *limits]))
