#!/usr/bin/env python3
"""Generates a TypeScript client from docs/openapi.json and compiles the documents' calls with it.

    typescript.py --build DIR

The packages, whose versions package-lock.json has, are installed into DIR once; where the registry
cannot be reached the test is skipped, unless CI=true. Each curl command for the admin API in
README.md and docs/admin-api.md becomes a call of the generated client; these and calls.ts are then
compiled with --strict.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DOCUMENTS = ("README.md", "docs/admin-api.md")
OPTIONS = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022",
           "--lib", "es2022,dom,dom.iterable"]
# A body that comes from a file; of lines.
NOT_SHOWN = {"@mine.json": "{ name: 'mine', summary: 's', rules: [] }", "@lines": "'{}'"}


def commands(text):
    """The curl commands for the admin API in a document."""
    text = text.replace("\\\n", " ")
    for found in re.findall(r"curl (?:[^'\"`\n|;)>]|'[^']*'|\"[^\"]*\")*", text):
        if re.search(r"localhost:9000", found) and "https:" not in found:
            yield found


def read_curl(command):
    """Method, path, query and body (JSON text, or None) of a curl command."""
    method = body = url = None
    words = shlex.split(command)[1:]
    while words:
        word = words.pop(0)
        if word in ("-X", "--request"):
            method = words.pop(0)
        elif word in ("-d", "--data", "--data-binary"):
            body = words.pop(0)
        elif word in ("-H", "--header"):
            words.pop(0)
        elif not word.startswith("-"):
            url = word
    path, _, query = re.sub(r"^(http://)?localhost:9000", "", url).partition("?")
    return method or ("POST" if body else "GET"), path, query, body


def template(paths, method, path):
    """The path of the description that this one is of, and its parameters."""
    for pattern, item in paths.items():
        names = re.findall(r"{(\w+)}", pattern)
        found = re.fullmatch(re.sub(r"{\w+}", "([^/]+)", pattern), path)
        if found and method.lower() in item:
            return pattern, dict(zip(names, found.groups()))
    raise ValueError(f"docs/openapi.json has no {method} {path}")


def value(text):
    """A parameter of a path or query as TypeScript."""
    return text if text.isdigit() else "41" if text.startswith("$") else json.dumps(text)


def call(paths, command):
    """The same call with the generated client."""
    method, path, query, body = read_curl(command)
    pattern, in_path = template(paths, method, path)
    in_query = dict(pair.split("=", 1) for pair in query.split("&") if pair)
    parameters = [f"{place}: {{ " + ", ".join(f"{k}: {value(v)}" for k, v in given.items()) + " }"
                  for place, given in (("path", in_path), ("query", in_query)) if given]
    options = [f"params: {{ {', '.join(parameters)} }}"] if parameters else []
    if body:
        options.append("body: " + NOT_SHOWN.get(body, body))
    return f"await client.{method}({json.dumps(pattern)}, {{ {', '.join(options)} }});"


def make_calls():
    """The program of all calls, and how many there are."""
    paths = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
    lines = ['import createClient from "openapi-fetch";', 'import type { paths } from "./api.js";',
             "const client = createClient<paths>();"]
    for name in DOCUMENTS:
        made = [call(paths, found) for found in commands((ROOT / name).read_text())]
        lines += [f"// {name}", *made]
    return "\n".join(lines) + "\n", sum(line.startswith("await") for line in lines)


def run(command, folder):
    """Its exit status and what it wrote."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def install(folder):
    """None, or why it cannot be done."""
    if not shutil.which("npm"):
        return "npm is not there"
    lock = (HERE / "package-lock.json").read_bytes()
    mark = folder / "installed"
    if mark.exists() and mark.read_bytes() == lock:
        return None
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    status, output = run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                          "--fetch-retries=1", "--fetch-timeout=30000"], folder)
    if status:
        print("\n".join(f"# {line}" for line in output.splitlines()))
        return "the packages cannot be installed: is there a registry?"
    mark.write_bytes(lock)
    return None


def report(number, title, status, output):
    """One case."""
    print("\n".join(f"# {line}" for line in output.splitlines()))
    print(f"{'not ok' if status else 'ok'} {number} - {title}", flush=True)
    return bool(status)


def main():
    """Three cases."""
    options = argparse.ArgumentParser()
    options.add_argument("--build", required=True, type=pathlib.Path)
    folder = options.parse_args().build.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    missing = install(folder)
    if missing and os.environ.get("CI") != "true":
        print(f"1..0 # SKIP {missing}")
        return 0
    print("1..3")
    if missing:
        return report(1, "the packages are there", 1, missing)
    program, count = make_calls()
    (folder / "documents.ts").write_text(program)
    shutil.copy(HERE / "calls.ts", folder)
    bin_of = folder / "node_modules" / ".bin"
    failed = report(1, f"{count} calls are in the documents", count < 20, "")
    failed |= report(2, "a client is generated", *run(
        [bin_of / "openapi-typescript", ROOT / "docs/openapi.json", "-o", "api.d.ts"], folder))
    failed |= report(3, "the calls compile with --strict", *run(
        [bin_of / "tsc", *OPTIONS, "documents.ts", "calls.ts"], folder))
    return int(failed)


sys.exit(main())
