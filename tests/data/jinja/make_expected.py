#!/usr/bin/env python3
"""Writes expected.jsonl: what jinja2 renders of the templates and small cases beside this file, or of the templates of
another folder, into that folder, for XLSTM_JINJA_TEMPLATES=DIR unit_text_jinja. Usage: make_expected.py [DIR]

The environment is that of transformers' apply_chat_template. The first line holds the versions; then a case a line:
{"template": FILE, "conversation": NAME} or {"source": TEXT} with {"output": TEXT} or {"error": true}. The variables of a
source are those of variables.json. Needs jinja2, nothing else.
"""
import datetime
import json
import pathlib
import platform
import random
import re
import sys

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2024, 7, 26, 9, 5, 7)  # as in the tests
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

VALUES = """1 0 -7 2.5 -0.0 1e16 true none 'a' '' 'b\u00e9' '12' [1,2] [] ['a'] (1,) () {'a':1} {} nope range(3) d.items()
[1,[2,'x']] {'a':1,'b':[none,true]}""".split()
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
TESTS = """boolean callable defined even false float integer iterable lower mapping none number odd sequence string true
undefined upper eq(1) ne('a') gt(0) le(2.5) in([1,'a']) divisibleby(2)""".split()
FILTERS = """abs batch(2)|list capitalize count default('D') default('D',true) dictsort first float int items|list join('+')
last length list lower map('upper')|list map('string')|list max min reject|list select|list reverse|list round(1)
slice(2)|list sort sort(reverse=true) string sum title tojson tojson(indent=2) trim truncate(5) unique|list upper urlencode
wordcount select('string')|list center(7) attr('upper') replace('a','Q') map(attribute='a')|list selectattr('a')|list
map(attribute='a',default=9)|list sort(attribute='a') sum(attribute='a') selectattr('a','defined')|list""".split()
POSTFIXES = [".foo", "['a']", "[0]", "[-1]", "[1:]", "[::-1]", "()", ".items()", ".upper()", ".a", ".append(1)", ".append"]
INPUTS = VALUES + ["[{'a':1},{'a':2},{'b':3}]", "'a,b c_d-e'", "[3,1,2]", "['b','A','c']", "' x y '", "'0x1f'", "'1e3'",
                   "3.7", "2.675"]
PIECES = ["{% if t %}", "{%- if t -%}", "{%+ if t +%}", "{% endif %}", "{%- endif -%}", "{%+ endif %}", "{{ 1 }}",
          "{{- 1 -}}", "{# c #}", "{#- c -#}", "{#+ c +#}", "{% raw %}", "{% endraw %}", "{%- raw -%}", "{%- endraw -%}",
          "{% endraw +%}", "{% set x = 1 %}", "{% set x -%}", "{% endset %}", "a", " ", "\n", "  ", "\t", "\r\n", "\u00a0"]
LINES = ["{% filter indent(2, true) %}a\nb\n{% endfilter %}", "{% raw %}\nx\n{% endraw %}\ny", '{{ "a\nb" }}', "{{ 1 }}\nb",
         "{% if t +%}\nx\n{% endif %}", "  {%+ if t %}x{% endif %}", "a\r\nb\rc\n\n", "a\n", "\n\na",
         "{% if t %}\na\n{% endif %}\n", "{{ nope\n.foo }}", "{% for x in l %}\n  {{ x }}\n{% endfor %}\n",
         "  {% for x in l %}\n  {{ x }}\n  {% endfor %}\n  b", "{# a\n #}\n  x", "x\n  {# c #}\n  y", "x\n  {{ 1 }}\n  y",
         "x {%- if t %} y {%- endif %} z", "x\n\n{%- if t -%}\n\n y \n{%- endif -%}\n z"]
# What is refused here though Python has an answer: sets, complex numbers, orders of views.
REFUSED = ["d.items() -", "- d.items()", "-7 **", "d.items() <", "d.items() >"]


class AssistantTracker(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def make_environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[AssistantTracker, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = NOW.strftime
    return environment


def sample(rng, cases, count):
    cases = [case for case in cases if not any(refused in case for refused in REFUSED)]
    return rng.sample(cases, min(count, len(cases)))


def small_sources():
    rng = random.Random(1)
    for op in OPERATORS:
        yield from sample(rng, [f"{{{{ {a} {op} {b} }}}}" for a in VALUES for b in VALUES], 50)
    for test in TESTS:
        yield from sample(rng, [f"{{{{ {a} is {test} }}}}" for a in VALUES], 10)
    for name in FILTERS:
        yield from sample(rng, [f"{{{{ {a}|{name} }}}}" for a in INPUTS], 9)
    for postfix in POSTFIXES:
        yield from sample(rng, [f"{{% set v = {a} %}}{{{{ v{postfix} }}}}" for a in VALUES], 9)
    for value in VALUES:
        yield f"{{{{ {value} }}}}|{{{{ [{value}] }}}}|{{{{ not {value} }}}}|{{{{ 'y' if {value} else 'n' }}}}"
    yield from ("".join(rng.choice(PIECES) for _ in range(rng.randint(2, 8))) for _ in range(250))
    yield from LINES
    yield from (HERE / "statements.txt").read_text(encoding="utf-8").splitlines()


def expected(environment, source, variables):
    try:
        return {"output": environment.from_string(source).render(**variables)}
    except Exception:  # of whatever kind: it has to be an error here as well
        return {"error": True}


def skipped(source, result):
    """An address of Python, or a slip of jinja2: a comment or raw block right at the end of the template need not end."""
    return " at 0x" in result.get("output", "") or re.search(r"(\braw -?%}|{#-?)\s*$", source) is not None


def template_cases(environment, folder):
    tools = json.loads((HERE / "tools.json").read_text(encoding="utf-8"))
    conversations = json.loads((HERE / "conversations.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.jinja")):
        for name, variables in conversations.items():
            variables = {"tools": None, "documents": None, **SPECIAL_TOKENS, **variables}
            if variables["tools"] == "TOOLS":
                variables["tools"] = tools
            result = expected(environment, path.read_text(encoding="utf-8"), variables)
            yield {"template": path.name, "conversation": name, **result}


def small_cases(environment):
    variables = json.loads((HERE / "variables.json").read_text(encoding="utf-8"))
    for source in dict.fromkeys(small_sources()):
        result = expected(environment, source, variables)
        if not skipped(source, result):
            yield {"source": source, **result}


def write_lines(path, lines):
    lines = [{"jinja2": jinja2.__version__, "python": platform.python_version()}, *lines]
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")


def main():
    environment = make_environment()
    if len(sys.argv) > 1:
        folder = pathlib.Path(sys.argv[1])
        write_lines(folder / "expected.jsonl", template_cases(environment, folder))
        return
    write_lines(HERE / "expected.jsonl", [*template_cases(environment, HERE / "templates"), *small_cases(environment)])


if __name__ == "__main__":
    main()
