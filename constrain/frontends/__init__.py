"""Floor 3: text or data in, expression out. A front-end knows its notation and bytes, and never sees a token."""
