"""The pictures of lesson 01: `coupling` and `coupling_lag` (a slow inventory), `failures`, `outage`."""
