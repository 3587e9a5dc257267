"""The rules, read from their files once and checked strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import ValidationError

from registry.digests import canonical_json, digest_of
from registry.documents import DocumentError, Plain, read_yaml
from reports.requirements.errors import RequirementsMalformed, RequirementUnknown
from reports.requirements.requirement import Requirement
from schemas.base import Wire
from schemas.problem import pointed_errors
from schemas.requirement import RequirementRecord, RequirementsFile, RequirementsIndex

FOLDER = Path(__file__).parent / "data"
WORDS = Path(__file__).with_name("words.yaml")

Document = TypeVar("Document", bound=Wire)


@dataclass(frozen=True, slots=True)
class Register:
    """One version of the data; `as_of` is the day on which it was true."""

    version: str
    as_of: date
    requirements: Mapping[str, Requirement]
    digest: str


def load(folder: Path = FOLDER, words: Path = WORDS) -> Register:
    """Read and check every file; raise RequirementsMalformed for the first fault."""
    index_file = folder / "register.yaml"
    index = _parse(index_file, RequirementsIndex)
    found: dict[str, Requirement] = {}
    content: list[object] = [index.model_dump(mode="json"), read_document(words)]
    for name in index.files:
        file = folder / f"{name}.yaml"
        parsed = _parse(file, RequirementsFile)
        content.append(parsed.model_dump(mode="json"))
        for record in parsed.records:
            if record.id in found:
                raise RequirementsMalformed(file.name, f"{record.id} is given twice")
            found[record.id] = _requirement(record)
    for one in found.values():
        if one.superseded_by is not None and one.superseded_by not in found:
            raise RequirementsMalformed(index_file.name, f"{one.id} names an unknown {one.superseded_by}")
    return Register(index.version, index.as_of, MappingProxyType(found), digest_of(canonical_json(content)))


@cache
def shipped() -> Register:
    """Return the data that this software carries; read once."""
    return load()


def requirement(requirement_id: str) -> Requirement:
    """Return one rule; raise RequirementUnknown if there is none with this id."""
    try:
        return shipped().requirements[requirement_id]
    except KeyError:
        raise RequirementUnknown(requirement_id) from None


def requirements_digest() -> str:
    """Return the digest of the rules and of the words for their status, `sha256:` and 64 digits."""
    return shipped().digest


def read_document(file: Path) -> Plain:
    """Return one YAML file as plain values, or say what is wrong with it."""
    try:
        return read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DocumentError) as error:
        raise RequirementsMalformed(file.name, str(error)) from error


def _parse(file: Path, kind: type[Document]) -> Document:
    try:
        return kind.model_validate(read_document(file))
    except ValidationError as error:
        first = pointed_errors(error)[0]
        raise RequirementsMalformed(file.name, f"{first.pointer} {first.detail}") from error


def _requirement(record: RequirementRecord) -> Requirement:
    fields = {name: getattr(record, name) for name in RequirementRecord.model_fields}
    return Requirement(**fields)
