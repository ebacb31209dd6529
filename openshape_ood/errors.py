"""Errors of the library, as one tree.

```text
OpenShapeError
├── InputError          (ValueError)    a value that cannot be used
│   ├── CloudError                      points that are not a cloud: NaN, wrong columns, a single point
│   ├── ClassNamesError                 class names that are missing, blank or repeated
│   ├── UnknownNameError                a checkpoint, method, category or axis that does not exist
│   └── MixedEncodersError              embeddings of different encoders in one call
├── FileError           (OSError)       a file that cannot be used
│   ├── ShapeFileError                  a shape file that cannot be read, or is malicious
│   │   └── NoSuchShapeError            (also FileNotFoundError) a path without a file
│   ├── RegistryError   (ValueError)    a registry with unknown, missing or ill-typed fields
│   └── CheckpointError                 weights that cannot be fetched or used
│       ├── OfflineError                the Hub cannot be reached, or offline mode is set
│       ├── ServerError                 the Hub answered with an error
│       ├── TransferError               the download was interrupted or is incomplete
│       ├── HashError                   the file differs from the registered one
│       └── WeightsError                not a checkpoint, or keys or shapes of another network
├── WorkerError                         a child process ended before its task was done
└── MissingPackageError (ImportError)   an optional package that is not installed
```
"""


class OpenShapeError(Exception):
    """Base class of all errors of this library."""


class InputError(OpenShapeError, ValueError):
    """A value that cannot be used."""


class CloudError(InputError):
    """Points that are not a valid cloud."""


class ClassNamesError(InputError):
    """Class names that are missing, blank or repeated."""


class UnknownNameError(InputError):
    """Unknown name. The message lists or suggests known names."""


class MixedEncodersError(InputError):
    """Embeddings of different encoders in one call."""


class FileError(OpenShapeError, OSError):
    """A file that cannot be used."""


class ShapeFileError(FileError):
    """A shape file that cannot be read, or that is malicious."""


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
    """File that is not a checkpoint, or that has keys or shapes of another network."""


class WorkerError(OpenShapeError):
    """Child process that ended before its task was done."""


class MissingPackageError(OpenShapeError, ImportError):
    """Missing optional package. The message has the install command."""
