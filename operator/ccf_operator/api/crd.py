"""The CustomResourceDefinitions, made from the models.

`python -m ccf_operator.api.crd` prints them; given directories, it writes them there, each in a file of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, NoDefault
from pydantic_core import core_schema

from ccf_operator.api.decision import CCFRecoveryDecisionSpec, CCFRecoveryDecisionStatus
from ccf_operator.api.decision_rules import DECISION_RULES
from ccf_operator.api.rules import RULES, Rule, matching
from ccf_operator.api.spec import CCFNetworkSpec
from ccf_operator.api.status import NetworkStatus
from ccf_operator.render import labels

Schema = dict[str, Any]

_KEPT = (
    "type",
    "format",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
)
_INT32_MAX = 2**31 - 1

CATEGORY = "ccf-operator"
"""What `kubectl get` shows all our kinds under. Never `all`: `kubectl delete all --all`, which people use to tidy up a
namespace, would end every network in it."""


def _column(name: str, path: str, description: str, kind: str = "string", priority: int = 0) -> Schema:
    return {"name": name, "type": kind, "jsonPath": path, "description": description, "priority": priority}


PRINTER_COLUMNS: tuple[Schema, ...] = (
    _column("Ready", ".status.readyNodes", "Nodes fit for traffic / nodes wanted."),
    _column("Service", ".status.service.status", "Status of the service in CCF's words."),
    _column("Phase", ".status.phase", "Where the network is in its life."),
    _column("Recoveries", ".status.recoveries", "Disaster recoveries it has come through.", kind="integer"),
    _column("TxID", ".status.highWaterMark.txID", "Greatest committed TxID seen."),
    _column("Age", ".metadata.creationTimestamp", "Time since it was created.", kind="date"),
    _column("Verdict", ".status.quorum.verdict", "What is proven about quorum.", priority=1),
    _column("Reason", ".status.reason", "Why it is in this phase.", priority=1),
    _column("Message", ".status.message", "The same in a sentence.", priority=1),
)
"""What `kubectl get ccf` shows; those with priority 1 only with `-o wide`."""

UNSEEN_STATUS: Schema = {"observedGeneration": -1}
"""The status of a network that the operator has not looked at: kstatus takes an object without any for finished."""

DECISION_COLUMNS: tuple[Schema, ...] = (
    _column("Network", ".spec.network", "The network it is about."),
    _column("Action", ".spec.action", "What is decided."),
    _column("Volume", ".spec.volume", "The volume it is about, if any."),
    _column("State", ".status.state", "What became of it."),
    _column("Age", ".metadata.creationTimestamp", "Time since it was made.", kind="date"),
    _column("Message", ".status.message", "What was done, or why it was refused.", priority=1),
    _column("Reason", ".spec.reason", "Why it was made.", priority=1),
)
"""What `kubectl get ccfrecoverydecisions` shows."""


class _WithFactoryDefaults(GenerateJsonSchema):
    """Shows also the defaults that a factory makes, where they are more than an empty list or object."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        factory: Any = schema.get("default_factory")
        value = factory() if factory is not None else schema.get("default", NoDefault)
        inner = self.generate_inner(schema["schema"])
        if value is NoDefault or value in (None, [], {}):
            return inner
        if isinstance(value, BaseModel):
            # Every field spelled out: rules are checked on the default itself, before its fields are filled in.
            value = _without_empty(value.model_dump(mode="json", by_alias=True, exclude_none=True))
        return {**inner, "default": self.encode_default(value)}


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in ([], {})}


def structural(model: type[BaseModel], path: str = "", rules: Mapping[str, tuple[Rule, ...]] = RULES) -> Schema:
    """The structural schema of a model that stands at `path` (`.spec`), with the rules of those places."""
    document = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_WithFactoryDefaults)
    return _structural(document, document.get("$defs", {}), path, rules)


