#!/usr/bin/env python3
"""Fails unless the tables of docs/admin-api.md and docs/suites.md name what docs/openapi.json has, all of it and nothing else:
the calls, the members of what is sent and answered, the parameters of the events."""
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = "/v1/runs/{run}"
# For each table, by the line above it (the first of its cells, or text before it): the schema that it has the members of.
MEMBERS = {"| member of POST |": "RunSpec",
           "The response is 201 with `Location` and the run": "Run",
           "| member of an entry |": "PlanEntry",
           "| member of a connection |": "Connection",
           "Problem details (RFC 9457)": "Problem"}
# In the header of a request, and told in the text.
HEADERS = {"Last-Event-ID"}


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def table_behind(text, mark):
    """The first cells of the rows of the first table at or behind this mark."""
    rows = re.search(r"(?:^\|.*\n)+", text[text.index(mark):], re.M).group(0).splitlines()[2:]
    return [re.split(r"(?<!\\)\|", row)[1] for row in rows]


def named(text, mark):
    return {name for cell in table_behind(text, mark) for name in quoted(cell)}


def calls_told(text):
    """(method, path) of the table of the calls. A path that begins with "..." continues the one of its run."""
    found = set()
    for cell in table_behind(text, "| call |"):
        methods = re.findall(r"\b[A-Z]+\b", re.sub(r"`[^`]*`", "", cell))
        found |= {(method.lower(), path.replace("...", RUN)) for method in methods for path in quoted(cell)}
    return found


def differences(what, told, there):
    return [f"{what}: {name} is missing" for name in sorted(map(str, there - told))] + \
        [f"{what}: there is no {name}" for name in sorted(map(str, told - there))]


def main():
    api = json.loads((ROOT / "docs/openapi.json").read_text())
    text, suites = ((ROOT / name).read_text() for name in ("docs/admin-api.md", "docs/suites.md"))
    schemas, short = api["components"]["schemas"], {path.removeprefix(RUN) for path in api["paths"]}
    calls = {(method, path) for path, methods in api["paths"].items() for method in methods
             if path.startswith(RUN) or f"/{path.removeprefix('/v1/')}" not in short}
    wrong = differences("calls", calls_told(text), {call for call in calls if call[0] != "parameters"})
    for mark, schema in MEMBERS.items():
        wrong += differences(schema, named(text, mark), set(schemas[schema]["properties"]))
    parameters = {p["name"] for p in api["paths"]["/v1/events"]["get"]["parameters"]} - HEADERS
    wrong += differences("parameters of events", named(text, "| parameter |"), parameters)
    rows = schemas["Suite"]["properties"]["rows"]["items"]["properties"]
    wrong += differences("rows of suites", named(suites, "| member of a row |"), set(rows))
    for line in wrong:
        print(f"docs: {line}", file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
