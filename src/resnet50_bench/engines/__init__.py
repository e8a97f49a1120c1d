"""Compare all engines on all installed stacks, and remember the fastest for TORCH_TYPE=auto."""
