"""Waiting for the end of pipelines, workflows and jobs, and reporting their changes meanwhile.

A `Poller` polls one pipeline, workflow or job for all callers that wait for it. Each has a `Subscription`, whose
verdict on every `PollResult` decides whether its wait is over.
"""
