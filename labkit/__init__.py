"""labkit: the package behind the course on event-driven architecture.

Reading order, from the ground up. Each floor imports only floors below it.

    base        errors with cures, waiting for facts, groups of tasks, fresh names, settings, ports
    events      the envelope, and the trace: everything that happens is one row
    brokers     thin clients for Kafka and RabbitMQ, each with its broker's own verbs
    provision   where the brokers come from, and the supervisor that owns them
    desk, lab   JupyterLab and a browser; what a notebook says: `from labkit import lab; lab.start()`
    shop        orders and services; chaos: faults from a seed, processes that are killed
    patterns    what to do about events that come twice, late or not at all
    measure     load, latency, anomalies
    plots       a table in, a picture out
    harness     what an experiment stands on: its settings, the shop as processes, a broker of its own
    widgets     a panel for any experiment; the stage, a run in slow motion
    teach       bets, how exercises are checked, claims; bench: the price of labkit itself
    truth       the broker truth table: the same questions to every broker
    lessons     a folder a lesson: its experiments, plots, panel and exercises
    cli         python -m labkit ...; doctor and bootstrap stand beside it

Importing labkit imports nothing else: no third-party package, no thread, no connection.
"""

__version__ = "0.1.0"
