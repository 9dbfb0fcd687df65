"""Errors in the creation of pipelines."""

from attrs import frozen


@frozen
class PipelineError:
    """Why a pipeline was not created: `config`, `config-fetch`, `timeout`, `permission`, `other` or `plan`."""

    type: str
    message: str
