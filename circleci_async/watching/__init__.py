"""Waiting for the end of pipelines and workflows, and reporting their changes meanwhile.

A `Poller` polls one pipeline or workflow for all callers that wait for it. Each caller has a `Subscription`, whose
verdict on every `PollResult` decides whether its wait is over.
"""
