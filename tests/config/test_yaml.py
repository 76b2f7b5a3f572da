from contextlib import suppress

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from robustmeta.config.yaml import MAX_DEPTH, Document, YamlError, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("7", 7),
        ("-3", -3),
        ("+3", 3),
        ("150_000", 150000),
        ("010", 10),
        ("0x1f", "0x1f"),
        ("1_", "1_"),
        ("1e-3", 1e-3),
        ("1.5e3", 1500.0),
        ("1E+3", 1000.0),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1_000.5", 1000.5),
        ("e5", "e5"),
        ("8/255", 8 / 255),
        ("-8/255", -8 / 255),
        ("1/0", "1/0"),
        ("8 / 255", "8 / 255"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2020-01-01", "2020-01-01"),
        (".inf", ".inf"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("<<", "<<"),
        ("dead_pixels.py:dead_pixels", "dead_pixels.py:dead_pixels"),
        ("!!str 5", "5"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    got = read(f"a: {text}").value["a"]
    assert got == value
    assert type(got) is type(value)


def test_keys_are_text() -> None:
    assert read("{1: a, true: b, 1e-3: c, on: d}").value == {"1": "a", "true": "b", "1e-3": "c", "on": "d"}


def test_every_key_and_value_has_its_place() -> None:
    text = "a: 1\nb:\n  - {x: y, z:    3}\n  - - q\nc: {}\n"
    assert read(text) == Document(
        {"a": 1, "b": [{"x": "y", "z": 3}, ["q"]], "c": {}},
        {
            (): (1, 1),
            ("a",): (1, 4),
            ("b",): (3, 3),
            ("b", 0): (3, 5),
            ("b", 0, "x"): (3, 9),
            ("b", 0, "z"): (3, 18),
            ("b", 1): (4, 5),
            ("b", 1, 0): (4, 7),
            ("c",): (5, 4),
        },
        {("a",): (1, 1), ("b",): (2, 1), ("b", 0, "x"): (3, 6), ("b", 0, "z"): (3, 12), ("c",): (5, 1)},
    )


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a: 1\nb: 2\na: 3", (3, 1), "the key a stands twice; the first is on line 1"),
        ("a: {b: 1, b: 1}", (1, 11), "the key b stands twice"),
        ("a: !!python/object/apply:os.system [ls]", (1, 4), "tag !!python/object/apply:os.system is not allowed"),
        ("a: !mine 3", (1, 4), "tag !mine is not allowed"),
        ("a: !!set {x, y}", (1, 4), "tag !!set is not allowed"),
        ("a: !!int x", (1, 4), "'x' is not a int"),
        ("a: !!bool no", (1, 4), "'no' is not a bool"),
        ("? [a]\n: 1", (1, 3), "a key must be plain text"),
        ("a: &x [*x]", (1, 4), "does an alias contain itself?"),
        ("a: *nope", (1, 4), "undefined alias"),
        ("a:\n  - b: [1", (2, 10), "not valid YAML"),
        ("a: b: c", (1, 5), "mapping values are not allowed here"),
        ("a: 1\n\tb: 2", (2, 1), "not valid YAML"),
        ("--- a\n--- b", (2, 1), "expected a single document"),
        ("a: 1e999", (1, 4), "too large for a number"),
        ("a: " + "9" * 400, (1, 4), "a number of 400 characters"),
        ("a: 1\nb: \x07", (2, 4), "a control character"),
        (b"a: 1\nb: caf\xe9", (2, 7), "byte 0xe9 is not UTF-8"),
        ("a: " + "x" * 300_000, (1, 1), "characters; a study has at most"),
        ("[" * (MAX_DEPTH + 1), (1, MAX_DEPTH + 1), f"nested more than {MAX_DEPTH} levels deep"),
    ],
)
def test_what_is_refused(text: str | bytes, position: tuple[int, int], message: str) -> None:
    with pytest.raises(YamlError) as caught:
        read(text)
    assert message in str(caught.value)
    assert caught.value.position == position


def test_an_alias_bomb_ends_at_once() -> None:
    lines = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(YamlError, match="do aliases repeat each other"):
        read("a0: &a0 [1, 1]\n" + "\n".join(lines))


def test_an_alias_is_a_value_of_its_own() -> None:
    value = read("a: &a [1]\nb: *a").value
    assert value == {"a": [1], "b": [1]}
    assert value["a"] is not value["b"]


def test_a_byte_order_mark_is_nothing() -> None:
    assert read(b"\xef\xbb\xbfa: 1").value == {"a": 1}


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-_.", min_size=1, max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_what_is_dumped_is_read_back(value: object) -> None:
    """Our dialect differs from PyYAML's in plain scalars, so all texts are quoted; the rest must agree."""
    text = pyyaml.dump(value, Dumper=_Quoting, allow_unicode=True, default_flow_style=None)
    assert read(text).value == value


class _Quoting(pyyaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


_Quoting.add_representer(str, lambda d, v: d.represent_scalar("tag:yaml.org,2002:str", v, style='"'))


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with suppress(YamlError):
        read(text)
