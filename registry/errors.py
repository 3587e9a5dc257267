"""What can go wrong in the registry, as one tree of named errors.

RegistryError
├── ManifestInvalid        the manifest, each fault with its JSON pointer
├── ReferenceInvalid       the uploaded reference, each fault with its row and column
├── ReferenceContradiction no comparable row keeps a constraint, each fault with its JSON pointer
├── CatalogueInvalid       a reason catalogue, each fault with its JSON pointer
├── ModelUnknown           no version of this model was ever registered
├── VersionUnknown         the model has no such version
├── CatalogueUnknown       no such reason catalogue
├── CatalogueConflict      this version of a catalogue is registered with other content
├── CatalogueUnfit         a catalogue that does not word the reasons of a model version
├── NotApproved            nothing of this model may serve
├── VersionConflict        this version is registered with other content
├── StatusRefused          a change of status that cannot be
├── BlobMissing            stored bytes are not there
├── BlobDamaged            stored bytes are not what their digest says
├── ExaminationStopped     the service stopped while a registration was examined
├── ExaminationStarved     explanations left no time to examine a registration
└── ExaminationFailed      a registration could not be examined, through no fault of its own

Where an error carries no detail of its own, the first line of its docstring is its message.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.problem import PointedError

SHOWN = 5


class RegistryError(Exception):
    """The registry refused."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class _Pointed(RegistryError):
    """Several faults, each at its place."""

    def __init__(self, errors: Iterable[PointedError]) -> None:
        self.errors = tuple(errors)
        shown = "; ".join(f"{error.pointer or '(document)'}: {error.detail}" for error in self.errors[:SHOWN])
        more = len(self.errors) - SHOWN
        super().__init__(shown + (f"; and {more} more" if more > 0 else ""))


class ManifestInvalid(_Pointed):
    """The manifest is not a valid ofrecord/v1 manifest."""


class ReferenceInvalid(_Pointed):
    """The uploaded reference does not fit the manifest."""


class ReferenceContradiction(_Pointed):
    """No uploaded row that can be compared keeps what the manifest says of them.

    They are all, or at least 20 and half of all. Pointers are into the manifest.
    """


class CatalogueInvalid(_Pointed):
    """The reason catalogue is not a valid ofrecord/catalogue-v1 document."""


class ModelUnknown(RegistryError):
    """No version of this model was ever registered."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(f"no model named {model!r} is registered")


class VersionUnknown(RegistryError):
    """The model has no such version."""

    def __init__(self, model: str, version: str) -> None:
        self.model, self.version = model, version
        super().__init__(f"model {model!r} has no version {version!r}")


class CatalogueUnknown(RegistryError):
    """There is no such reason catalogue."""


class CatalogueConflict(RegistryError):
    """This version of the catalogue is registered with other content."""


class CatalogueUnfit(RegistryError):
    """The catalogue does not word the reasons of this model version."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        shown = "; ".join(self.faults[:SHOWN])
        more = len(self.faults) - SHOWN
        super().__init__(shown + (f"; and {more} more" if more > 0 else ""))


class NotApproved(RegistryError):
    """Nothing of this model may serve."""

    def __init__(self, model: str, version: str | None = None) -> None:
        self.model, self.version = model, version
        which = "no version" if version is None else f"version {version!r}"
        verb = "is approved" if version is None else "is not approved"
        super().__init__(f"{which} of model {model!r} {verb}")


class VersionConflict(RegistryError):
    """This version is registered with other content."""

    def __init__(self, model: str, version: str, parts: Iterable[str]) -> None:
        self.model, self.version, self.parts = model, version, tuple(parts)
        differs = ", ".join(self.parts)
        super().__init__(
            f"version {version!r} of model {model!r} is registered already with another {differs}"
        )


class StatusRefused(RegistryError):
    """A change of status that cannot be."""


class BlobMissing(RegistryError):
    """Stored bytes are not there."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(f"no stored bytes with the digest {digest}")


class BlobDamaged(RegistryError):
    """Stored bytes are not what their digest says."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        super().__init__(f"the stored bytes do not have the digest {digest}")


class ExaminationStopped(RegistryError):
    """The examination of the registration was stopped with the service; nothing was stored."""


class ExaminationStarved(RegistryError):
    """Explanations left too little time to examine the registration; nothing was stored, try again later."""


class ExaminationFailed(RegistryError):
    """The registration could not be examined, through no fault of its own."""
