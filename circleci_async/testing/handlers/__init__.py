"""The operations of the API, one module per group."""

from ..routing import Router
from . import insights, jobs, pipelines, projects, users, workflows

ROUTER = Router((*users.ROUTES, *projects.ROUTES, *pipelines.ROUTES, *workflows.ROUTES, *jobs.ROUTES, *insights.ROUTES))
"""Finds the operation of a request."""
