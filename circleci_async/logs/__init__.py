"""The output of job steps: complete, the last lines, or followed while the job runs."""
