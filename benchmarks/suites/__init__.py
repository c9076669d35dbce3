"""One module a subject; each has ``TITLE`` and ``measure(full)``, which yields its figures as they are known."""
