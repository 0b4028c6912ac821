"""The code of the models: what is written, and that it is fit to be pasted."""

import ast
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arbvantage_provider import Provider
from arbvantage_provider.codegen.models import export_models

Generate = Callable[..., str]
Load = Callable[[str], Any]
Run = Callable[..., subprocess.CompletedProcess[str]]
PROGRAMS = Path(__file__).parent / "programs"


def test_the_models_read_as_a_person_writes_them(generate: Generate) -> None:
    assert generate("orders") == (PROGRAMS / "orders.models.txt").read_text()


def test_the_same_actions_give_the_same_code(generate: Generate, load: Load) -> None:
    code = generate("handlers")
    actions = load("program").provider.actions
    again = [export_models(actions, name="shop") for _ in range(2)]
    assert again == [code, code]


def test_where_no_schema_is_a_dict_there_is_no_code() -> None:
    provider = Provider("shop")
    provider.actions.register("typed")(lambda: None)
    assert export_models(provider.actions, name="shop") == ""


KEYS: dict[str, str] = {
    "name": "name",
    "first-name": "first_name_2",
    "first_name": "first_name",
    "first name": "first_name_3",
    "firstName": "firstName",
    "": "field",
    " ": "field_2",
    "😀": "field_3",
    "\u0000": "field_4",
    '"': "field_5",
    "\\": "field_6",
    "class": "class_",
    "None": "None_",
    "_id": "id_2",
    "id": "id",
    "__base__": "base",
    "__class__": "class__2",
    "model_config": "model_config_",
    "model_dump": "field_model_dump",
    "model_dump_all": "field_model_dump_all",
    "model_fields": "model_fields_",
    "model_name": "model_name",
    "schema": "schema_",
    "copy": "copy_",
    "json": "json_",
    "1": "field_1",
    "a.b": "a_b",
    "@type": "type",
    "$ref": "ref",
    "имя": "имя",
    "名前": "名前",
    "ﬁ": "fi",
    "self": "self",
    "cls": "cls",
    "str": "str",
    "int": "int",
    "list": "list",
    "Field": "Field",
    "StrictModel": "StrictModel",
    "KeysPayload": "KeysPayload2",
    "match": "match",
}


def test_each_key_has_a_field_that_is_like_it(generate: Generate, load: Load) -> None:
    generate("keys")
    models = load("models")
    fields = models.KeysPayload.model_fields
    found = {name: field.alias for name, field in fields.items()}
    assert found == {v: None if k == v else k for k, v in KEYS.items()}


def test_hostile_keys_come_and_go_as_they_are(generate: Generate, load: Load) -> None:
    generate("keys")
    models = load("models")
    provider = Provider("typed", log_level="CRITICAL")
    register = provider.actions.register("keys", payload_schema=models.KeysPayload)
    register(_echo)
    document = {key: f"value of {key}" for key in KEYS}
    assert provider.process_task("keys", document)["data"] == document


def _echo(payload: Any) -> Any:
    return payload


def test_every_class_has_a_name_of_its_own(generate: Generate) -> None:
    code = generate("names")
    classes = [
        line.split("(")[0][6:] for line in code.splitlines() if line[:6] == "class "
    ]
    assert classes == [
        "Action1ThingPayload3",
        "Action1ThingPayload2",
        "Action1ThingPayloadAB",
        "Action1ThingPayloadAB2",
        "Action1ThingPayload",
        "AThingPayloadShared",
        "AThingPayloadOther",
        "AThingPayload",
        "AThingPayload2",
        "Payload2",
        "Payload",
    ]


def test_the_handlers_are_shown_with_the_models(generate: Generate) -> None:
    code = generate("handlers")
    shown = code[code.rindex("if TYPE_CHECKING:") :]
    assert shown == (PROGRAMS / "handlers.models.txt").read_text()


GROUP = """
from functools import partial

from arbvantage_provider import Actions

group = Actions()


@group.register(payload_schema={"item": {"sku": str}})
def list(payload: dict) -> List[int]: ...


def _count(size: int, payload: dict) -> int: ...


provider.actions.include(group)
provider.actions.include(group, prefix="old.")
register("count", payload_schema={"a": int})(partial(_count, 3))
"""


def test_a_group_that_is_included_twice_has_its_models_once(generate: Generate) -> None:
    code = generate("empty", GROUP)
    assert code.count("class ListPayload(StrictModel):") == 1
    assert "def list_2(payload: ListPayload) -> list[int]: ..." in code
    assert "def list_3(payload: ListPayload) -> list[int]: ..." in code
    assert "def _count(payload: CountPayload) -> int: ..." in code


