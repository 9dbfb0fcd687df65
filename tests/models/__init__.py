"""Tests of the models, against the API's specification and bodies from the live API."""
