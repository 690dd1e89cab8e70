"""Every error that pixquery raises on purpose.

::

    PixqueryError
    ├── BadQuery            the question itself is unusable (empty, too long)
    ├── BadData             a file of queries, pairs, ratings or stop words is malformed
    ├── BadRoot             a folder to index is missing, unreadable or holds no photo
    ├── CannotServe         the server cannot listen at the address, or must not
    ├── DeviceUnusable      the device to encode on is not there, or computes wrongly
    ├── DownloadFailed      a model of the hub cannot be had now, or not by this user
    ├── LibraryError
    │   ├── LibraryNotFound     no library at that place
    │   ├── LibraryLocked       another process is writing to it
    │   ├── LibraryDamaged      its files contradict each other
    │   ├── LibraryTooNew       made by a newer pixquery
    │   └── StorageFailed       the disk is full, read-only or failing
    ├── MissingExtra        a command needs packages of an extra
    ├── NothingFound        no photo answers the question
    ├── NoViewer            no program of the system shows a photo
    ├── ProfileError
    │   ├── ProfileNotFound     no profile of that name
    │   ├── ProfileDamaged      a file of it is missing or altered
    │   ├── ProfileMismatch     the library was made with another profile
    │   ├── ProfileUntrained    it has encoders and was never trained
    │   └── SourceUnusable      what a profile should be made of is no model, or damaged
    ├── QueryRefused        the stop-word policy refuses the query
    └── UnreadableImage     one photo cannot be used; the run goes on

Each message is one sentence that names what went wrong, which value, and what to do next.
The command line maps each class to an exit code, in one place.
"""


class PixqueryError(Exception):
    """Root of the tree: everything pixquery raises on purpose."""


class BadQuery(PixqueryError):
    """The question itself is unusable: empty or too long."""


class BadData(PixqueryError):
    """A file of queries, pairs, ratings or stop words is malformed; told with file and line."""


class BadRoot(PixqueryError):
    """A folder to index is missing, unreadable or holds no photo."""


class CannotServe(PixqueryError):
    """The server cannot listen at the address, or must not without a token."""


class DeviceUnusable(PixqueryError):
    """The device to encode photos on is not there, or not to be relied on."""


class DownloadFailed(PixqueryError):
    """A model of the hub cannot be had: no network, no such model, no permission, no room."""


class LibraryError(PixqueryError):
    """Something is wrong with a library as a whole."""


class LibraryNotFound(LibraryError):
    """There is no library at that place."""


class LibraryLocked(LibraryError):
    """Another process is writing to the library."""


class LibraryDamaged(LibraryError):
    """The library's files contradict each other or cannot be read."""


class LibraryTooNew(LibraryError):
    """The library was made by a newer version of pixquery."""


class StorageFailed(LibraryError):
    """The disk is full, read-only or failing; what was committed before is kept."""


class MissingExtra(PixqueryError):
    """A command needs packages of an extra that is not installed."""


class NothingFound(PixqueryError):
    """No photo answers the question."""


class NoViewer(PixqueryError):
    """No program of the system shows a photo."""


class ProfileError(PixqueryError):
    """Something is wrong with a profile."""


class ProfileNotFound(ProfileError):
    """There is no profile of that name or at that place."""


class ProfileDamaged(ProfileError):
    """A file of the profile is missing or differs from its manifest."""


class ProfileMismatch(ProfileError):
    """The library was made with another profile than the one asked for."""


class ProfileUntrained(ProfileError):
    """A profile has encoders and no alignment yet, so that it cannot be searched with."""


class SourceUnusable(ProfileError):
    """What a profile should be made of is no model, or its files are damaged."""


class QueryRefused(PixqueryError):
    """The stop-word policy refuses the query."""


class UnreadableImage(PixqueryError):
    """One photo cannot be used; the message is the reason alone, without the path."""
