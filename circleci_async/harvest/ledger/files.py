"""The query for finished files, with the job and the pipeline of each."""

from typing import Final

FILE_TABLES: Final = (
    "artifacts JOIN jobs ON jobs.id = job"
    " LEFT JOIN pipelines ON pipelines.project = jobs.project AND pipelines.number = jobs.pipeline"
)

FILE_COLUMNS: Final = (
    "target, size, sha256, etag, finished, jobs.project, pipeline, workflow, name, jobs.number, node, path, url,"
    " pipelines.id, created, branch, tag, revision, jobs.kind"
)
