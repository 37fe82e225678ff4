"""What a search finds, and what not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.core.text import Terms, normalised, pieces, searchable
from rockdove.wire import im_pb2 as pb

PHRASES = st.text(st.sampled_from("aB éßſİ\u0301 9-_ﬁ🎉👍\ufe0f\u200d我Ａ们学カﾊ゙학ㅎก็ا\u200cम\u093e"), max_size=12)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("hel", "Hello"),
        ("HELLO", "say hello, world"),
        ("world say", "Say hello, world"),
        ("straße", "STRASSE"),
        ("café", "cafe\u0301 noir"),
        ("2024", "２０２４年"),
        ("fi", "ﬁne"),
        ("don't", "I don’t"),
        ("приве", "Привет"),
        ("नमस्", "नमस्ते जी"),
        ("手机", "我的手机壳"),
        ("机", "我的手机"),
        ("手机壳 我的", "我的手机壳"),
        ("iphone手机", "手机 iPhone"),
        ("カード", "ｶｰﾄﾞを送る"),
        ("교에", "학교에서 만나요"),
        ("สวัสดี", "คุณสวัสดีครับ"),
        ("c++", "C++ or C"),
        ("❤", "I ❤️ you"),
        ("👍", "ok👍🏽"),
        ("co\u00adoperate", "cooperate"),
        ("می\u200cخواهم", "میخواهم"),
    ],
)
def test_found(query: str, text: str) -> None:
    assert Terms(query).occur_in(text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("ello", "Hello"),
        ("hello word", "hello world"),
        ("hello", "hell"),
        ("机手", "手机"),
        ("手机", "手 机"),
        ("cafe", "café noir"),
        ("c++", "C"),
        ("iphone手机", "iPhone"),
        ("iphone手机", "手机"),
    ],
)
def test_not_found(query: str, text: str) -> None:
    assert not Terms(query).occur_in(text)


@pytest.mark.parametrize("query", ["", "  ", "?!…", "。，", "\ue000", "\u200b"])
def test_a_query_of_nothing_that_is_searched_finds_nothing(query: str) -> None:
    assert not Terms(query)
    assert not Terms(query).occur_in("anything?! 。")


@given(PHRASES)
def test_every_text_that_is_searched_is_found_by_itself(text: str) -> None:
    assert Terms(text).occur_in(text) == bool(Terms(text))


@given(PHRASES)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(PHRASES)
def test_a_text_is_found_by_the_beginnings_of_its_words_and_by_any_part_of_what_has_none(text: str) -> None:
    found = pieces(normalised(text))
    for word in found.words:
        assert Terms(word[:1]).occur_in(text)
    for run in found.runs:
        assert Terms(run[-1]).occur_in(text)


# ---------------------------------------------------------------- messages


def message(kind: pb.MessageType, content: object, **fields: object) -> pb.Message:
    return pb.Message(type=kind, payload=content.SerializeToString(), **fields)  # type: ignore[attr-defined, arg-type]


TEXT = message(pb.TXT, pb.MessageTxt(txt="words"))


@pytest.mark.parametrize("kind", [pb.FILE, pb.AUDIO, pb.VIDEO])
def test_what_has_a_name_is_found_by_it(kind: pb.MessageType) -> None:
    assert searchable(message(kind, pb.MessageFile(name="report.pdf", url="http://x", mime="y"))) == "report.pdf"


def test_a_text_and_a_place_are_found_by_what_they_say() -> None:
    assert searchable(TEXT) == "words"
    assert searchable(message(pb.LOCATION, pb.MessageLocation(name="Paris"))) == "Paris"


def test_of_an_edited_message_the_new_content_is_found() -> None:
    change = pb.Change(msgid=1, type=pb.TXT, payload=pb.MessageTxt(txt="better words").SerializeToString())
    assert searchable(message(pb.TXT, pb.MessageTxt(txt="words"), edited=change)) == "better words"


def test_nothing_is_found_of_what_was_removed_or_is_no_talk() -> None:
    change = pb.Change(msgid=1, type=pb.TXT, payload=TEXT.payload)
    assert searchable(message(pb.TXT, pb.MessageTxt(txt="words"), removed=True)) == ""
    assert searchable(message(pb.EDIT, change)) == ""
    assert searchable(message(pb.RECALL, change)) == ""
    assert searchable(message(pb.REACTION, pb.Reaction(msgid=1, emoji="👍"))) == ""
    assert searchable(message(pb.NOTICE, pb.Notice(kind="group.renamed", text="words"))) == ""
    assert searchable(message(pb.CUSTOM, pb.MessageCustom(kind="words", body=b"words"))) == ""


def test_a_content_that_does_not_parse_is_not_found() -> None:
    assert searchable(pb.Message(type=pb.TXT, payload=b"\x0a\xff")) == ""
