"""What stands in the address of a database is never shown, wherever the password stands."""

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockdove.store.address import check_address, place_of

NAMES = st.text("ab.-_7", min_size=1)
HOSTS = st.tuples(NAMES | st.just("[::1]") | st.just("%2Frun%2Fpostgresql"), st.sampled_from(["", ":5432"])).map("".join)
PASSWORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1).map(lambda text: f"SECRET{text}")


@given(st.lists(HOSTS, max_size=3), NAMES, PASSWORDS)
def test_a_place_is_hosts_and_database(hosts: list[str], database: str, password: str) -> None:
    place = f"{','.join(hosts)}/{database}"
    encoded = quote(password, safe="")
    assert place_of(f"postgresql://user:{encoded}@{place}") == f"postgresql://{place}"
    assert place_of(f"postgres://{place}?user=user&password={encoded}&sslmode=verify-full") == f"postgresql://{place}"


@given(HOSTS, PASSWORDS)
def test_a_password_that_was_not_encoded_is_not_taken_for_a_host_or_a_database(host: str, password: str) -> None:
    for text in (password, f"1{password}", password[::-1], f"5432/{password}", f"5432?{password}"):
        place = ""
        with suppress(ValueError):
            place = place_of(f"postgresql://user:{text}@{host}/chat")
        assert place in {"", f"postgresql://{host}/chat"}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "chat",
        "localhost/chat",
        "mysql://localhost/chat",
        "postgresql:chat",
        "postgresql://a b/chat",
        "postgresql://a:x/chat",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"):
        check_address(address)


@pytest.mark.parametrize(
    "address", ["postgresql://", "postgresql:///chat?host=/run/postgresql", "postgresql://u@a,b:1,[::1]:2/chat"]
)
def test_what_the_libraries_of_postgresql_take_is_an_address(address: str) -> None:
    assert check_address(address) == address
