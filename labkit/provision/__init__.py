"""Where the brokers come from, and the supervisor that owns them.

Reading order: `model` (the nouns) · `guardian` and `child` (processes that cannot be left behind) · the rungs
`external` `docker` `native_kafka` `native_rabbitmq` `embedded` · `ladder` (which rung) · `fleet` (both brokers) ·
`supervisor` · `holder` (who uses the lab).
"""
