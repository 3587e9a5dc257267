"""The parts of a registration, read from a multipart body with limits on everything."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from service.errors import InvalidInput, UnsupportedMediaType
from service.models.registering import Upload
from service.strict_json import Flaw, escape

PARTS = ("manifest", "artifact", "reference")
_LARGEST_FIELD_BYTES = 1 << 20
_MOST_PARTS = 2 * len(PARTS)  # room to name a part that is too many


async def read_upload(request: Request) -> Upload:
    """Reads the three parts; each must be there once and nothing else with it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "multipart/form-data":
        raise UnsupportedMediaType("A registration is sent as multipart/form-data.")
    form = await _form(request)
    try:
        given = form.multi_items()
        _check_names([name for name, _ in given])
        parts = {name: await _content(name, part) for name, part in given}
    finally:
        await form.close()
    (manifest, manifest_type), (artifact, _), (reference, reference_type) = (parts[name] for name in PARTS)
    return Upload(manifest, manifest_type, artifact, reference, reference_type)


async def _form(request: Request) -> FormData:
    try:
        return await request.form(
            max_files=_MOST_PARTS, max_fields=_MOST_PARTS, max_part_size=_LARGEST_FIELD_BYTES
        )
    except HTTPException as error:  # the parser's own words, which name what is wrong with the form
        raise InvalidInput((Flaw("", error.detail),)) from None


def _check_names(names: list[str]) -> None:
    flaws = [Flaw(f"/{name}", "is required") for name in PARTS if name not in names]
    flaws += [
        Flaw(f"/{escape(name)}", "is not a part of a registration") for name in names if name not in PARTS
    ]
    flaws += [Flaw(f"/{name}", "is sent more than once") for name in PARTS if names.count(name) > 1]
    if flaws:
        raise InvalidInput(tuple(flaws))


async def _content(name: str, part: UploadFile | str) -> tuple[bytes, str | None]:
    if isinstance(part, str):
        if name != "manifest":  # it came as text, so its bytes are not the ones that were sent
            raise InvalidInput((Flaw(f"/{name}", "must be sent as a file, with a filename"),))
        return part.encode(), None
    return await part.read(), part.content_type
