"""/proc, /sys, cgroups and affinity -> what this computer is, and what it did meanwhile."""
