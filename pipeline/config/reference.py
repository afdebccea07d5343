"""Reference of every key of configuration and manifest as a page of Markdown, made from their schemas."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.config.manifest import ManifestRecord
from pipeline.config.run import RunConfig

__all__ = ["reference_page"]

HEAD = """# Every key of configuration and manifest

Made from the schemas by `make schema`. The configuration is `stages/config.yaml` with what a file of your own or the command line
changes; the manifest describes data sets. `lesionmap config show DATASET` says what holds for one, and where it comes from.
"""
LIMITS = {"minimum": "≥ ", "maximum": "≤ ", "exclusiveMinimum": "> ", "exclusiveMaximum": "< "}


def reference_page() -> str:
    """Page with one table for the configuration, one for the manifest, and one for each block in them."""
    parts = [HEAD]
    for title, schema in (
        ("Configuration", RunConfig.model_json_schema()),
        ("Manifest", ManifestRecord.model_json_schema()),
    ):
        blocks = schema["$defs"]
        parts.append(f"## {title}\n\n{_table(schema, blocks)}")
        parts += [f"### {name}\n\n{_said(each)}\n\n{_table(each, blocks)}" for name, each in blocks.items()]
    return "\n".join(parts)


def _said(schema: Mapping[str, Any]) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _table(schema: Mapping[str, Any], blocks: Mapping[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = ["| key | value | default | what it says |", "|---|---|---|---|"]
    for key, each in schema.get("properties", {}).items():
        said = _said(each) or _said(blocks.get(str(each.get("$ref", "")).rsplit("/", 1)[-1], {}))
        default = "needed" if key in needed else _default(each.get("default"))
        rows.append(f"| `{key}` | {_kind(each)} | {default} | {_escaped(said)} |")
    return "\n".join(rows) + "\n"


def _default(value: Any) -> str:  # noqa: ANN401 any plain value
    text = json.dumps(value, ensure_ascii=False)
    return "see the block" if isinstance(value, dict) and value else f"`{_escaped(text)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _kind(schema: Mapping[str, Any]) -> str:
    return _escaped(" or ".join(dict.fromkeys(_kinds(schema))))


def _kinds(schema: Mapping[str, Any]) -> Iterator[str]:
    """Accepted kinds of values, in words."""
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if choices:
        for each in choices:
            yield from _kinds(each)
    elif "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        yield f"[{name}](#{name.lower()})"
    elif "enum" in schema or "const" in schema:
        yield " ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array":
        inside = schema.get("prefixItems") or [schema.get("items", {})]
        yield f"list of {' and '.join(dict.fromkeys(_kind(each) for each in inside))}"
    elif "additionalProperties" in schema and isinstance(schema["additionalProperties"], Mapping):
        yield f"name → {_kind(schema['additionalProperties'])}"
    else:
        limits = [f"{sign}{schema[limit]:g}" for limit, sign in LIMITS.items() if limit in schema]
        yield ", ".join([str(schema.get("type", "anything")), *limits])
