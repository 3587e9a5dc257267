"""Which catalogue words the reasons of a version that is about to be registered."""

from __future__ import annotations

from registry.catalogues import Catalogue, inline_catalogue, read_catalogue
from registry.coverage import require_fit
from registry.errors import CatalogueUnfit, CatalogueUnknown, ManifestInvalid
from registry.store import Conn, get_catalogue
from schemas.manifest import Manifest
from schemas.problem import PointedError


def chosen_catalogue(conn: Conn, manifest: Manifest) -> Catalogue:
    """Return the catalogue that the manifest names, or the texts that it carries itself.

    Raises ManifestInvalid where there is no such catalogue or its wordings contradict the manifest; a factor
    that is left out is no contradiction, the capability report tells of it.
    """
    named = manifest.catalogue
    if named is None:
        catalogue, at = inline_catalogue(manifest), "/factors"
    else:
        at = "/catalogue"
        try:
            catalogue = get_catalogue(conn, named.name, named.version)
        except CatalogueUnknown as error:
            raise ManifestInvalid([PointedError(pointer=at, detail=str(error))]) from error
    try:
        require_fit(manifest, read_catalogue(catalogue), complete=False)
    except CatalogueUnfit as error:
        raise ManifestInvalid(PointedError(pointer=at, detail=fault) for fault in error.faults) from error
    return catalogue
