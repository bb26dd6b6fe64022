"""The names of calls, and the points of a sweep. Pure."""

from __future__ import annotations

import json

from tests.openstack.weather import (
    Moment,
    Weather,
    answer,
    fault_points,
    kill_points,
    name_of,
    weather_at,
)

ONE, PROJECT = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", "0a1b2c3d4e5f0a1b2c3d4e5f0a1b2c3d"
NAMES = {
    ("compute", "POST", "/v2.1/servers", ""): "POST compute /servers",
    ("compute", "GET", "/v2.1/servers/detail?limit=9", ""): "GET compute /servers/detail",
    ("compute", "POST", f"/v2.1/servers/{ONE}/action", '{"shelve": null}'): (
        "POST compute /servers/{id}/action shelve"
    ),
    ("block-storage", "POST", f"/v3/{PROJECT}/volumes", "{}"): "POST block-storage /volumes",
    ("network", "PUT", f"/v2.0/ports/{ONE}/tags", ""): "PUT network /ports/{id}/tags",
    ("identity", "POST", "/v3/auth/tokens", ""): "POST identity /auth/tokens",
    ("image", "GET", "/", ""): "GET image /",
}


def test_a_call_has_the_same_name_whatever_it_asks_for() -> None:
    found = {words: name_of(*words[:3], words[3].encode()) for words in NAMES}
    assert found == NAMES


def test_the_points_of_a_sweep_are_of_calls_that_change_something() -> None:
    login = Moment("POST identity /auth/tokens", 0)
    look = Moment("GET compute /servers/detail", 0)
    first, second = (Moment("POST compute /servers", n) for n in (0, 1))
    moments = [login, look, first, Moment("GET compute /servers/detail", 1), second]
    assert kill_points(moments) == [
        (one.at, when) for one in (first, second) for when in ("kill_before", "kill_after")
    ]
    assert fault_points(moments) == [
        (login.at, "500"),
        (look.at, "503"),
        (first.at, "429"),
        (first.at, "lost"),
        (second.at, "lost"),
        (first.at, "done but 504"),
    ]
    assert weather_at((first.at, "429")) == Weather(errors={first.at: 429})
    assert weather_at((second.at, "lost")) == Weather(lost_answers=frozenset({second.at}))


def test_each_service_refuses_in_its_own_words() -> None:
    of = {kind: json.loads(answer(kind, 409)[1]) for kind in ("compute", "network", "identity")}
    assert [[*one] for one in of.values()] == [["conflictingRequest"], ["NeutronError"], ["error"]]
    assert answer("compute", 429)[0] == {"Retry-After": "1"}
    assert answer("network", 503)[1].startswith(b"<html>")
