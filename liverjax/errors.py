"""Errors a user can cause, each saying what was found, what was expected and what to do."""


class LiverjaxError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(LiverjaxError):
    """A file, folder or archive that cannot be read as what it should be."""


class ConfigError(LiverjaxError):
    """A configuration field with an unknown name, a wrong type or an impossible value."""


class SplitError(LiverjaxError):
    """Patients that may not be used together, or that a dataset does not hold."""


class CheckpointError(LiverjaxError):
    """A checkpoint that is absent, incomplete or of another experiment."""


class TrainingError(LiverjaxError):
    """A training run that cannot go on."""


class StoppedError(LiverjaxError):
    """A run that was asked to stop and has saved where it is."""


class BenchmarkError(LiverjaxError):
    """A benchmark that cannot run here, or contenders that do not compute the same."""
