"""Settings are refused by the name of the variable, and never show a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.settings import INTEGRATOR_NEEDS, Settings, read_secret

GOOD = {
    "OFRECORD_DATABASE_URL": "postgresql://ofrecord_service:hidden1@db/ofrecord",
    "OFRECORD_KEYS_DATABASE_URL": "postgresql://ofrecord_service:hidden2@db/ofrecord_keys",
    "OFRECORD_BROKER_URL": "redis://:hidden3@queue:6379/0",
    "OFRECORD_MASTER_KEY": "ab" * 32,
    "OFRECORD_RECEIPT_KEY": "PRIVATE+KEY+name+00000000+hidden4",
    "OFRECORD_LOG_ORIGIN": "example.com/ofrecord",
}


def test_reads_values_and_defaults() -> None:
    settings = Settings.from_env(GOOD)
    assert settings.master_key == b"\xab" * 32
    assert settings.body_limit_bytes == 1 << 20
    assert settings.log_verifier_keys == ()
    assert not settings.allow_unsafe_durability
    assert not settings.sign_unseen
    assert Settings.from_env({**GOOD, "OFRECORD_SIGN_UNSEEN": "1"}).sign_unseen


def test_repr_hides_every_secret() -> None:
    shown = repr(Settings.from_env(GOOD))
    assert "hidden" not in shown
    assert "abab" not in shown
    assert "log_origin='example.com/ofrecord'" in shown
    assert "master_key=<set>" in shown
    assert "checkpoint_key=<empty>" in shown


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OFRECORD_DATABASE_URL", "mysql://hidden@db/x"),
        ("OFRECORD_BROKER_URL", "amqp://hidden"),
        ("OFRECORD_MASTER_KEY", "hidden"),
        ("OFRECORD_RECEIPT_KEY", "hidden"),
        ("OFRECORD_LOG_ORIGIN", "two words"),
        ("OFRECORD_BODY_LIMIT_BYTES", "12"),
        ("OFRECORD_TABLE_MEMORY_BYTES", "-1"),
        ("OFRECORD_REGISTRATION_MEMORY_BYTES", "1048576"),
        ("OFRECORD_BATCH_LIMIT", "0"),
        ("OFRECORD_THREADS", "many"),
        ("OFRECORD_LOG_LEVEL", "loud"),
        ("OFRECORD_ALLOW_UNSAFE_DURABILITY", "yes"),
        ("OFRECORD_SIGN_UNSEEN", "true"),
        ("OFRECORD_LANGUAGE_MODEL_URL", "http://models.example/hidden"),
        ("OFRECORD_LANGUAGE_MODEL_URL", "https://user:hidden@models.example/"),
        ("OFRECORD_LANGUAGE_MODEL_NAME", "two\nlines hidden"),
        ("OFRECORD_LANGUAGE_MODEL_KEY", "hidden\u00e9"),
        ("OFRECORD_LANGUAGE_MODEL_TIMEOUT_MS", "10"),
    ],
)
def test_wrong_value_is_named_and_not_shown(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: must") as caught:
        Settings.from_env({**GOOD, variable: value})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "KEYS_DATABASE_URL", "MASTER_KEY", "RECEIPT_KEY", "LOG_ORIGIN"]
)
def test_missing_value_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^OFRECORD_{name}: is not set$"):
        Settings.from_env({key: value for key, value in GOOD.items() if key != f"OFRECORD_{name}"})


def test_each_process_needs_its_own() -> None:
    with pytest.raises(SettingsError, match="OFRECORD_CHECKPOINT_KEY: is not set"):
        Settings.from_env(GOOD, needs=INTEGRATOR_NEEDS)


def test_password_may_come_apart_from_the_address(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/word\n")
    env = {
        **GOOD,
        "OFRECORD_DATABASE_URL": "postgresql://ofrecord_service@db:5432/ofrecord",
        "OFRECORD_DATABASE_PASSWORD_FILE": str(file),
    }
    settings = Settings.from_env(env)
    assert settings.database_url == "postgresql://ofrecord_service:p%40ss%2Fword@db:5432/ofrecord"
    assert settings.keys_database_url == GOOD["OFRECORD_KEYS_DATABASE_URL"]


def test_secret_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("value\n")
    assert read_secret({"A_FILE": str(file)}, "A") == "value"
    assert read_secret({}, "A") == ""
    with pytest.raises(SettingsError, match=r"^A: is given twice"):
        read_secret({"A_FILE": str(file), "A": "x"}, "A")
    with pytest.raises(SettingsError, match=r"^A_FILE: cannot be read \(No such file or directory\)"):
        read_secret({"A_FILE": str(tmp_path / "none")}, "A")
    file.write_text("\n")
    with pytest.raises(SettingsError, match=r"^A_FILE: names an empty file"):
        read_secret({"A_FILE": str(file)}, "A")


LANGUAGE_MODEL = {
    "OFRECORD_LANGUAGE_MODEL_URL": "http://127.0.0.1:8080/v1/chat/completions",
    "OFRECORD_LANGUAGE_MODEL_NAME": "small",
    "OFRECORD_LANGUAGE_MODEL_KEY": "hidden5",
}


def test_no_language_model_is_asked_unless_somebody_says_so() -> None:
    assert Settings.from_env(GOOD).language_model_url == ""
    settings = Settings.from_env({**GOOD, **LANGUAGE_MODEL})
    assert settings.language_model_url.startswith("http://127.0.0.1")
    assert "hidden5" not in repr(settings)
    with pytest.raises(SettingsError, match="LANGUAGE_MODEL_NAME: is not set"):
        Settings.from_env({**GOOD, **LANGUAGE_MODEL, "OFRECORD_LANGUAGE_MODEL_NAME": ""})


def test_there_is_no_counterfactual_server_unless_somebody_says_where() -> None:
    assert Settings.from_env(GOOD).counterfactual_socket is None
    told = GOOD | {"OFRECORD_COUNTERFACTUAL_SOCKET": "/run/ofrecord/propose.sock"}
    assert Settings.from_env(told).counterfactual_socket == Path("/run/ofrecord/propose.sock")


@pytest.mark.parametrize("path", ["propose.sock", "/run/" + "x" * 103])
def test_the_counterfactual_server_has_an_address_that_a_socket_can_have(path: str) -> None:
    with pytest.raises(SettingsError, match="OFRECORD_COUNTERFACTUAL_SOCKET: must be an absolute path"):
        Settings.from_env(GOOD | {"OFRECORD_COUNTERFACTUAL_SOCKET": path})
