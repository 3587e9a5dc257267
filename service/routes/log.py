"""The log as anybody may check it: keys, checkpoints, entries and proofs, without personal data."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import PlainTextResponse, Response

from audit.stamps import StoredStamp
from schemas.log import ConsistencyProof, InclusionProof, LogEntry, VerifierKeys
from service import attesting
from service.bodies import answered
from service.context import services_of
from service.errors import NotFound
from service.security import needs

router = APIRouter(prefix="/v1/log", tags=["log"], dependencies=[Depends(needs("audit"))])

Size = Annotated[int, Query(ge=0, le=2**53)]


@router.get("/keys", responses={200: {"model": VerifierKeys}})
async def get_keys(request: Request) -> Response:
    """Present and past verifier keys."""
    services = services_of(request)
    return answered(await services.desk.run(attesting.keys, services))


@router.get(
    "/verifier",
    responses={200: {"description": "one file of Python", "content": {"text/x-python": {}}}},
    response_class=Response,
)
async def get_verifier() -> Response:
    """The offline verifier: one file that needs nothing but Python, for whoever received evidence."""
    source, digest = attesting.verifier()
    name = f'attachment; filename="{attesting.VERIFIER_NAME}"'
    headers = {"Content-Disposition": name, "ETag": f'"{digest}"'}
    return Response(source, 200, headers, "text/x-python")


@router.get("/checkpoint", responses={200: {"content": {"text/plain": {}}}}, response_class=PlainTextResponse)
async def get_checkpoint(request: Request) -> Response:
    """The newest signed checkpoint, a C2SP signed note."""
    services = services_of(request)
    note = await services.desk.run(attesting.checkpoint, services)
    if note is None:
        raise NotFound("Nothing is signed yet: the tree is empty.")
    return PlainTextResponse(note)


@router.get(
    "/stamps/{tree_size}",
    responses={200: {"description": "RFC 3161, DER", "content": {"application/timestamp-reply": {}}}},
    response_class=Response,
)
async def get_stamp(tree_size: Annotated[int, Path(ge=0, le=2**53)], request: Request) -> Response:
    """The RFC 3161 time stamp of the first stamped tree of at least this size, as the authority gave it.

    It is over the bytes of `/v1/log/stamps/{tree_size}/checkpoint`; `openssl ts -verify` compares them.
    """
    found = await _stamp(request, tree_size)
    return _attached(found.response, f"checkpoint-{found.tree_size}.tsr", "application/timestamp-reply")


@router.get(
    "/stamps/{tree_size}/checkpoint",
    responses={200: {"description": "a C2SP signed note", "content": {"text/plain": {}}}},
    response_class=Response,
)
async def get_stamped_checkpoint(
    tree_size: Annotated[int, Path(ge=0, le=2**53)], request: Request
) -> Response:
    """The checkpoint that this time stamp is over, to the byte: with the log's signatures alone.

    Where its tree is larger than the one of a proof, `/v1/log/proofs/consistency` joins the two.
    """
    found = await _stamp(request, tree_size)
    return _attached(found.note.encode(), f"checkpoint-{found.tree_size}", "text/plain; charset=utf-8")


async def _stamp(request: Request, tree_size: int) -> StoredStamp:
    services = services_of(request)
    found = await services.desk.run(attesting.stamp, services, tree_size)
    if found is None:
        raise NotFound(f"No tree of {tree_size} or more is stamped yet.")
    return found


def _attached(content: bytes, name: str, media_type: str) -> Response:
    return Response(content, 200, {"Content-Disposition": f'attachment; filename="{name}"'}, media_type)


@router.get("/entries/{index}", responses={200: {"model": LogEntry}})
async def get_entry(index: Annotated[int, Path(ge=0, le=2**53)], request: Request) -> Response:
    """One leaf of the tree with the bytes it commits to."""
    services = services_of(request)
    return answered(await services.desk.run(attesting.entry, services, index))


@router.get(
    "/proofs/inclusion",
    responses={
        200: {"model": InclusionProof},
        202: {"description": "not yet in the tree; ask again in a second"},
    },
)
async def get_inclusion(
    request: Request,
    index: Size | None = None,
    entry_id: UUID | None = None,
    tree_size: Size | None = None,
) -> Response:
    """The audit path of one leaf (RFC 6962, 2.1.1), by its index or by the entry that a receipt names.

    Without `tree_size` it is in the newest tree that a witness cosigned, or in the newest; such an answer can
    be checked offline as it is.
    """
    services = services_of(request)
    proof = await services.desk.run(attesting.inclusion, services, index, entry_id, tree_size)
    if proof is None:
        return answered({"entry_id": str(entry_id), "integrated": False}, 202, {"Retry-After": "1"})
    return answered(proof)


@router.get("/proofs/consistency", responses={200: {"model": ConsistencyProof}})
async def get_consistency(
    request: Request,
    old: Annotated[int, Query(alias="from", ge=0, le=2**53)],
    new: Annotated[int, Query(alias="to", ge=0, le=2**53)],
) -> Response:
    """The proof that one tree is a prefix of another (RFC 6962, 2.1.2)."""
    services = services_of(request)
    return answered(await services.desk.run(attesting.consistency, services, old, new))
