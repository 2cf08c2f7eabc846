import pytest

from keras_acl.system.printable import escaped, is_utf8, shortened

HARMLESS = "Mädchen läuft 走る می\u200cخواهم [red] {0} \\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m", r"a\x1b[31mred\x1b[0m"),
        ("two\nlines\r\t\x00", r"two\nlines\r\t\x00"),
        ("\x9b31m", r"\x9b31m"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("caf\udce9.mp4", r"caf\udce9.mp4"),
        (HARMLESS, HARMLESS),
    ],
)
def test_what_is_not_printable_is_escaped_and_the_rest_stays(text, shown):
    assert escaped(text) == shown
    escaped(text).encode()


def test_long_texts_are_cut():
    assert shortened("a" * 80) == "a" * 80
    assert shortened("a" * 81) == "a" * 80 + "…"


def test_bytes_that_are_no_utf8_are_known():
    assert is_utf8("é走\x1b")
    assert not is_utf8(b"caf\xe9".decode(errors="surrogateescape"))
