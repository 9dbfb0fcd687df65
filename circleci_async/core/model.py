"""The decorator of models."""

from typing import TYPE_CHECKING, Any

__all__ = ["frozen"]

if TYPE_CHECKING:
    from attrs import frozen
else:
    import attrs

    def frozen(kind: type | None = None, **options: Any) -> Any:
        """Make a class a model: a frozen attrs class that notebooks show as a table of its fields."""

        def decorate(kind: type) -> type:
            model = attrs.frozen(kind, **options)
            model._repr_html_ = _repr_html
            return model

        return decorate if kind is None else decorate(kind)

    def _repr_html(self: object) -> str:
        from .html import model_html  # only in notebooks

        return model_html(self)
