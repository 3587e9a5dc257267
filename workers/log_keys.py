"""Which keys sign for the log, which signed before, which witnesses are asked: all of it from the settings.

Trust never comes from the database: whoever can write into it could name keys there.
"""

from __future__ import annotations

from audit.checkpoint import checkpoint_keys
from audit.cosignature import CosignerKey
from audit.errors import MalformedNote
from audit.note import Signer, Verifier
from runtime.errors import SettingsError
from runtime.settings import Settings


def log_signers(settings: Settings) -> list[Signer]:
    """Return the checkpoint keys that sign: two while one takes the place of the other."""
    given = {
        "OFRECORD_CHECKPOINT_KEY": settings.checkpoint_key,
        "OFRECORD_NEXT_CHECKPOINT_KEY": settings.next_checkpoint_key,
    }
    signers: list[Signer] = []
    for variable, text in given.items():
        if not text:
            continue
        try:
            signer = Signer.parse(text)
        except MalformedNote as error:
            raise SettingsError(variable, str(error)) from error
        if signer.verifier.name != settings.log_origin:
            raise SettingsError(variable, f"is a key of {signer.verifier.name}, not of the log's name")
        if signer.verifier not in [known.verifier for known in signers]:
            signers.append(signer)
    return signers


def log_keys(settings: Settings) -> list[Verifier]:
    """Return the log's checkpoint keys, present and past: those that sign, and those the operator names."""
    try:
        given = checkpoint_keys(settings.log_verifier_keys)
    except MalformedNote as error:
        raise SettingsError("OFRECORD_LOG_VERIFIER_KEYS", str(error)) from error
    present = [signer.verifier for signer in log_signers(settings)]
    signing = {key.key_id for key in present}
    past = [key for key in given if key.name == settings.log_origin and key not in present]
    for key in past:
        if key.key_id in signing:
            raise SettingsError("OFRECORD_LOG_VERIFIER_KEYS", f"{key.key_id} has a limit, and still signs")
    return [*present, *past]


def witness_keys(settings: Settings) -> list[tuple[CosignerKey, str]]:
    """Return each witness's key and address; one that is asked is no past key and has no limit."""
    try:
        keys = [(CosignerKey.parse(vkey), url) for vkey, url in settings.witnesses]
    except MalformedNote as error:
        raise SettingsError("OFRECORD_WITNESSES", str(error)) from error
    for key, _ in keys:
        if key.limit is not None:
            raise SettingsError("OFRECORD_WITNESSES", f"{key.key_id} has a limit, and is still asked")
    return keys
