"""The resource classes, such as `Pipelines`: the API calls of one group, and what is built on them."""
