"""Results of tests, as jobs store them."""

from attrs import frozen


@frozen
class JobTest:
    """The result of one test: `success`, `failure`, `skipped` or `error`; `run_time` in seconds."""

    name: str
    result: str = "success"
    run_time: float = 0.1
    classname: str = "tests"
    file: str | None = None
    message: str | None = None
    source: str = "pytest"
