"""A Case and a Topology -> processes that are started, pinned, synchronised, collected and reaped."""
