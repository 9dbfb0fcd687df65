"""Reports: what the runs of projects cost, where they fail, and how both change. With a history beyond 90 days."""
