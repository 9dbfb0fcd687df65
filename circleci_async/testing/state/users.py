"""Users of CircleCI."""

from attrs import define


@define(eq=False)
class User:
    """A user of CircleCI."""

    id: str
    login: str
    name: str | None

    @property
    def avatar_url(self) -> str:
        """URL of the user's picture."""
        return f"https://avatars.githubusercontent.com/{self.login}"
