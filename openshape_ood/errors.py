"""Errors of the library, as one tree.

```text
OpenShapeError
├── InputError          (ValueError)    a value that cannot be used
│   ├── CloudError                      points that are no cloud: NaN, wrong columns, a single point
│   ├── ClassNamesError                 names of known classes: none, blank, twice
│   ├── UnknownNameError                a checkpoint, method, category or axis that does not exist
│   └── MixedEncodersError              embeddings of different encoders put together
├── FileError           (OSError)       a file that cannot be used
│   ├── ShapeFileError                  a shape that cannot be read, or is hostile
│   │   └── NoSuchShapeError            (also FileNotFoundError) a path where there is no file
│   ├── RegistryError   (ValueError)    the registry: unknown, missing or ill-typed fields
│   └── CheckpointError                 weights that cannot be fetched or used
│       ├── OfflineError                the Hub cannot be reached, or offline mode is set
│       ├── ServerError                 the Hub answered with an error
│       ├── TransferError               the download broke off or came out short
│       ├── HashError                   the file differs from the registered one
│       └── WeightsError                no checkpoint, missing or left-over keys, wrong shapes
├── WorkerError                         a child process ended before its task was done
└── MissingPackageError (ImportError)   an optional package that is not installed
```
"""


class OpenShapeError(Exception):
    """Base class of all errors of this library."""


class InputError(OpenShapeError, ValueError):
    """A value that cannot be used."""


class CloudError(InputError):
    """Points that form no valid cloud."""


class ClassNamesError(InputError):
    """Class names that are empty, blank or repeated."""


class UnknownNameError(InputError):
    """Unknown name; the message lists or suggests known ones."""


class MixedEncodersError(InputError):
    """Embeddings of different encoders in one call."""


class FileError(OpenShapeError, OSError):
    """A file that cannot be used."""


class ShapeFileError(FileError):
    """A shape file that cannot be read, or that is hostile."""


class NoSuchShapeError(ShapeFileError, FileNotFoundError):
    """Path without a file. Also a `FileNotFoundError`."""


class RegistryError(FileError, ValueError):
    """A registry with unknown, missing or ill-typed fields."""


class CheckpointError(FileError):
    """Weights that cannot be fetched or used."""


class OfflineError(CheckpointError):
    """The Hub cannot be reached, or offline mode is set."""


class ServerError(CheckpointError):
    """The Hub answered with an error."""


class TransferError(CheckpointError):
    """Interrupted or incomplete download."""


class HashError(CheckpointError):
    """File that differs from the registered one."""


class WeightsError(CheckpointError):
    """File that is no checkpoint, or whose keys or shapes do not fit its row."""


class WorkerError(OpenShapeError):
    """Child process that ended before its task was done."""


class MissingPackageError(OpenShapeError, ImportError):
    """Missing optional package; the message names the install command."""
