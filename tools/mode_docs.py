#!/usr/bin/env python3
"""Makes docs/modes.md from the mode files: mode_docs.py [--check] [SOURCE_ROOT].

With --check nothing is written; the exit status says whether the document is up to date.
"""
import copy
import json
import sys
from pathlib import Path

HEAD = """# Modes

<!-- Made by tools/mode_docs.py from modes/catalogue; do not edit. -->

Each mode is one file in [modes/catalogue](../modes/catalogue). How to write your own:
[writing-modes.md](writing-modes.md). Modes and their parameters are given as JSON
(`{"mode": "idle-close", "params": {"idle": "2s"}}`) or as text (`idle-close;idle=2s`).
"""

GROUPS = {
    "normal": "A server that behaves",
    "idle": "What happens to idle connections",
    "reuse": "What happens to a request on a connection that was used before",
    "response": "What happens to a response",
    "h2": "HTTP/2",
    "establishing": "Establishing a connection",
    "scene": "Scenes: several connections, and marks that the test harness sets",
    "profile": "Profiles: infrastructure with its default times",
}

ASSUMED = "how it closes is not documented, but assumed"


def cell(text):
    """Text for a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def allowed(param):
    """What values a parameter takes."""
    if param["type"] == "choice":
        return " \\| ".join(f"`{value}`" for value in param["allowed"])
    if param["type"] == "int" and ("min" in param or "max" in param):
        return f"int, {param.get('min', '')}–{param.get('max', '')}"
    return param["type"]


def shown(value):
    """A default as one would write it in the text form, without breaking a line or a table."""
    text = json.dumps(value, ensure_ascii=False)
    return text[1:-1] if isinstance(value, str) and value else text


def whole(mode, modes):
    """The mode with all that it inherits."""
    if "extends" not in mode:
        return mode
    made = copy.deepcopy(whole(modes[mode["extends"]], modes))
    params, rules = made.get("params", {}), made.get("rules", [])
    for name, param in mode.get("params", {}).items():
        if isinstance(param, dict):
            params[name] = param
        else:
            params[name]["default"] = param
    closing = made.get("closing", {}) | mode.get("closing", {})
    return made | mode | {
        "params": params, "rules": rules + mode.get("rules", []), "closing": closing
    }


def values(mode, text):
    """What a text in a rule can become: {value: None, or the parameter's value that makes it}."""
    if not isinstance(text, str) or not text.startswith("$") or text.startswith("$$"):
        return {text: None}
    name = text[1:]
    param = mode["params"][name]
    others = {"choice": param.get("allowed", []), "bool": [False, True]}.get(param["type"], [])
    made = {value: f"{name}={shown(value)}" for value in others}
    return made | {param["default"]: None}


def needs_capability(mode):
    """None; "" when a mode needs CAP_NET_ADMIN; or with which parameters it does."""
    found = set()
    for rule in mode["rules"]:
        for step in rule["do"]:
            name, args = (step, {}) if isinstance(step, str) else next(iter(step.items()))
            for value, why in values(mode, name).items():
                if value in ("black_hole", "drop_syn"):
                    found.add(why)
            if name == "forget" and isinstance(args, dict):
                exact = values(mode, args.get("exact", False))
                if True in exact:
                    found.add(exact[True])
    if not found:
        return None
    return "" if None in found else " or ".join(f"`{why}`" for why in sorted(found))


def section(mode):
    """The part of the document about one mode."""
    lines = [f"## {mode['name']}", "", mode["summary"], ""]
    lines += [f"- **The client sees:** {mode['client_sees']}", f"- **Basis:** {mode['basis']}"]
    if mode.get("assumed"):
        lines.append(f"- **Assumed:** {ASSUMED}")
    if "extends" in mode:
        lines.append(f"- **Extends:** [{mode['extends']}](#{mode['extends']})")
    if mode.get("exercises"):
        names = ", ".join(f"`{name}`" for name in mode["exercises"])
        lines.append(f"- **Exercises:** {names}")
    if mode.get("closing"):
        values_said = ", ".join(f"`{name}` `{shown(value)}`" for name, value in mode["closing"].items())
        lines.append(f"- **[Closing](writing-modes.md#how-connections-end):** {values_said}")
    needs = needs_capability(mode)
    if needs is not None:
        only = f", with {needs}" if needs else ""
        lines.append(f"- **Needs:** CAP_NET_ADMIN (`docker run --cap-add NET_ADMIN`){only}")
    if mode.get("params"):
        lines += ["", "| parameter | default | allowed | |", "|---|---|---|---|"]
        for name, param in mode["params"].items():
            default = cell(shown(param["default"]))
            lines.append(f"| `{name}` | `{default}` | {allowed(param)} | {cell(param['about'])} |")
    return "\n".join(lines) + "\n"


def group_table(title, modes):
    """The list of a group's modes."""
    lines = [f"**{title}**", "", "| mode | what it does |", "|---|---|"]
    for mode in modes:
        note = f" ({ASSUMED})" if mode.get("assumed") else ""
        lines.append(f"| [{mode['name']}](#{mode['name']}) | {cell(mode['summary'])}{note} |")
    return "\n".join(lines) + "\n"


def document(root):
    """The whole text."""
    files = (root / "modes" / "catalogue").glob("*.json")
    written = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}
    modes = [whole(written[name], written) for name in sorted(written)]
    parts = [HEAD]
    for group, title in GROUPS.items():
        members = [mode for mode in modes if mode["group"] == group]
        if members:
            parts.append(group_table(title, members))
    return "\n".join(parts + [section(mode) for mode in modes])


def main():
    """Writes or checks."""
    args = [arg for arg in sys.argv[1:] if arg != "--check"]
    root = Path(args[0]) if args else Path(__file__).resolve().parent.parent
    target, text = root / "docs" / "modes.md", document(root)
    if "--check" not in sys.argv:
        target.write_text(text, encoding="utf-8")
        return 0
    if target.exists() and target.read_text(encoding="utf-8") == text:
        return 0
    print("docs/modes.md is stale: run tools/mode_docs.py", file=sys.stderr)
    return 1


sys.exit(main())
