"""labkit: the package behind the course on event-driven architecture.

Reading order, from the ground up. Each floor imports only floors below it.

    base        errors with cures, waiting for facts, fresh names, settings, ports
    provision   where the brokers come from, and the supervisor that owns them
    lab         what a notebook says: `from labkit import lab; lab.start()`
    data        real orders
    plots       a table in, a matplotlib Figure out
    experiments one a lesson: run(...) -> Result
    teach       bets and checks
    cli         python -m labkit ...

Importing labkit imports nothing else: no third-party package, no thread, no connection.
"""

__version__ = "0.1.0"
