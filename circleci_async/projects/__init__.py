"""The projects of an organization, and the projects that an argument names."""
