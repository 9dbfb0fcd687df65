"""The projects of an organization, and those that an argument such as `projects` of a harvest names."""
