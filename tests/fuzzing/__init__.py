"""Damaged and hostile files, and what comes of them; ``python tests/fuzz.py`` runs it."""
