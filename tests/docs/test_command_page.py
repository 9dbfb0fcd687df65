"""The page of all commands matches the command line."""

from docs.commands import PAGE, page


def test_the_page_matches_the_commands() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python docs/commands.py` to regenerate the page"


def test_a_command_shows_its_usage_arguments_and_options() -> None:
    section = page().partition("\n## harvest run\n")[2].partition("\n## ")[0]
    assert "circleci-async harvest run [OPTIONS] PROJECT...\n" in section
    assert "| `PROJECT` | Projects, such as gh/acme/api, or organizations, such as gh/acme. |" in section
    assert "| `--concurrency N` | Concurrent downloads. Default: `32`. |" in section
    assert "--host" not in section  # an option of all commands