def without_defaults(schema: Schema) -> Schema:
    """The same schema with nothing filled in by the API server: what a controller reports is only what it wrote."""
    kept = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in kept:
        kept["properties"] = {name: without_defaults(field) for name, field in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = without_defaults(kept[key])
    return kept


def _resolve(node: Schema, definitions: Schema) -> Schema:
    """The node with its `$ref` followed and its `| null` dropped; what stands beside them wins."""
    beside = {key: value for key, value in node.items() if key not in ("$ref", "anyOf", "allOf")}
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        return {**_resolve(target, definitions), **beside}
    # An absent field and null mean the same; the API server drops a null where the field is not nullable.
    choices = [choice for choice in node.get("anyOf") or node.get("allOf") or () if choice != {"type": "null"}]
    if not choices:
        return node
    if len(choices) == 1:
        return {**_resolve(choices[0], definitions), **beside}
    if {choice.get("type") for choice in choices} == {"integer", "string"}:
        return {"x-kubernetes-int-or-string": True, **beside}
    raise TypeError(f"a structural schema has no choice between {choices}")


def _structural(node: Schema, definitions: Schema, path: str, places: Mapping[str, tuple[Rule, ...]]) -> Schema:
    node = _resolve(node, definitions)
    schema: Schema = {}
    if "description" in node:
        schema["description"] = " ".join(node["description"].split())
    schema |= {key: node[key] for key in _KEPT if key in node}
    schema |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    if node.get("type") == "integer":
        schema["format"] = "int32" if node.get("maximum", _INT32_MAX + 1) <= _INT32_MAX else "int64"
    if "default" in node:
        schema["default"] = node["default"]
    if node.get("type") == "array":
        schema["items"] = _structural(node["items"], definitions, f"{path}[]", places)
        schema.setdefault("x-kubernetes-list-type", "atomic")
    if "properties" in node:
        schema["properties"] = {
            name: _structural(field, definitions, f"{path}.{name}", places)
            for name, field in node["properties"].items()
        }
        if node.get("required"):
            schema["required"] = sorted(node["required"])
    elif node.get("type") == "object":
        values = node.get("additionalProperties", True)
        if isinstance(values, dict):
            schema["additionalProperties"] = _structural(values, definitions, f"{path}[]", places)
        else:
            schema["x-kubernetes-preserve-unknown-fields"] = True
    rules = [matching(node["pattern"])] if "pattern" in node else []
    rules += places.get(path, ())
    if rules:
        schema["x-kubernetes-validations"] = [rule.to_schema() for rule in rules]
    return schema


def definition() -> Schema:
    """The CustomResourceDefinition of CCFNetwork."""
    return _definition(
        kind=labels.KIND,
        plural=labels.PLURAL,
        short_names=["ccf"],
        columns=PRINTER_COLUMNS,
        root={
            "description": "A CCF network: one CCF service over its whole life, disaster recoveries included.",
            **_object(
                labels.KIND,
                structural(CCFNetworkSpec, ".spec"),
                {**without_defaults(structural(NetworkStatus, ".status")), "default": UNSEEN_STATUS},
            ),
            "x-kubernetes-validations": [rule.to_schema() for rule in RULES[""]],
        },
        scale={
            "specReplicasPath": ".spec.nodes",
            "statusReplicasPath": ".status.nodesTotal",
            "labelSelectorPath": ".status.selector",
        },
    )


def decision_definition() -> Schema:
    """The CustomResourceDefinition of CCFRecoveryDecision."""
    return _definition(
        kind=labels.DECISION_KIND,
        plural=labels.DECISION_PLURAL,
        short_names=["ccfrd"],
        columns=DECISION_COLUMNS,
        root={
            "description": "A person's decision about a recovery of a CCF network: made once, kept as a record.",
            **_object(
                labels.DECISION_KIND,
                structural(CCFRecoveryDecisionSpec, ".spec", DECISION_RULES),
                without_defaults(structural(CCFRecoveryDecisionStatus, ".status", DECISION_RULES)),
            ),
        },
    )


def _object(kind: str, spec: Schema, status: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this API."},
            "kind": {"type": "string", "description": kind},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _definition(
    *,
    kind: str,
    plural: str,
    short_names: list[str],
    columns: tuple[Schema, ...],
    root: Schema,
    scale: Schema | None = None,
) -> Schema:
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": short_names,
        "categories": [CATEGORY],
    }
    version = {
        "name": labels.API_VERSION.partition("/")[2],
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(columns),
        "schema": {"openAPIV3Schema": root},
        "subresources": {"status": {}, **({"scale": scale} if scale is not None else {})},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{labels.GROUP}"},
        "spec": {"group": labels.GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def files() -> dict[str, str]:
    """Each definition as it stands in `crds/`, by the name of its file."""
    return {
        f"{labels.GROUP}_{made['spec']['names']['plural']}.yaml": _to_yaml(made)
        for made in (definition(), decision_definition())
    }


def _to_yaml(made: Schema) -> str:
    body: str = yaml.safe_dump(made, sort_keys=False, width=120, allow_unicode=True)
    return f"# Made by `python -m ccf_operator.api.crd` from ccf_operator/api; do not edit.\n{body}"


def main(directories: list[str]) -> None:
    """Write the definitions into the directories, or print them where none is given."""
    for name, text in files().items():
        for directory in directories:
            (Path(directory) / name).write_text(text)
    if not directories:
        sys.stdout.write("---\n".join(files().values()))


if __name__ == "__main__":
    main(sys.argv[1:])
