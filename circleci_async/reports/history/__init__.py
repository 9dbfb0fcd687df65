"""A history of insights: Parquet files that grow with every collection, and outlast the 90 days of CircleCI."""