def test_what_only_signatures_need_is_imported_for_checkers_only(
    generate: Generate,
) -> None:
    code = generate("handlers")
    assert "\nif TYPE_CHECKING:\n    from arbvantage_provider import " in code
    assert "\n\n    from program import Point, Receipt\n" in code
    assert "\nfrom program import" not in code


def test_unknown_keys_are_refused_where_the_dict_refuses_them(
    generate: Generate,
) -> None:
    schema = '{"b": {"c": int}}'
    code = generate(
        "empty", f'register("a", payload_schema={schema}, extra="forbid")(lambda b: b)'
    )
    assert code.count('    model_config = ConfigDict(extra="forbid")\n\n') == 2


def test_a_description_of_any_text_is_a_docstring(
    generate: Generate, load: Load
) -> None:
    text = (
        'A "quoted" \\ text """ with \x00 and more words, so that it is\nwrapped: "end"'
    )
    generate("empty", f'register("a", {text!r}, {{"b": int}})(lambda b: b)')
    models = load("models")
    assert models.APayload.__doc__.split() == text.split()


UNREACHABLE = """
def make():
    class Local(enum.Enum):
        A = 1

    return Local


def hide():
    return enum.Enum("Hidden", "A", module=__name__)


register("a", payload_schema={"b": {"c": DECLARED}})(lambda b: b)
"""


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ("make()", "Local is defined inside a function; move it to the top"),
        ("hide()", "give it a name at the top of its module"),
        ("Annotated[int, AfterValidator(lambda n: n)]", "is defined inside a function"),
        ("Annotated[str, Field(default=object())]", "cannot be written as Python"),
    ],
)
def test_what_cannot_be_imported_is_named(
    folder: Path, arbvantage: Run, declared: str, problem: str
) -> None:
    head = (PROGRAMS / "empty.txt").read_text()
    text = head + UNREACHABLE.replace("DECLARED", declared)
    (folder / "program.py").write_text(text)
    done = arbvantage("codegen", "program.py")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: APayloadB['c']: ")
    assert problem in done.stderr


def test_a_deep_schema_and_a_wide_one_are_written(
    generate: Generate, load: Load
) -> None:
    generate(
        "empty",
        """
deep = {"leaf": int}
for _ in range(30):
    deep = {"level": deep}
register("deep", payload_schema=deep)(lambda payload: payload)
register("wide", payload_schema={f"key {n}": int for n in range(2_000)})(
    lambda payload: payload
)
""",
    )
    models = load("models")
    assert len(models.WidePayload.model_fields) == 2_000
    document = '{"leaf": 1.0}'
    for _ in range(30):
        document = f'{{"level": {document}}}'
    assert models.DeepPayload.model_validate_json(document)


INJECTING = """
from collections import Counter

from arbvantage_provider import Inject, Provider

provider = Provider("shop")


@provider.actions.register(payload_schema={"item": {"sku": str}})
def order(item: dict, sold: Inject[Counter], old: Inject[Counter] | None = None): ...
"""


def test_a_default_of_none_is_in_the_type_of_what_is_filled_in(
    generate: Generate,
) -> None:
    code = generate(
        "from arbvantage_provider import Provider\n"
        'provider = Provider("p", log_level="CRITICAL")\n'
        '@provider.actions.register(payload_schema={"a": int})\n'
        "def act(a, provider=None, now=None, other=None): ...\n"
    )
    assert "provider: dict[str, Any] | None = None" in code
    assert "now: str | None = None" in code
    assert "other: Any = None" in code


def test_what_is_injected_stays_so(generate: Generate) -> None:
    code = generate(INJECTING)
    shown = code[code.rindex("    def order") :]
    assert "sold: Inject[Counter]," in shown
    assert "old: Inject[Counter] | None = None," in shown
    assert "    from arbvantage_provider import Inject\n" in code


@pytest.mark.parametrize(
    "text",
    [
        'ends in """',
        'ends in ""',
        'ends in "',
        '"',
        '"""',
        '""""""""',
        '"begins"',
        '""begins',
        'in """ the middle',
        "it's \\",
        '\\"',
        '\\"""',
        "a null \0, a half \ud800, a mark \x85",
        'many words, so that it is more than one line, and quotes """ ' * 4 + '"',
    ],
)
def test_any_description_is_a_docstring_that_ruff_leaves_as_it_is(
    generate: Generate, text: str
) -> None:
    program = (
        "from arbvantage_provider import Provider\n"
        "provider = Provider('shop', log_level='CRITICAL')\n"
        f"provider.actions.register('a', {text!r}, {{'n': int}})(lambda n: None)\n"
    )
    tree = ast.parse(generate(program))
    (model,) = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    words = (ast.get_docstring(model) or "").split()
    assert words == text.replace("\x85", " ").split()
