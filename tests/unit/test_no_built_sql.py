"""No statement is put together from texts: literals, parameters and psycopg's composition only."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.test_project_rules import CODE, SQL, code_files, listed, parsed

RUNS = ("execute", "executemany", "copy")
PUTS_TOGETHER = ("format", "join", "replace", "encode", "strip")

# Where a text that is no literal becomes SQL, and why no input of anybody is in it.
_OWN_FILE = "the text is a file of ours, its gaps are filled by psycopg"
_OWN_WORDS = "privileges, kinds and questions are constants of the module"
SAFE = {
    "reports/asking.py ask": "the function is one of FUNCTIONS, the names are our parameters'",
    "warehouse/backfill.py _estimate": _OWN_FILE,
    "warehouse/doctor.py _delay": _OWN_FILE,
    "warehouse/doctor.py _rights": _OWN_FILE,
    "warehouse/verify.py _statement": _OWN_FILE,
    "warehouse/verify.py _no_rows": _OWN_WORDS,
    "warehouse/logins.py _has": _OWN_WORDS,
    "warehouse/roles.py grant_rights": _OWN_WORDS,
    "warehouse/roles.py _statements": _OWN_WORDS,
    "warehouse/roles.py _name": "types of arguments, as the catalogue writes them",
    "warehouse/source_contract.py _no_select": "said to a person, who runs it",
    "warehouse/source_triggers.py _change": "one of two functions of ours",
}


def built(node: ast.AST, names: Mapping[str, ast.AST]) -> bool:
    """Whether an expression is a text made of pieces, also by a variable of the same function."""
    if isinstance(node, ast.Name) and node.id in names:
        return built(names[node.id], {})
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return is_text(node.left) or is_text(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        made = node.func.attr in PUTS_TOGETHER and is_text(node.func.value)
        return (made and bool(node.args or node.keywords)) or built(node.func.value, names)
    return False


def is_text(node: ast.AST) -> bool:
    """Whether an expression is plainly a text."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return is_text(node.left) or is_text(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def statements(function: ast.AST) -> Iterator[ast.AST]:
    """Expressions that are run as SQL, or taken by psycopg as a piece of it."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if node.func.attr in RUNS:
                yield node.args[0]
            if node.func.attr == "SQL" and not is_text(node.args[0]):
                yield ast.JoinedStr([ast.FormattedValue(node.args[0], -1)], lineno=node.lineno)
            if node.func.attr == "SQL" and built(node.args[0], {}):
                yield node.args[0]
        if isinstance(node, ast.JoinedStr | ast.BinOp) and starts_as_sql(node):
            yield node


def starts_as_sql(node: ast.AST) -> bool:
    """Whether a text made of pieces reads like a statement."""
    pieces = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    text = " x ".join(piece for piece in pieces if isinstance(piece, str))
    return built(node, {}) and bool(SQL.match(text))


def findings(module: ast.Module) -> dict[str, int]:
    """Functions that run a text made of pieces, with the line."""
    found = {}
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for statement in statements(function):
            if built(statement, names):
                found[function.name] = getattr(statement, "lineno", function.lineno)
    return found


def place(path: Path, function: str) -> str:
    return f"{path.relative_to(CODE)} {function}"


def test_no_statement_is_put_together() -> None:
    found = {
        place(path, function): line
        for path in code_files()
        for function, line in findings(parsed(path)).items()
    }
    new = [f"{name}, line {line}" for name, line in found.items() if name not in SAFE]
    assert not new, listed(new)
    assert not set(SAFE) - set(found), "these exceptions are needed no more"


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("c.execute('select 1 from t where x = %s', [x])", False),
        ("c.execute(sql.SQL('drop table {}').format(sql.Identifier(x)))", False),
        ("c.execute(f'select {x}')", True),
        ("c.execute(f'select {x}'.encode())", True),
        ("c.execute('select ' + x)", True),
        ("c.execute('select %s' % x)", True),
        ("c.execute('select {}'.format(x))", True),
        ("c.execute('select x'.replace('x', x))", True),
        ("text = f'select {x}'\n    c.execute(text)", True),
        ("c.execute(sql.SQL(x))", True),
        ("c.execute(sql.SQL(f'select {x}'))", True),
        ("ask(c, f'select a from {x}')", True),
        ("c.executemany('insert into t values (%s)' + x, rows)", True),
        ("say(f'{x} of {y}')", False),
    ],
)
def test_the_rule_knows_a_statement_that_was_put_together(code: str, is_found: bool) -> None:
    assert bool(findings(ast.parse(f"def run(c, x, y, rows):\n    {code}\n"))) is is_found
