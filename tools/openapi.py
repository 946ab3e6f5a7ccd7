#!/usr/bin/env python3
"""Makes docs/openapi.json: openapi.py [--check] [SOURCE_ROOT].

What is written by hand is in server/admin/api.json: the calls with their examples, and the schemas of
what they take and give. A call with "x-run" is about a run (live: one that has not ended; kept: also one
that has); it is written with its short name, for the default run, and made of that for the others.
Problems come from the rows of server/endpoint/problem.h, events from those of server/ledger/rows.h. With
--check nothing is written; the exit status says whether the document is up to date.
"""
import json
import re
import sys
from pathlib import Path

STRING = r'"(?:[^"\\]|\\.)*"'
PROBLEM_TYPE = "application/problem+json"
HEAD = {
    "seq": {"type": "integer", "description": "never repeated, also after a reset"},
    "at": {"type": "string", "format": "date-time"},
    "ms": {"type": "number", "description": "since the server started"},
}
CUT = {"type": "boolean", "description": "true: something in it was longer than 4,096 bytes"}
KINDS = {
    "INT": {"type": "integer"},
    "TEXT": {"type": "string"},
    "BOOL": {"type": "boolean"},
    "SPAN": {"type": "number"},
    "REAL": {"type": "number"},
    "HASH": {"type": "string"},
    "LIST": {"type": "array", "items": {"type": "string"}},
}
OBJECTS = {"plan": {"$ref": "#/components/schemas/Plan"},
           "expectations": {"$ref": "#/components/schemas/Expect"}}  # the others are free-form
FREE = {"$ref": "#/components/schemas/Params"}
RUN = {"name": "run", "in": "path", "required": True, "schema": {"type": "string"},
       "description": "the id of a run, or default"}
IDS = {"connection": {"type": "integer"}, "exchange": {"type": "integer"}}


def rows(text, table):
    """The rows X(...) of a table in a header: lists of their arguments, texts without quotes."""
    found = re.search(rf"#define {table}\(X\)((?:.*\\\n)+.*)", text)
    if not found:
        sys.exit(f"no table {table}")
    body = found[1].replace("\\\n", "\n")
    made = []
    for row in re.findall(rf"X\(((?:{STRING}|[^\")])*)\)", body):
        made.append([json.loads('"' + "".join(re.findall(rf'"((?:[^"\\]|\\.)*)"', part)) + '"')
                     if '"' in part else part.strip()
                     for part in re.findall(rf"(?:{STRING}|[^,\"])+", row)])
    return made


def camel(name):
    """connection_open: ConnectionOpen"""
    return "".join(part.capitalize() for part in re.split("[_-]", name))


def event_schemas(text):
    """The schema of each event by its name, and of all."""
    kinds = {name: kind for _, name, kind in rows(text, "LEDGER_FIELDS")}
    words = {name: {"type": "string", "enum": [word for _, word in rows(text, f"LEDGER_WORDS_{symbol}")
                                               if word]}
             for symbol, name, kind in rows(text, "LEDGER_FIELDS") if kind == "WORD"}
    members = dict(rows(text, "LEDGER_MEMBERS"))
    made, mapping = {}, {}
    for symbol, name, about in rows(text, "LEDGER_EVENTS"):
        required, properties = [*HEAD, "event"], HEAD | {"event": {"const": name}}
        for member in members[symbol].split():
            key = member.rstrip("?")
            kind = kinds.get(key)
            properties[key] = (IDS[key] if key in IDS else OBJECTS.get(key, FREE)
                               if kind == "JSON" else words[key] if kind == "WORD" else KINDS[kind])
            if key == member:
                required.append(key)
        schema = f"Event{camel(name)}"
        mapping[name] = f"#/components/schemas/{schema}"
        made[schema] = {"type": "object", "description": about, "required": required,
                        "properties": properties | {"cut": CUT}}
    union = {"oneOf": [{"$ref": ref} for ref in mapping.values()],
             "discriminator": {"propertyName": "event", "mapping": mapping}}
    return {"Event": union} | made


