"""Every error that pixquery raises on purpose.

::

    PixqueryError
    ├── BadQuery            the query is unusable (empty, too long, out of range)
    ├── BadConcept          a concept's name or its example photos are unusable
    ├── BadData             a file of queries, pairs, ratings or stop words is malformed
    ├── BadRoot             a folder to index is missing, unreadable or contains no photo
    ├── CannotServe         the server cannot listen at the address, or must not
    ├── DeviceUnusable      the device to encode on is missing or computes wrong results
    ├── DownloadFailed      a model cannot be downloaded from the hub
    ├── LibraryError
    │   ├── LibraryNotFound     the folder contains no library
    │   ├── LibraryLocked       another process is writing to it
    │   ├── LibraryDamaged      its files contradict each other
    │   ├── LibraryTooNew       made by a newer pixquery
    │   └── StorageFailed       the disk is full, read-only or failing
    ├── MissingExtra        packages of an extra are not installed
    ├── NothingFound        no photo matches
    ├── NoViewer            the system has no program that shows photos
    ├── ProfileError
    │   ├── ProfileNotFound     there is no profile of that name
    │   ├── ProfileDamaged      a file of the profile is missing or altered
    │   ├── ProfileMismatch     the library was made with another profile
    │   ├── ProfileUntrained    the profile has encoders but no alignment
    │   └── SourceUnusable      the source of a profile is no model, or is damaged
    ├── QueryRefused        the stop-word policy refuses the query
    └── UnreadableImage     one photo cannot be used; the run continues
        └── PhotoFailed         it may be sound: memory, the system or pixquery failed

Each message is one sentence that names what went wrong, which value, and what to do next.
The command line maps each class to an exit code, in one place.
"""


class PixqueryError(Exception):
    """The base of all errors that pixquery raises on purpose."""


class BadQuery(PixqueryError):
    """The query is unusable: empty, too long, or a number is out of range."""


class BadConcept(PixqueryError):
    """A concept's name or its example photos are unusable."""


class BadData(PixqueryError):
    """A file of queries, pairs, ratings or stop words is malformed; names the file and line."""


class BadRoot(PixqueryError):
    """A folder to index is missing, unreadable or contains no photo."""


class CannotServe(PixqueryError):
    """The server cannot listen at the address, or must not without a token."""


class DeviceUnusable(PixqueryError):
    """The device to encode photos on is missing, or computes wrong results."""


class DownloadFailed(PixqueryError):
    """A model cannot be downloaded: no network, no such model, no permission, no room."""


class LibraryError(PixqueryError):
    """Something is wrong with a library as a whole."""


class LibraryNotFound(LibraryError):
    """The folder contains no library."""


class LibraryLocked(LibraryError):
    """Another process is writing to the library."""


class LibraryDamaged(LibraryError):
    """The library's files contradict each other or cannot be read."""


class LibraryTooNew(LibraryError):
    """The library was made by a newer version of pixquery."""


class StorageFailed(LibraryError):
    """The disk is full, read-only or failing; what was committed before is kept."""


class MissingExtra(PixqueryError):
    """Packages of an extra are not installed."""


class NothingFound(PixqueryError):
    """No photo matches."""


class NoViewer(PixqueryError):
    """The system has no program that shows photos."""


class ProfileError(PixqueryError):
    """Something is wrong with a profile."""


class ProfileNotFound(ProfileError):
    """There is no profile with that name or in that folder."""


class ProfileDamaged(ProfileError):
    """A file of the profile is missing or differs from its manifest."""


class ProfileMismatch(ProfileError):
    """The library was made with another profile than the requested one."""


class ProfileUntrained(ProfileError):
    """The profile has encoders but no alignment, so it cannot be used to search."""


class SourceUnusable(ProfileError):
    """The source of a profile is no model, or its files are damaged."""


class QueryRefused(PixqueryError):
    """The stop-word policy refuses the query."""


class UnreadableImage(PixqueryError):
    """One photo cannot be used; the message is the reason alone, without the path."""


class PhotoFailed(UnreadableImage):
    """Something other than the photo failed: it may be sound, and another try may succeed."""
