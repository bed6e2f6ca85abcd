"""The pictures of lesson 03: `readers` (who has read what), `throughput`, `costs`, and the table of `truth`."""
