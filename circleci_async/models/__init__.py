"""What the API answers, as frozen classes: one module per group of calls, imported when first used."""
