"""What can go wrong, as one tree.

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
│   └── CheckpointError                 weights that cannot be had or used
│       ├── OfflineError                the Hub cannot be reached, or may not be
│       ├── ServerError                 the Hub was reached and answered with an error
│       ├── TransferError               the download broke off or came out short
│       ├── HashError                   the downloaded file is not the registered one
│       └── WeightsError                no checkpoint, missing or left-over keys, wrong shapes
├── WorkerError                         a child process that ended, or was ended, before its task was done
└── MissingPackageError (ImportError)   an optional package that is not installed
```
"""


class OpenShapeError(Exception):
    """Every error that this library raises on purpose."""


class InputError(OpenShapeError, ValueError):
    """A value that cannot be used."""


class CloudError(InputError):
    """Points that are no cloud."""


class ClassNamesError(InputError):
    """Names of known classes that cannot be told apart or are empty."""


class UnknownNameError(InputError):
    """A name that does not exist; the message lists or suggests those that do."""


class MixedEncodersError(InputError):
    """Embeddings of different encoders put together."""


class FileError(OpenShapeError, OSError):
    """A file that cannot be used."""


class ShapeFileError(FileError):
    """A shape file that cannot be read, or that is hostile."""


class NoSuchShapeError(ShapeFileError, FileNotFoundError):
    """A path where there is no file; `except FileNotFoundError` catches it too."""


class RegistryError(FileError, ValueError):
    """A registry with unknown, missing or ill-typed fields."""


class CheckpointError(FileError):
    """Weights that cannot be had or used."""


class OfflineError(CheckpointError):
    """The Hub cannot be reached, or the settings forbid it."""


class ServerError(CheckpointError):
    """The Hub was reached and answered with an error."""


class TransferError(CheckpointError):
    """A download that broke off or came out short."""


class HashError(CheckpointError):
    """A downloaded file that is not the registered one."""


class WeightsError(CheckpointError):
    """A file that is no checkpoint, or whose keys or shapes are not those of its row."""


class WorkerError(OpenShapeError):
    """A child process that ended, or was ended, before its task was done."""


class MissingPackageError(OpenShapeError, ImportError):
    """An optional package that is not installed; the message says how to get it."""