def problem_schema(written, problems):
    """The schema of a problem, with the types there are."""
    made = json.loads(json.dumps(written))
    made["properties"]["type"]["enum"] = [f"/problems/{kind}" for kind in problems]
    return made


def responses(operation, method, problems):
    """The responses of a call: what it gives, then its problems by status."""
    json_body = "requestBody" in operation
    kinds = ["invalid-target", "repeated-field", "invalid-query", "forbidden", "body-too-large",
             "failed", "out-of-memory"]
    kinds += ["invalid-json", "invalid-value", "not-json"] if json_body else ["unexpected-body"]
    kinds += ["unauthorized"] if "security" not in operation else []
    kinds += operation.pop("problems", [])
    kinds += {"live": ["run-ended"], "kept": [], None: []}[operation.pop("x-run", None)]
    made = operation["responses"]
    for kind in (kind for kind in problems if kind in kinds):
        status, title, _ = problems[kind]
        answer = made.setdefault(status, {"description": "", "content": {PROBLEM_TYPE: {
            "schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}}})
        answer["description"] += ("; " if answer["description"] else "") + title
        answer["content"][PROBLEM_TYPE]["examples"][kind] = {
            "$ref": f"#/components/examples/{kind}"}
    unknown = [kind for kind in kinds if kind not in problems]
    if unknown:
        sys.exit(f"{method} {operation['operationId']}: there is no problem {unknown}")
    return dict(sorted(made.items()))


def of_run(operation):
    """The same call on any run: the path names it."""
    made = json.loads(json.dumps(operation))
    name = made["operationId"]
    made["operationId"] = "run" + name[0].upper() + name[1:]
    return with_run(made)


def with_run(operation):
    """The parameter {run}, and what is said when there is none."""
    operation["parameters"] = [RUN] + operation.get("parameters", [])
    operation["problems"] = operation.get("problems", []) + ["no-such-run", "run-gone"]
    return operation


def paths(written):
    """What is written of the default run by its short name is there for all runs, too."""
    made = {}
    for path, item in written.items():
        if path == "/v1/runs/{run}":
            item = {method: with_run(operation) for method, operation in item.items()}
        made[path] = item
        if path != "/v1/runs/{run}" and any("x-run" in operation for operation in item.values()):
            made["/v1/runs/{run}" + path.removeprefix("/v1")] = {
                method: of_run(operation) for method, operation in item.items()}
    return made


def document(root):
    """The whole of it."""
    made = json.loads((root / "server/admin/api.json").read_text(encoding="utf-8"))
    made["paths"] = paths(made["paths"])
    ledger = (root / "server/ledger/rows.h").read_text(encoding="utf-8")
    table = rows((root / "server/endpoint/problem.h").read_text(encoding="utf-8"), "PROBLEMS")
    problems = {kind: (status, title, about) for _, status, kind, title, about in table}
    for item in made["paths"].values():
        for method, operation in item.items():
            operation["responses"] = responses(operation, method, problems)
    schemas = made["components"]["schemas"]
    schemas["Problem"] = problem_schema(schemas["Problem"], problems)
    schemas |= event_schemas(ledger)
    made["components"]["schemas"] = schemas
    made["components"]["examples"] = {
        kind: {"summary": title, "value": {"type": f"/problems/{kind}", "title": title,
                                           "status": int(status), "detail": about}}
        for kind, (status, title, about) in problems.items()}
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def main():
    """Writes or checks."""
    args = [arg for arg in sys.argv[1:] if arg != "--check"]
    root = Path(args[0]) if args else Path(__file__).resolve().parent.parent
    target, text = root / "docs" / "openapi.json", document(root)
    if "--check" not in sys.argv:
        target.write_text(text, encoding="utf-8")
        return 0
    if target.exists() and target.read_text(encoding="utf-8") == text:
        return 0
    print("docs/openapi.json is stale: run tools/openapi.py", file=sys.stderr)
    return 1


sys.exit(main())
