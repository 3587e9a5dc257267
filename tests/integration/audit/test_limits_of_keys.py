"""What is made known of a past key's limit: nothing that the log contradicts; of several the last."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from audit.entry import Draft
from audit.errors import LimitContradicted
from audit.integrate import Integrator
from audit.note import Signer, Verifier
from runtime.clock import FixedClock
from runtime.errors import SettingsError
from runtime.settings import Settings
from workers import integrating
from workers.publishing import publishing

OLDEST, OLD, NEW = (Signer("log.example/ofrecord", bytes([n]) * 32) for n in (1, 2, 3))


@pytest.fixture
def rotated(rig: Any) -> Any:
    """Ten trees by the oldest key, then ten by the old one and one by both, then the new one's."""
    for signers, trees in (([OLDEST], 10), ([OLD], 10), ([OLD, NEW], 1), ([NEW], 3)):
        before = [one.verifier for one in (OLDEST, OLD) if one not in signers]
        integrator = Integrator(rig.integrator_pool, signers, rig.origin, trusted=before)
        integrator.publish_keys(rig.now)
        for _ in range(trees):
            rig.log.append_one(Draft("a.b", "x", {}), rig.now)
            assert integrator.step(rig.now) == 1
    return rig


def _limited(signer: Signer, limit: int) -> Verifier:
    return replace(signer.verifier, limit=limit)


def _publish(rig: Any, *past: Verifier) -> None:
    Integrator(rig.integrator_pool, [NEW], rig.origin, trusted=past).publish_keys(rig.now)


def _told(rig: Any) -> dict[str, int | None]:
    return {key.vkey: key.limit for key in rig.log.verifier_keys()}


@pytest.mark.parametrize("limit", [0, 2, 9, 10, 19])
def test_a_limit_below_what_the_key_alone_signed_is_not_published(rotated, limit):
    with pytest.raises(LimitContradicted, match=f"up to {limit} only, but alone signed one of"):
        _publish(rotated, _limited(OLDEST, 10), _limited(OLD, limit))
    assert set(_told(rotated).values()) == {None}


@pytest.mark.parametrize("limit", [20, 21, 200])
def test_a_limit_from_there_on_is(rotated, limit):
    _publish(rotated, _limited(OLDEST, 10), _limited(OLD, limit))
    assert _told(rotated) == {OLDEST.verifier.vkey: 10, OLD.verifier.vkey: limit, NEW.verifier.vkey: None}


def test_a_key_that_signs_gets_none(rotated):
    with pytest.raises(LimitContradicted, match="still signs"):
        _publish(rotated, _limited(NEW, 24))


def test_the_last_word_is_shown(rotated):
    for limit in (200, 20, 200, 21):
        _publish(rotated, _limited(OLD, limit))
        assert _told(rotated)[OLD.verifier.vkey] == limit
    with rotated.integrator_pool.connection() as connection:  # as whoever has the integrator's login
        for _ in range(2):
            connection.execute(
                "select audit.publish_key_limit_v1(%s, 0, '9000-01-01Z')", (OLD.verifier.vkey,)
            )
    assert _told(rotated)[OLD.verifier.vkey] == 0
    _publish(rotated, _limited(OLD, 21))
    assert _told(rotated)[OLD.verifier.vkey] == 21
    assert rotated.count("verifier_key_limit") == 6


def test_the_integrator_names_the_setting(rotated):
    integrator = Integrator(rotated.integrator_pool, [NEW], rotated.origin, trusted=[_limited(OLD, 2)])
    with publishing(Settings(), Event()) as published:
        step = integrating.integrator_step(integrator, FixedClock(rotated.now), published, ())
        with pytest.raises(SettingsError, match=r"OFRECORD_LOG_VERIFIER_KEYS: .* alone signed one of 11"):
            step()
