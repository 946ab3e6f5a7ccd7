#!/usr/bin/env python3
"""Writes what the docs say of the modes, from the modes themselves: mode_docs.py [--check] [HANGUP].

That is docs/modes.md, and in other files the lists of the modes that need CAP_NET_ADMIN. HANGUP is
the binary, which knows the modes and the rows of the language (build/release/hangup). With --check
nothing is written; the exit status says whether all is up to date.
"""
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

HEAD = """# Modes

<!-- Made by tools/mode_docs.py from modes/catalogue; do not edit. -->

Each mode is one file in [modes/catalogue](../modes/catalogue). How to write your own:
[writing-modes.md](writing-modes.md). Modes and their parameters are given as JSON
(`{"mode": "idle-close", "params": {"idle": "2s"}}`) or as text (`idle-close;idle=2s`).
"""

ASSUMED = "what its basis calls assumed has no source"


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


def needs(mode):
    """None; "" when a mode needs CAP_NET_ADMIN; or with which parameters it does."""
    if not mode["needs"]:
        return None
    found = [need.get("with") for need in mode["needs"]]
    return "" if None in found else " or ".join(f"`{with_}`" for with_ in sorted(set(found)))


def expectation(item):
    """One, as on a command line."""
    if isinstance(item, str):
        return item
    (name, params), = item.items()
    return name + "".join(f";{key}={shown(value)}" for key, value in params.items())


def difference(one):
    """Where a profile and its server differ, and why."""
    narrowed = [one["over"]] if "over" in one else []
    narrowed += [("over TLS" if one["tls"] else "cleartext")] if "tls" in one else []
    narrowed += ["sometimes"] if one.get("sometimes") else []
    return ", ".join(one["situations"]) + (f" ({', '.join(narrowed)})" if narrowed else "") + f": {one['why']}"


def section(mode):
    """The part of the document about one mode."""
    lines = [f"## {mode['name']}", "", mode["summary"], ""]
    lines += [f"- **The client sees:** {mode['client_sees']}", f"- **Basis:** {mode['basis']}"]
    if mode.get("assumed"):
        lines.append(f"- **Assumed:** {ASSUMED}")
    if mode.get("differs"):
        lines.append("- **Differs from its server** ([profiles.md](profiles.md)):")
        lines += [f"  - {difference(one)}" for one in mode["differs"]]
    if "extends" in mode:
        lines.append(f"- **Extends:** [{mode['extends']}](#{mode['extends']})")
    if mode["over"] != ["h1", "h2"]:
        lines.append(f"- **Over:** {', '.join(f'`{name}`' for name in mode['over'])}")
    if mode.get("exercises"):
        names = ", ".join(f"`{name}`" for name in mode["exercises"])
        lines.append(f"- **Exercises:** {names}")
    if mode.get("expect"):
        names = ", ".join(f"`{expectation(item)}`" for item in mode["expect"])
        lines.append(f"- **[Expects](suites.md#what-is-expected):** {names}")
    if mode.get("closing"):
        values_said = ", ".join(f"`{name}` `{shown(value)}`" for name, value in mode["closing"].items())
        lines.append(f"- **[Closing](writing-modes.md#how-connections-end):** {values_said}")
    if (with_ := needs(mode)) is not None:
        only = f", with {with_}" if with_ else ""
        lines.append(f"- **Needs:** [CAP_NET_ADMIN](docker.md#net_admin){only}")
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


def document(listing):
    """The whole text of docs/modes.md."""
    parts = [HEAD]
    for group in listing["groups"]:
        members = [mode for mode in listing["modes"] if mode["group"] == group["name"]]
        if members:
            parts.append(group_table(group["title"], members))
    return "\n".join(parts + [section(mode) for mode in listing["modes"]])


def who_needs(listing, quote):
    """The sentence that lists the modes that need CAP_NET_ADMIN."""
    names = []
    for mode in listing["modes"]:
        with_ = needs(mode)
        if with_ is not None:
            only = f" (with {with_})".replace("`", quote) if with_ else ""
            names.append(f"{quote}{mode['name']}{quote}{only}")
    return f"CAP_NET_ADMIN is needed by the modes {', '.join(names[:-1])} and {names[-1]}."


# Where the sentence stands: between these lines, each line of it behind a prefix.
LISTS = {
    "README.md": ("", "<!-- who needs CAP_NET_ADMIN: tools/mode_docs.py -->", "<!-- end -->", "`"),
    "docs/docker.md": ("  ", "  <!-- who needs CAP_NET_ADMIN: tools/mode_docs.py -->",
                       "  <!-- end -->", "`"),
    "docker/compose.yaml": ("    # ", "    # Who needs NET_ADMIN (tools/mode_docs.py):", "    # Without it",
                            ""),
}


def with_list(text, listing, prefix, begin, end, quote):
    """A file's text with the sentence put in."""
    lines = textwrap.wrap(who_needs(listing, quote), 120, initial_indent=prefix,
                          subsequent_indent=prefix, break_on_hyphens=False)
    pattern = f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})"
    made, count = re.subn(pattern, lambda _: "\n".join(lines) + "\n", text, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"mode_docs.py: {begin!r} and {end!r} are not there once")
    return made


def main():
    """Writes or checks."""
    args = [arg for arg in sys.argv[1:] if arg != "--check"]
    root = Path(__file__).resolve().parent.parent
    hangup = args[0] if args else root / "build/release/hangup"
    listing = json.loads(subprocess.check_output([hangup, "modes", "--json"]))
    made = {"docs/modes.md": document(listing)}
    for name, row in LISTS.items():
        made[name] = with_list((root / name).read_text(encoding="utf-8"), listing, *row)
    stale = [name for name, text in made.items()
             if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != text]
    if "--check" not in sys.argv:
        for name in stale:
            (root / name).write_text(made[name], encoding="utf-8")
        return 0
    for name in stale:
        print(f"{name} is stale: run tools/mode_docs.py", file=sys.stderr)
    return 1 if stale else 0


sys.exit(main())
